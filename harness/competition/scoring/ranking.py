"""Metrics of the order that outputs put rows or classes in, under row weights."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from harness.competition.metrics import Scorer, argmax_rows
from harness.competition.scoring.answers import Weighted
from harness.competition.scoring.auc import EXACT_CELLS, BinaryAuc, auc_parts


def label_auc(truth: np.ndarray, outputs: np.ndarray, average: str) -> Scorer:
    """ROC AUC of several labels: the mean over columns ('macro'), weighted by their positives, or of all cells ('micro')."""
    return _PerColumn(truth, outputs, BinaryAuc, average, auc_parts)


def label_average_precision(truth: np.ndarray, outputs: np.ndarray, average: str) -> Scorer:
    """Average precision of several labels, as scikit-learn's `average_precision_score`."""
    return _PerColumn(truth, outputs, average_precision, average, average_precision_parts)


Parts = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray | None]]
"""(positive bool (n,), score float (n,)) -> the value, and by how much it changes with each row's weight; None where it is not defined."""


class _PerColumn:
    """A mean over columns of a ranking metric; a column without both kinds of rows keeps its value, or has none and is left out.

    Of many cells the resamples of the plain mean go by each row's influence, as those of an AUC of many classes do: one ranking of each
    column for all of them together.
    """

    def __init__(
        self,
        truth: np.ndarray,
        outputs: np.ndarray,
        of_column: Callable[[np.ndarray, np.ndarray], Scorer],
        average: str,
        parts: Parts,
    ) -> None:
        self.truth = np.asarray(truth) >= 0.5
        self.average, self.columns = average, self.truth.shape[1]
        if average == "micro":
            self.scorers = [of_column(self.truth.ravel(), np.asarray(outputs, dtype=np.float64).ravel())]
        else:
            columns = range(self.columns)
            self.scorers = [of_column(self.truth[:, c], np.asarray(outputs[:, c], np.float64)) for c in columns]
        self.everything = np.array([scorer(None) for scorer in self.scorers])
        self.outputs, self.parts = outputs, parts
        self.exact = average != "macro" or self.truth.size <= EXACT_CELLS

    @functools.cached_property
    def _influence(self) -> np.ndarray:
        """By how much the mean changes with each row's weight, float (n,)."""
        columns = (np.asarray(self.outputs[:, c], dtype=np.float64) for c in range(self.columns))
        found = [self.parts(self.truth[:, c], column)[1] for c, column in enumerate(columns)]
        known = [part for part in found if part is not None]
        return np.asarray(np.sum(known, axis=0) / len(known)) if known else np.zeros(len(self.truth))

    def _each(self, weights: np.ndarray | None) -> np.ndarray:
        if weights is None:
            return self.everything
        if self.average == "micro":
            weights = np.repeat(weights, self.columns)
        return np.array([scorer(weights) for scorer in self.scorers])

    def _mean(self, values: np.ndarray, weights: np.ndarray | None) -> float:
        if self.average == "micro":
            return float(values[0])
        shares = np.ones(self.columns)
        if self.average == "weighted":
            shares = (np.ones(len(self.truth)) if weights is None else weights) @ self.truth
        known = ~np.isnan(values) & (shares > 0)
        return float(np.average(values[known], weights=shares[known])) if known.any() else float("nan")

    def __call__(self, weights: np.ndarray | None) -> float:
        return self._mean(self._each(weights), weights)

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample; of many cells to first order."""
        if not self.exact:
            return float(np.clip(self(None) + self._influence @ (weights - 1), 0, 1))
        values = self._each(weights)
        return self._mean(np.where(np.isnan(values), self.everything, values), weights)


def average_precision(positive: np.ndarray, score: np.ndarray) -> Scorer:
    """Sum over thresholds of precision times the gain in recall; positive bool (n,), score float (n,)."""
    order = np.argsort(-score, kind="stable")
    up = positive[order]
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])  # last row of each run of equal scores

    def value(weights: np.ndarray | None) -> float:
        w = np.ones(len(order)) if weights is None else weights[order]
        hits, seen = np.cumsum(w * up)[ends], np.cumsum(w)[ends]
        if not hits[-1]:
            return float("nan")
        precision = np.divide(hits, seen, out=np.zeros(len(ends)), where=seen > 0)
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])

    return value


def average_precision_parts(positive: np.ndarray, score: np.ndarray) -> tuple[float, np.ndarray | None]:
    """Average precision, and float (n,) by how much it changes with each row's weight; None where no row is positive.

    It is the mean over positives of the precision down to each: a row changes it by being a positive itself, and by the precision of
    every positive that does not stand above it.
    """
    n_up = int(positive.sum())
    if not n_up:
        return float("nan"), None
    order = np.argsort(-score, kind="stable")
    up = positive[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])  # first row of each run of equal scores
    run = np.cumsum(np.bincount(starts, minlength=len(score))) - 1
    ups = np.add.reduceat(up, starts)
    seen = np.r_[starts[1:], len(score)]
    precision = np.cumsum(ups) / seen
    value = float(ups @ precision / n_up)
    below = np.cumsum((ups / seen)[::-1])[::-1]  # of each run and those after it: what one more positive above adds
    lost = np.cumsum((ups * precision / seen)[::-1])[::-1]
    influence = np.empty(len(score))
    influence[order] = (up * (precision[run] - value + below[run]) - lost[run]) / n_up
    return value, influence


def partial_auc(positive: np.ndarray, score: np.ndarray, min_tpr: float) -> Scorer:
    """Area under the ROC curve above a true-positive rate, in [0, 1 - min_tpr] (ISIC 2024's metric)."""
    order = np.argsort(-score, kind="stable")
    up = positive[order]
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])

    def value(weights: np.ndarray | None) -> float:
        w = np.ones(len(order)) if weights is None else weights[order]
        tp, fp = np.r_[0.0, np.cumsum(w * up)[ends]], np.r_[0.0, np.cumsum(w * ~up)[ends]]
        if not tp[-1] or not fp[-1]:
            return float("nan")
        tpr, fpr = tp / tp[-1], fp / fp[-1]
        above = np.maximum(tpr, min_tpr) - min_tpr
        cut = np.interp(min_tpr, tpr, fpr)  # where the curve crosses the rate
        inside = tpr >= min_tpr
        x, y = np.r_[cut, fpr[inside]], np.r_[0.0, above[inside]]
        return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2)

    return value


