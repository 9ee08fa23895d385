"""Clusters of rows without labels: features, spaces fitted on some rows, k-means, how good and how stable they are."""
