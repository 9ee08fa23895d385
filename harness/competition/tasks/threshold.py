"""A decision threshold for two classes: found on out-of-fold probabilities, scored on rows that it was not found on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.competition.metrics import Metric, intervals

_CANDIDATES = 400


def best_threshold(metric: Metric, labels: np.ndarray, positive: np.ndarray) -> float:
    """The probability of the second class from which on it is said, that gives the best score; of several the middle one.

    labels : int (n,) 0 or 1; positive : float (n,) probability of class 1
    """
    candidates = np.unique(np.quantile(positive, np.linspace(0, 1, _CANDIDATES + 1)))
    edges = (candidates[1:] + candidates[:-1]) / 2
    if not len(edges):
        return 0.5
    values = np.array([metric(labels, decide(positive, t)) for t in edges]) * (1 if metric.greater_is_better else -1)
    best = np.flatnonzero(values == values.max())
    return float(edges[best[len(best) // 2]])


def decide(positive: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """float (n, 2): all of the probability on the class that the threshold (one, or one per row) says."""
    said = (positive >= threshold).astype(float)
    return np.column_stack([1 - said, said])


def cross_fitted(
    metrics: Sequence[Metric], labels: np.ndarray, proba: np.ndarray, fold: np.ndarray, groups: np.ndarray
) -> dict[str, Any] | None:
    """A threshold found for the first metric: on all rows, and for the scores of each fold on the other folds.

    Returns
    -------
    {"value", "metric", "scores": {metric: {"pooled", "low", "high"}}}, or None where a threshold means nothing: more than
    two classes, one fold, or a metric that only orders rows
    """
    metric = metrics[0]
    if proba.shape[1] != 2 or not metric.of_answers or len(np.unique(fold)) < 2:
        return None
    positive, per_row = proba[:, 1], np.empty(len(labels))
    for number in np.unique(fold):
        mine = fold == number
        per_row[mine] = best_threshold(metric, labels[~mine], positive[~mine])
    deciding = [m for m in metrics if m.of_answers]
    scorers = [m.prepare(labels, decide(positive, per_row)) for m in deciding]
    found = intervals(scorers, groups, deciding)
    return {
        "value": best_threshold(metric, labels, positive),
        "metric": metric.name,
        "scores": {
            m.name: {"pooled": scorer(None), "low": low, "high": high}
            for m, scorer, (low, high) in zip(deciding, scorers, found, strict=True)
        },
    }
