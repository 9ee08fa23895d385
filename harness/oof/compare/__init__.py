"""Runs side by side on the same rows.

runs (table and chart of all) -> pairwise (paired tests of two)        clusterings (runs without labels, their consensus)
"""
