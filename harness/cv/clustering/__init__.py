"""Cross-validation where nobody gave labels: each fold clusters its training rows, and a network learns the clusters."""
