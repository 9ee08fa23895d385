"""k-means by scikit-learn, and the nearest centroid of rows that it was not fitted on."""

from __future__ import annotations

import warnings

import numpy as np

from harness.base.errors import UserError


def fit_centroids(points: np.ndarray, k: int, n_init: int, seed: int) -> np.ndarray:
    """Centroids float64 (k, D) of points (m, D), the largest cluster first; the same for a seed.

    Raises
    ------
    UserError
        If there are fewer distinct points than clusters, so that one would be empty.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if k > len(points):
        raise UserError(f"clusters.k = {k}: more clusters than rows to fit them on ({len(points)}). Lower it.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            found = KMeans(k, n_init=n_init, random_state=seed).fit(points)
        except ConvergenceWarning as warning:
            raise UserError(
                f"clusters.k = {k}: a cluster would be empty, since many rows are the same ({warning}). Lower clusters.k"
            ) from warning
    order = np.argsort(-np.bincount(found.labels_, minlength=k), kind="stable")
    return found.cluster_centers_[order]


def distances(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Squared distances float64 (m, k)."""
    cross = points @ centroids.T
    squared = (points**2).sum(axis=1)[:, None] - 2 * cross + (centroids**2).sum(axis=1)[None]
    return np.maximum(squared, 0)


def soft_labels(squared: np.ndarray, scale: float) -> np.ndarray:
    """Probabilities float32 (m, k) by distance: those of equal spherical Gaussians of variance `scale` per dimension."""
    logits = -squared / (2 * max(scale, 1e-12))
    logits -= logits.max(axis=1, keepdims=True)
    proba = np.exp(logits)
    return (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)
