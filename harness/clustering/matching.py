"""Clusters of different fits under one numbering, and many clusterings made one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def match(labels: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """int64 (k,): the reference's number of each cluster, by the most common rows (Hungarian method, Kuhn 1955).

    labels, reference : int (n,), clusters of the same rows by two fits; the result is a permutation of 0..k-1.
    """
    from scipy.optimize import linear_sum_assignment

    table = np.bincount(labels * k + reference, minlength=k * k).reshape(k, k)
    rows, columns = linear_sum_assignment(-table)
    numbers = np.empty(k, dtype=np.int64)
    numbers[rows] = columns
    return numbers


def consensus(labellings: Sequence[np.ndarray], k: int, anchors: int = 2000, seed: int = 0) -> np.ndarray:
    """Clusters int64 (n,) that most clusterings agree on: k-means on how often rows stand together (Fred and Jain 2005).

    labellings : int (n,) each, of the same rows; their numbers need not agree. Rows are described by the share of
    clusterings that put them beside each of `anchors` rows, so the cost grows with n, not with its square.
    """
    from harness.clustering.kmeans import distances, fit_centroids

    n = len(labellings[0])
    chosen = np.arange(n) if n <= anchors else np.sort(np.random.default_rng(seed).choice(n, anchors, replace=False))
    together = np.zeros((n, len(chosen)), dtype=np.float64)
    for labels in labellings:
        together += labels[:, None] == labels[chosen][None]
    together /= len(labellings)
    return distances(together, fit_centroids(together, k, 10, seed)).argmin(axis=1)
