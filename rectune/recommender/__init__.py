"""The generative recommender: a model answers, the answer finds real items, and their reasons are written
anew.
"""
