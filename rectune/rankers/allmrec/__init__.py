"""A-LLMRec (Kim et al. 2024, "Large Language Models meet Collaborative Filtering"): a frozen recommender and
texts in one space.
"""
