"""A-LLMRec (Kim et al. 2024, "Large Language Models meet Collaborative Filtering"): a frozen recommender,
texts, and a frozen language model, joined by small trained networks.
"""
