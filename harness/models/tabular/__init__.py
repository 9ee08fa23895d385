"""Models of columns: joined to a network's pooled features (columns.py), or trees on them alone (boosting.py)."""
