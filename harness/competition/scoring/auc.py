"""Area under the ROC curve, of two classes and of more, under row weights; exact, and of many cells to first order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.competition.metrics import Scorer


def roc_auc(labels: np.ndarray, proba: np.ndarray) -> Scorer:
    """Two classes: AUC of the second. More: unweighted mean of one class against the rest."""
    classes = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    if len(classes) * len(labels) > EXACT_CELLS:
        return _ManyAucs(labels, proba)
    return _Aucs([BinaryAuc(labels == c, proba[:, c]) for c in classes])


EXACT_CELLS = 500_000  # rows x classes up to which every resample is ranked


class _Aucs:
    """The mean of each class's AUC."""

    def __init__(self, scorers: list[Scorer]) -> None:
        self.scorers = scorers
        self.everything = np.array([scorer(None) for scorer in scorers])

    def __call__(self, weights: np.ndarray | None) -> float:
        return _mean(self.everything if weights is None else np.array([scorer(weights) for scorer in self.scorers]))

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample: a class without a row, or without another's, keeps its AUC over all rows."""
        values = np.array([scorer(weights) for scorer in self.scorers])
        return _mean(np.where(np.isnan(values), self.everything, values))


class _ManyAucs:
    """The same for many classes and rows: resamples by each row's influence on the AUC (DeLong and others 1988), not by ranking.

    AUC is the mean over pairs of a positive and a negative row; of a resample, to first order, it is the sum of every row's own part.
    That costs one ranking per class for all resamples together, and is linear in the classes.
    """

    def __init__(self, labels: np.ndarray, proba: np.ndarray) -> None:
        self.labels, self.proba = labels, proba
        influence, values = np.zeros(len(labels)), []
        for number in range(proba.shape[1]):
            positive = labels == number
            value, parts = auc_parts(positive, np.asarray(proba[:, number], dtype=np.float64))
            if parts is not None:
                influence += parts
                values.append(value)
        self.value = float(np.mean(values)) if values else float("nan")
        self.influence = influence / max(len(values), 1)

    def __call__(self, weights: np.ndarray | None) -> float:
        if weights is None:
            return self.value
        each = [BinaryAuc(self.labels == c, self.proba[:, c])(weights) for c in range(self.proba.shape[1])]
        return _mean(np.array(each))

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample, to first order."""
        return float(np.clip(self.value + self.influence @ (weights - 1), 0, 1))


def auc_parts(positive: np.ndarray, score: np.ndarray) -> tuple[float, np.ndarray | None]:
    """AUC, and float (n,) by how much it changes with each row's weight; None where one side has no row."""
    n_up = int(positive.sum())
    n_down = len(positive) - n_up
    if not n_up or not n_down:
        return float("nan"), None
    order = np.argsort(score, kind="stable")
    up, starts = positive[order], np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    run = np.cumsum(np.bincount(starts, minlength=len(score))) - 1  # which run of equal scores a sorted row is in
    ups, downs = np.add.reduceat(up, starts, dtype=np.float64), np.add.reduceat(~up, starts, dtype=np.float64)
    downs_below = np.cumsum(downs) - downs + downs / 2
    ups_above = n_up - (np.cumsum(ups) - ups) - ups / 2
    parts = np.where(
        up, downs_below[run] / n_down, ups_above[run] / n_up
    )  # how often a row wins against the other side
    value = float(parts[up].mean())
    influence = np.empty(len(score))
    influence[order] = (parts - value) / np.where(up, n_up, n_down)
    return value, influence


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


class BinaryAuc:
    """AUC of two kinds of rows; what only resamples need is made when the first one asks: a search over weights asks for none."""

    def __init__(self, positive: np.ndarray, score: np.ndarray) -> None:
        self.positive, self.score = positive, score

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows by score, which of these are positive, and the first row of each run of equal scores."""
        order = np.argsort(self.score, kind="stable")
        return order, self.positive[order], np.flatnonzero(np.r_[True, np.diff(self.score[order]) > 0])

    def __call__(self, weights: np.ndarray | None) -> float:
        """The value under row weights; NaN where one kind has none."""
        if weights is None:
            return self._unweighted()
        order, positive, starts = self._order
        w = weights[order]
        up, down = np.add.reduceat(w * positive, starts), np.add.reduceat(w * ~positive, starts)
        pairs = up.sum() * down.sum()
        below = np.cumsum(down) - down  # negatives with a lower score; equal ones count half
        return float((up * (below + down / 2)).sum() / pairs) if pairs else float("nan")

    def _unweighted(self) -> float:
        up, down = np.sort(self.score[self.positive]), np.sort(self.score[~self.positive])
        if not len(up) or not len(down):
            return float("nan")
        below = np.searchsorted(down, up, side="left").sum() + np.searchsorted(down, up, side="right").sum()
        return float(below / 2 / (len(up) * len(down)))
