"""Figures with their intervals: ranking metrics, the bootstrap over users, paired tests."""
