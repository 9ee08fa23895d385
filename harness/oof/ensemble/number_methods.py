"""Ways to combine predicted numbers, each number for itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.metrics import Metric
from harness.competition.tasks.task import spreads
from harness.oof.ensemble.label_methods import CLIMB
from harness.oof.ensemble.methods import Fitted, Method, climbing, mean, nothing, weighted
from harness.oof.ensemble.shrunk import Columns, linear

_STRENGTH, _OF_SHIFT = 10.0, 1.0  # a priori a weight is 1 / M +- 0.3, a shift +- 1 standard deviation


def _median(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    return np.median(proba.astype(np.float64), axis=0)


@dataclass(frozen=True)
class _Corrected:
    """A ridge regression for each of K numbers.

    Attributes
    ----------
    middle, spread : float (K,), what numbers are scaled by; low, high : (K,) of the targets, beyond which nothing is predicted
    d : float (K, p)
    """

    middle: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    d: np.ndarray


def _stacked(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one number's predictions (M, n): the mean, and the models beside a shift."""
    return scaled.mean(axis=0), np.vstack([scaled, np.ones(scaled.shape[1])]).T


def _scaled_mean(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _stacked(scaled.mean(axis=0, keepdims=True))


def _correction(name: str, says: str, columns_of: Columns) -> Method:

    def scaled(proba: np.ndarray, number: int, middle: float, spread: float) -> np.ndarray:
        return (proba[:, :, number].astype(np.float64) - middle) / spread

    def fit(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> _Corrected:
        middle, spread, found = labels.mean(axis=0, dtype=np.float64), spreads(labels.astype(np.float64)), []
        for number in range(labels.shape[1]):
            offset, columns = columns_of(scaled(proba, number, middle[number], spread[number]))
            strength = np.r_[np.full(columns.shape[1] - 1, _STRENGTH), _OF_SHIFT]
            found.append(linear(offset, columns, (labels[:, number] - middle[number]) / spread[number], strength))
        return _Corrected(middle, spread, labels.min(axis=0), labels.max(axis=0), np.array(found))

    def apply(proba: np.ndarray, fitted: Fitted) -> np.ndarray:
        out = np.empty(proba.shape[1:])
        for number, d in enumerate(fitted.d):
            middle, spread = fitted.middle[number], fitted.spread[number]
            offset, columns = columns_of(scaled(proba, number, middle, spread))
            out[:, number] = middle + spread * (offset + columns @ d)
        return np.asarray(np.clip(out, fitted.low, fitted.high))

    return Method(name, says, fit, apply)


NUMBER_METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("mean", "mean of numbers", nothing, mean, learns=False),
        Method("median", "median of numbers", nothing, _median, learns=False),
        Method("hill_climbing", "weights by hill climbing on the metric", climbing(1, **CLIMB), weighted, weights=lambda w: w),
        Method("bagged_climbing", "the same on ten random halves of the models", climbing(10, **CLIMB), weighted, weights=lambda w: w),
        _correction("stacking", "ridge regression on the models' numbers", _stacked),
        _correction("scaling", "the mean, scaled and shifted", _scaled_mean),
    )
}  # fmt: skip
"""By name, the plain mean first."""
