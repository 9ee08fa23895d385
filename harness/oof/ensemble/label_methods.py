"""Ways to combine probabilities of labels, each label for itself: they do not sum to one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.competition.metrics import Metric
from harness.competition.tasks.answering import majority_of_labels
from harness.oof.ensemble.methods import Fitted, Method, climbing, mean, nothing, weighted
from harness.oof.ensemble.shrunk import Columns, log_odds, logistic, sigmoid

CLIMB = {"cells": 200_000, "patience": 10}
"""Bounds of a climb (see `hill_climb`) by metrics that must be called for each model in each round."""

_STRENGTH, _OF_SHIFT = 10.0, 1.0  # a priori a weight is 1 / M +- 0.3, log odds are shifted by +- 1


def _ranks(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    from scipy.stats import rankdata

    total = np.zeros(proba.shape[1:])
    for model in proba:
        total += rankdata(model, axis=0) / len(model)
    return total / len(proba)


def _odds(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    total = np.zeros(proba.shape[1:])
    for model in proba:
        total += log_odds(model)
    return sigmoid(total / len(proba))


def _vote(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    return majority_of_labels(list(proba))


def _stacked(of_label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    members = log_odds(of_label)
    return members.mean(axis=0), np.vstack([members, np.ones(members.shape[1])]).T


def _of_mean(of_label: np.ndarray) -> np.ndarray:
    return log_odds(of_label.mean(axis=0, dtype=np.float64))


def _sharpened(of_label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    odds = _of_mean(of_label)
    return odds, odds[:, None]


def _shifted(of_label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    odds = _of_mean(of_label)
    return odds, np.ones((len(odds), 1))


def _fit(columns_of: Columns, shifts: bool) -> Callable[[np.ndarray, np.ndarray, Metric], np.ndarray]:
    """A `fit` that corrects each label by `logistic`: d float64 (T, p); `shifts`: the last column is a shift."""

    def fit(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> np.ndarray:
        found = []
        for label in range(proba.shape[2]):
            offset, columns = columns_of(proba[:, :, label])
            strength = np.full(columns.shape[1], _STRENGTH)
            if shifts:
                strength[-1] = _OF_SHIFT
            found.append(logistic(offset, columns, labels[:, label], strength))
        return np.array(found)

    return fit


def _apply(columns_of: Columns) -> Callable[[np.ndarray, Fitted], np.ndarray]:
    def apply(proba: np.ndarray, fitted: Fitted) -> np.ndarray:
        out = np.empty(proba.shape[1:])
        for label, d in enumerate(fitted):
            offset, columns = columns_of(proba[:, :, label])
            out[:, label] = sigmoid(offset + columns @ d)
        return out

    return apply


LABEL_METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("mean", "mean of probabilities", nothing, mean, learns=False),
        Method("vote", "each label by majority: the median probability", nothing, _vote, learns=False),
        Method("logit_mean", "mean of log odds", nothing, _odds, learns=False),
        Method("rank_mean", "mean of ranks", nothing, _ranks, learns=False),
        Method("hill_climbing", "weights by hill climbing on the metric", climbing(1, **CLIMB), weighted, weights=lambda w: w),
        Method("bagged_climbing", "the same on ten random halves of the models", climbing(10, **CLIMB), weighted, weights=lambda w: w),
        Method("stacking", "each label by logistic regression on the models' log odds", _fit(_stacked, True), _apply(_stacked)),
        Method("temperature", "the mean, each label sharpened or softened", _fit(_sharpened, False), _apply(_sharpened)),
        Method("priors", "the mean with a factor on each label's odds", _fit(_shifted, True), _apply(_shifted)),
    )
}  # fmt: skip
"""By name, the plain mean first."""
