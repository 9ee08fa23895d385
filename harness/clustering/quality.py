"""How good clusters are: without labels, against a truth, and whether another seed or another part would find the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.clustering.kmeans import distances, fit_centroids

_MOST_ROWS = 3000  # the silhouette compares every two rows

TRUTH_METRICS = ("nmi", "ari", "v_measure", "purity")
"""Against true kinds: normalised mutual information, adjusted Rand index, V-measure, Hungarian accuracy."""

INNER_METRICS = ("silhouette", "davies_bouldin", "calinski_harabasz")
"""Without labels; of davies_bouldin less is better."""


def inner_quality(points: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Silhouette (Rousseeuw 1987), Davies-Bouldin (1979), Calinski-Harabasz (1974); NaN where fewer than two clusters occur.

    points float (m, D), labels int (m,); of many rows some are drawn for the silhouette.
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

    if not 2 <= len(np.unique(labels)) < len(labels):
        return dict.fromkeys(INNER_METRICS, float("nan"))
    rows = np.arange(len(points))
    if len(rows) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), _MOST_ROWS, replace=False))
    drawn = 2 <= len(np.unique(labels[rows])) < len(rows)
    return {
        "silhouette": float(silhouette_score(points[rows], labels[rows])) if drawn else float("nan"),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
        "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
    }


def against_truth(truth: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """TRUTH_METRICS of clusters int (m,) against kinds int (m,)."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, v_measure_score

    return {
        "nmi": float(normalized_mutual_info_score(truth, labels)),
        "ari": float(adjusted_rand_score(truth, labels)),
        "v_measure": float(v_measure_score(truth, labels)),
        "purity": hungarian_accuracy(truth, labels),
    }


def hungarian_accuracy(truth: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows that are right when every cluster stands for one kind, no kind twice (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    size = int(max(truth.max(), labels.max())) + 1
    table = np.bincount(truth * size + labels, minlength=size * size).reshape(size, size)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(truth))


def agreement(labellings: Sequence[np.ndarray]) -> float:
    """Mean adjusted Rand index (Hubert and Arabie 1985) of every two labellings of the same rows; 1 = all the same."""
    from sklearn.metrics import adjusted_rand_score

    pairs = [(a, b) for i, a in enumerate(labellings) for b in labellings[i + 1 :]]
    return float(np.mean([adjusted_rand_score(a, b) for a, b in pairs])) if pairs else 1.0


def seed_stability(points: np.ndarray, k: int, n_init: int, seeds: int, first: int) -> float:
    """Agreement of k-means from other seeds, each on another 80 % of the rows and asked about all of them."""
    found = []
    for seed in range(first, first + seeds):
        rows = np.random.default_rng(seed).permutation(len(points))[: max(int(0.8 * len(points)), k)]
        found.append(distances(points, fit_centroids(points[rows], k, n_init, seed)).argmin(axis=1))
    return agreement(found)


def balance(labels: np.ndarray, k: int) -> float:
    """Entropy of the clusters' sizes over that of equal ones: 1 = all of one size."""
    shares = np.bincount(labels, minlength=k) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() / np.log(k))


def over_k(points: np.ndarray, ks: Sequence[int], n_init: int, seeds: int, seed: int) -> list[dict[str, float]]:
    """For each number of clusters: balance, silhouette, stability, and their mean, by which the best is told."""
    lines = []
    for k in ks:
        labels = distances(points, fit_centroids(points, k, n_init, seed)).argmin(axis=1)
        line = {
            "balance": balance(labels, k),
            "silhouette": inner_quality(points, labels)["silhouette"],
            "stability": seed_stability(points, k, n_init, seeds, seed),
        }
        lines.append({"k": k, **line, "mean": float(np.mean(list(line.values())))})
    return lines
