"""Candidate answers, tagging the best and the worst of them, and DPO on the tags."""