def mean_average_precision_at(labels: np.ndarray, outputs: np.ndarray, k: int) -> Scorer:
    """MAP@k: of exclusive classes 1 / rank of the true one among the k likeliest, else 0; of several labels the mean of
    precision at each true one among them, over at most k."""
    top = top_classes(outputs, k)
    if labels.ndim == 1:
        places = top == labels[:, None]
        return Weighted(np.where(places.any(axis=1), 1 / (places.argmax(axis=1) + 1), 0.0))
    hit = np.take_along_axis(np.asarray(labels) >= 0.5, top, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, top.shape[1] + 1)
    wanted = np.minimum((np.asarray(labels) >= 0.5).sum(axis=1), k)
    return Weighted((precision * hit).sum(axis=1) / np.maximum(wanted, 1))


def top_k_accuracy(labels: np.ndarray, outputs: np.ndarray, k: int) -> Scorer:
    """Share of the rows whose class is among the k likeliest."""
    return Weighted((top_classes(outputs, k) == labels[:, None]).any(axis=1))


def top_classes(outputs: np.ndarray, k: int) -> np.ndarray:
    """The k likeliest classes of each row, likeliest first, int64 (n, min(k, C)); of equal ones the first."""
    k = min(k, outputs.shape[1])
    found = np.empty((len(outputs), k), dtype=np.int64)
    step = max((1 << 22) // outputs.shape[1], 1)
    for start in range(0, len(outputs), step):
        part = -np.asarray(outputs[start : start + step], dtype=np.float64)
        found[start : start + step] = np.argsort(part, axis=1, kind="stable")[:, :k]
    return found


def global_average_precision(labels: np.ndarray, outputs: np.ndarray) -> Scorer:
    """GAP (micro average precision at 1): rows in the order of their likeliest class's probability, the precision up to each row that
    is right, summed, over all rows. Perronnin and others 2009; the metric of the landmark recognition competitions."""
    best = argmax_rows(outputs)
    order = np.argsort(-np.asarray(outputs[np.arange(len(best)), best], dtype=np.float64), kind="stable")
    hit = (best == labels)[order]

    def value(weights: np.ndarray | None) -> float:
        w = np.ones(len(order)) if weights is None else weights[order]
        seen, found = np.cumsum(w), np.cumsum(w * hit)
        precision = np.divide(found, seen, out=np.zeros(len(w)), where=seen > 0)
        return float((w * hit * precision).sum() / seen[-1])

    return value
