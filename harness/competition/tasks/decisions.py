"""Decisions: what turns outputs into answers. Found on rows that are not judged by it; a score by them is cross-fitted (`Task.decided`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.competition.metrics import Metric
from harness.competition.scoring.answers import LabelScorer
from harness.competition.tasks.answering import as_grades, expected_grade

_MOST_ROWS, _CANDIDATES, _PASSES, _MOST_LABELS = 20_000, 40, 3, 200


def best_cuts(metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> list[float]:
    """Cuts between C grades on the expected grade, by coordinate ascent from the middles; of equally good ones the middle one.

    As Kaggle's "optimised rounder" (Abhishek Thakur 2019), by a search that needs no smooth score.
    """
    rows = _some(len(targets))
    targets, values, n = targets[rows], expected_grade(outputs[rows]), outputs.shape[1]
    sign = 1 if metric.greater_is_better else -1
    cuts = [grade + 0.5 for grade in range(n - 1)]

    def score(cuts: list[float]) -> float:
        return sign * metric(targets, as_grades(values, cuts, n))

    best = score(cuts)
    for _ in range(_PASSES):
        before = best
        for place in range(n - 1):
            low = cuts[place - 1] if place else min(values.min(), 0.0)
            high = cuts[place + 1] if place < n - 2 else max(values.max(), n - 1)
            tried = np.linspace(low, high, _CANDIDATES + 2)[1:-1]
            scores = np.array([score([*cuts[:place], t, *cuts[place + 1 :]]) for t in tried])
            if scores.max() > best:
                best = float(scores.max())
                cuts[place] = float(_middle(tried, scores))
        if best == before:
            break
    return [float(cut) for cut in cuts]


def best_thresholds(metric: Metric, targets: np.ndarray, outputs: np.ndarray) -> list[float]:
    """A threshold for each of T labels: first the one that is best for all, then each by coordinate ascent from it.

    Of more than 200 labels the one for all stands: there are too few rows of each to find its own.
    """
    rows = _some(len(targets))
    targets, outputs = targets[rows], np.asarray(outputs[rows], dtype=np.float64)
    sign, n = (1 if metric.greater_is_better else -1), outputs.shape[1]
    grid = np.unique(np.r_[np.linspace(0.02, 0.98, 49), 0.5])
    scores = np.array([sign * metric(targets, (outputs >= t).astype(np.float32)) for t in grid])
    found, best = np.full(n, _middle(grid, scores)), float(scores.max())
    given = _given(metric, targets, outputs >= found)
    for _ in range(_PASSES if n <= _MOST_LABELS else 0):
        before = best
        for label in range(n):
            column = outputs[:, label]
            levels = np.unique(np.quantile(column, np.linspace(0.0, 1.0, 34)))
            tried = (
                (levels[1:] + levels[:-1]) / 2 if len(levels) > 1 else levels
            )  # between values: as far from both as can be
            scores = np.array([sign * given.with_label(label, column >= threshold) for threshold in tried])
            if scores.max() > best + 1e-12:
                best, found[label] = float(scores.max()), _middle(tried, scores)
                given.keep_label(label, column >= found[label])
        if best == before:
            break
    return [float(np.clip(t, 1e-4, 1 - 1e-4)) for t in found]


class _AnyMetric:
    """A `LabelScorer` of a metric that only takes all answers (one's own)."""

    def __init__(self, metric: Metric, targets: np.ndarray, said: np.ndarray) -> None:
        self.metric, self.targets, self.said = metric, targets, said.astype(np.float32)

    def with_label(self, label: int, said: np.ndarray) -> float:
        kept = self.said[:, label].copy()
        self.said[:, label] = said
        value = self.metric(self.targets, self.said)
        self.said[:, label] = kept
        return value

    def keep_label(self, label: int, said: np.ndarray) -> None:
        self.said[:, label] = said


def _given(metric: Metric, targets: np.ndarray, said: np.ndarray) -> LabelScorer:
    scorer: Any = metric.prepare(targets, said.astype(np.float32))
    return scorer if hasattr(scorer, "with_label") else _AnyMetric(metric, targets, said)


def _middle(tried: np.ndarray, scores: np.ndarray) -> float:
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(tried[best[len(best) // 2]])


def _some(n: int) -> np.ndarray:
    """Rows to search on: all, or so many evenly spread."""
    return np.arange(n) if n <= _MOST_ROWS else np.linspace(0, n - 1, _MOST_ROWS).astype(np.int64)
