"""Metrics of numbers: probabilities held against what was, and predicted numbers against true ones, under row weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.competition.metrics import Scorer
from harness.competition.scoring.answers import Weighted

EPS = 1e-7
"""Probabilities are stored as float32; a log loss of exact zeros would be infinite. Platforms clip at other values: `eps`."""


def class_log_loss(labels: np.ndarray, proba: np.ndarray, eps: float, weights: Sequence[float] | None) -> Scorer:
    """-log of the true class's probability; with a weight for each class, the weighted mean over the rows."""
    own = np.asarray(proba)[np.arange(len(labels)), labels].astype(np.float64)
    losses = -np.log(np.clip(own, eps, 1 - eps if eps > 1e-12 else 1.0))
    if weights is None:
        return Weighted(losses)
    return _MeanByWeights(losses, np.asarray(weights, dtype=np.float64)[labels])


class _MeanByWeights:
    def __init__(self, values: np.ndarray, share: np.ndarray) -> None:
        self.values, self.share = values, share

    def __call__(self, weights: np.ndarray | None) -> float:
        w = self.share if weights is None else self.share * weights
        return float(np.average(self.values, weights=w)) if w.sum() else float("nan")


def label_log_loss(truth: np.ndarray, outputs: np.ndarray, eps: float, weights: Sequence[float] | None) -> Scorer:
    """Mean over columns of each label's log loss; with weights of the columns, their weighted mean."""
    p = np.clip(np.asarray(outputs, dtype=np.float64), eps, 1 - eps)
    losses = -(truth * np.log(p) + (1 - truth) * np.log(1 - p))
    return Weighted(np.average(losses, axis=1, weights=weights))


def class_brier(labels: np.ndarray, proba: np.ndarray) -> Scorer:
    """Of two classes the squared error of the second's probability; of more the sum over the classes (Brier 1950)."""
    p = np.asarray(proba, dtype=np.float64)
    if p.shape[1] == 2:
        return Weighted((p[:, 1] - labels) ** 2)
    return Weighted((p**2).sum(axis=1) - 2 * p[np.arange(len(labels)), labels] + 1)


def label_brier(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """Mean squared error of the labels' probabilities."""
    return Weighted(((np.asarray(outputs, np.float64) - truth) ** 2).mean(axis=1))


def probabilistic_f(labels: np.ndarray, positive: np.ndarray, beta: float) -> Scorer:
    """F-beta of probabilities instead of answers (Yacouby and Axman 2020), as RSNA's breast cancer competition has it."""
    p, y = np.clip(np.asarray(positive, np.float64), 0, 1), labels.astype(np.float64)

    def value(weights: np.ndarray | None) -> float:
        w = np.ones(len(y)) if weights is None else weights
        hits, truth, said = (w * p * y).sum(), (w * y).sum(), (w * p).sum()
        below = beta**2 * truth + said
        return float((1 + beta**2) * hits / below) if below else 0.0

    return value


def root_mean_square(truth: np.ndarray, outputs: np.ndarray, per_column: bool = False) -> Scorer:
    """RMSE over all numbers, or the mean over columns of each one's (MCRMSE)."""
    squares = (np.asarray(outputs, np.float64) - truth) ** 2
    return _Rooted(squares if per_column else squares.mean(axis=1, keepdims=True))


class _Rooted:
    def __init__(self, squares: np.ndarray) -> None:
        self.squares = squares

    def __call__(self, weights: np.ndarray | None) -> float:
        return float(np.sqrt(np.average(self.squares, axis=0, weights=weights)).mean())


def mean_absolute(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """MAE over all numbers."""
    return Weighted(np.abs(np.asarray(outputs, np.float64) - truth).mean(axis=1))


def root_mean_square_log(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """RMSE of log(1 + number); negative predictions count as 0."""
    logs = np.log1p(np.maximum(np.asarray(outputs, np.float64), 0)) - np.log1p(np.maximum(truth, 0))
    return _Rooted((logs**2).mean(axis=1, keepdims=True))


class _Moments:
    """A value of each column's weighted moments of truth and prediction, and its mean over the columns.

    A column that is constant in a bootstrap resample says nothing there: it keeps the value that it has over all rows.

    Parameters
    ----------
    value : (truth (n, K), prediction (n, K), weights (n, 1) that sum to one) -> value of each column (K,)
    varies : (whether truth does (K,), whether prediction does (K,)) -> for which columns the value is defined, bool (K,)
    fallback : (truth, prediction) -> what is agreed on for the others (K,)
    """

    def __init__(
        self,
        truth: np.ndarray,
        outputs: np.ndarray,
        value: Callable[..., np.ndarray],
        varies: Callable[..., np.ndarray],
        fallback: Callable[..., np.ndarray],
    ) -> None:
        self.truth, self.outputs = np.asarray(truth, np.float64), np.asarray(outputs, np.float64)
        self.value, self.varies, self.fallback = value, varies, fallback
        self.everything = self._each(np.ones(len(self.truth)), None)

    def __call__(self, weights: np.ndarray | None) -> float:
        return float((self.everything if weights is None else self._each(weights, None)).mean())

    def resampled(self, weights: np.ndarray) -> float:
        """The value of a bootstrap resample."""
        return float(self._each(weights, self.everything).mean())

    def _each(self, weights: np.ndarray, constant: np.ndarray | None) -> np.ndarray:
        """The value of each column (K,); constant : values of those for which none is defined, None = what is agreed on."""
        rows = weights > 0  # whether a column is constant is seen exactly: its moments may be off zero by rounding
        y, p, w = self.truth[rows], self.outputs[rows], weights[rows, None] / weights.sum()
        known = self.varies((y != y[:1]).any(axis=0), (p != p[:1]).any(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.value(y, p, w)
        return np.asarray(np.where(known, found, self.fallback(y, p) if constant is None else constant))


def explained(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """R2, the mean over columns; 0 for a constant column that is not met, 1 for one that is, as scikit-learn has it."""

    def r2(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.asarray(1 - (w * (y - p) ** 2).sum(axis=0) / (w * (y - (w * y).sum(axis=0)) ** 2).sum(axis=0))

    return _Moments(truth, outputs, r2, lambda of_y, of_p: of_y, lambda y, p: (y == p).all(axis=0).astype(np.float64))


def pearson(truth: np.ndarray, outputs: np.ndarray) -> Scorer:
    """Pearson's correlation, the mean over columns; 0 where one side is constant."""

    def r(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> np.ndarray:
        y, p = y - (w * y).sum(axis=0), p - (w * p).sum(axis=0)
        return np.asarray((w * y * p).sum(axis=0) / np.sqrt((w * y**2).sum(axis=0) * (w * p**2).sum(axis=0)))

    return _Moments(truth, outputs, r, lambda of_y, of_p: of_y & of_p, lambda y, p: np.zeros(y.shape[1]))
