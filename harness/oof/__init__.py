"""Offline analysis of saved runs: no training, only their out-of-fold and test probabilities."""
