"""What an ensemble is worth: fitted on the other folds, scored on this one; the in-sample score stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition.metrics import Metric, paired
from harness.oof.ensemble.methods import Method, methods_of
from harness.oof.predictions import Predictions


@dataclass(frozen=True)
class CrossFitted:
    """An ensemble by one method.

    Attributes
    ----------
    method : how
    oof : float64 (n, C), each row by what was fitted on the other folds
    fitted : what was fitted on all kept rows; it makes the test predictions
    fitted_without : for each fold what was fitted on the others; it made that fold's rows of `oof`
    score, in_sample : of the cross-fitted rows, and of what was fitted and scored on all rows
    low, high : 95 % interval of the score
    gain, gain_low, gain_high : over the plain mean, with its 95 % interval (paired bootstrap over groups)
    """

    method: Method
    oof: np.ndarray
    fitted: Any
    fitted_without: list[Any]
    score: float
    in_sample: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float

    @property
    def is_noise(self) -> bool:
        """Whether the gain over the plain mean may be chance: its interval holds zero."""
        return self.method.name != "mean" and self.gain_low <= 0 <= self.gain_high


def cross_fit(predictions: Predictions, metric: Metric, names: list[str] | None = None) -> list[CrossFitted]:
    """Every method (or the named ones), the plain mean first."""
    methods = methods_of(predictions.task)
    chosen = ["mean", *(n for n in names or methods if n != "mean")]
    kept = np.flatnonzero(predictions.folds.kept)
    plain = methods["mean"].apply(predictions.oof, None)
    return [_one(methods[name], predictions, metric, kept, plain) for name in chosen]


def _one(method: Method, predictions: Predictions, metric: Metric, kept: np.ndarray, plain: np.ndarray) -> CrossFitted:
    labels = predictions.labels
    fitted = method.fit(predictions.oof[:, kept], labels[kept], metric)
    k = predictions.folds.k
    if method.learns:
        fitted_without = [_fit_without(fold, method, predictions, metric) for fold in range(k)]
        oof = _by_fold(method, predictions, fitted_without)
        in_sample = metric(labels[kept], method.apply(predictions.oof[:, kept], fitted))
    else:
        fitted_without = [fitted] * k
        oof = method.apply(predictions.oof, fitted)
        in_sample = metric(labels[kept], oof[kept])
    groups = predictions.folds.groups[kept]
    score, low, high, gain, gain_low, gain_high = paired(metric, labels[kept], oof[kept], plain[kept], groups)
    return CrossFitted(method, oof, fitted, fitted_without, score, in_sample, low, high, gain, gain_low, gain_high)


def _fit_without(fold: int, method: Method, predictions: Predictions, metric: Metric) -> Any:
    """What the kept rows of the other folds teach."""
    train = predictions.folds.train_rows(fold)
    return method.fit(predictions.oof[:, train], predictions.labels[train], metric)


def _by_fold(method: Method, predictions: Predictions, fitted_without: list[Any]) -> np.ndarray:
    """float64 (n, C): each fold's rows, excluded ones too, by what the other folds taught."""
    out = np.empty(predictions.oof.shape[1:])
    for fold, fitted in enumerate(fitted_without):
        valid = predictions.folds.valid_rows(fold)
        out[valid] = method.apply(predictions.oof[:, valid], fitted)
    return out
