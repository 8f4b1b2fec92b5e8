"""The generative recommender: requests, grounded answers, and explanations from the items' facts."""
