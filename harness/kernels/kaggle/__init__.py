"""Kaggle as the harness uses it for work of its own: one account's data sets and notebooks, and sessions that are followed."""
