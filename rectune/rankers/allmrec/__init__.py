"""A-LLMRec: a frozen recommender and a frozen language model, joined by small trained networks."""
