"""Ways to make one prediction of several models': each is fitted on some rows and applied to others. Here for one of several classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition.metrics import Metric
from harness.competition.scoring.temperature import calibrated, fitted_temperature, softmax
from harness.competition.tasks.answering import majority
from harness.oof.ensemble.hill_climbing import hill_climb
from harness.oof.ensemble.multinomial import Multinomial, fit_multinomial

_EPS = 1e-6
_STRENGTH = 100.0  # of stacking's prior
_MOST_WEIGHTS, _MOST_STEP = 1e7, 3e10  # of stacking: 2 GB; some minutes for each fold
_MOST_SEARCHED = 30  # classes

Fitted = Any
"""What a method learnt: weights, a temperature, a classifier; None where there is nothing to learn."""


@dataclass(frozen=True)
class Method:
    """A way to combine M models.

    Attributes
    ----------
    name : for tables and options
    says : what it does, in a line
    fit : (proba (M, n, C), labels (n,), metric) -> Fitted
    apply : (proba (M, n, C), Fitted) -> float64 (n, C), rows sum to one
    learns : whether `fit` looks at labels; only such methods can be too optimistic in sample
    weights : Fitted -> weights (M,) of the members, where it has such
    cost : (models M, rows n, classes C) -> what it is predicted to cost, over what is borne unasked: above 1 it is tried only where it is
        asked for by name; default: it is cheap
    """

    name: str
    says: str
    fit: Callable[[np.ndarray, np.ndarray, Metric], Fitted]
    apply: Callable[[np.ndarray, Fitted], np.ndarray]
    learns: bool = True
    weights: Callable[[Fitted], np.ndarray] | None = None
    cost: Callable[[int, int, int], float] | None = None

    def bears(self, models: int, rows: int, classes: int) -> bool:
        """Whether it is tried, unasked, with so much."""
        return self.cost is None or self.cost(models, rows, classes) <= 1


def nothing(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> None:
    """A `fit` of what has nothing to learn."""
    return None


def mean(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    """Mean of probabilities."""
    return proba.mean(axis=0, dtype=np.float64)


def _vote(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    return majority(list(proba))


def geometric_mean(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    """Geometric mean, scaled to sum to one: the softmax of the mean of the models' log probabilities."""
    total = np.zeros(proba.shape[1:])
    for model in proba:
        total += np.log(np.clip(model, _EPS, 1.0), dtype=np.float64)
    return softmax(total / len(proba))


def logit_mean(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    """Mean of each class's log odds, back to probabilities, scaled to sum to one."""
    total = np.zeros(proba.shape[1:])
    for model in proba:
        clipped = np.clip(model.astype(np.float64), _EPS, 1 - _EPS)
        total += np.log(clipped / (1 - clipped))
    odds = 1 / (1 + np.exp(-total / len(proba)))
    return odds / odds.sum(axis=1, keepdims=True)


def rank_mean(proba: np.ndarray, fitted: Fitted = None) -> np.ndarray:
    """Mean over the models of each class's rank among the rows, in (0, 1], scaled to sum to one; suits AUC."""
    from scipy.stats import rankdata

    total = np.zeros(proba.shape[1:])
    for model in proba:
        total += rankdata(model, axis=0) / len(model)
    return total / total.sum(axis=1, keepdims=True)


def weighted(proba: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of the models (M, n, C), each by its weight."""
    total = np.zeros(proba.shape[1:])
    for model, weight in zip(proba, weights, strict=True):
        if weight:
            total += weight * model
    return total


def climbing(bags: int, **options: Any) -> Callable[[np.ndarray, np.ndarray, Metric], np.ndarray]:
    """A `fit` that finds weights by `hill_climb`; options are its own."""

    def fit(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> np.ndarray:
        return hill_climb(proba, labels, metric, rounds=50, bags=bags, **options).weights

    return fit


def convex_weights(proba: np.ndarray, labels: np.ndarray, metric: Metric, steps: int = 500) -> np.ndarray:
    """Weights (M,) >= 0 that sum to one and minimise the log loss of the weighted mean.

    A convex problem; the EM algorithm for the shares of a mixture never steps up and needs no step size.
    """
    rows = np.arange(len(labels))
    true = np.stack([np.clip(model[rows, labels], _EPS, 1.0) for model in proba]).astype(np.float64)  # (M, n)
    weights = np.full(len(proba), 1 / len(proba))
    for _ in range(steps):
        shares = weights[:, None] * true
        new = (shares / shares.sum(axis=0)).mean(axis=1)
        if np.abs(new - weights).max() < 1e-6:
            break
        weights = new
    return weights


def _fit_stack(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> Multinomial:
    """Multinomial logistic regression on the models' log probabilities, strongly regularised."""
    return fit_multinomial(_logs(proba), labels, _STRENGTH)


def _apply_stack(proba: np.ndarray, fitted: Multinomial) -> np.ndarray:
    out = np.zeros(proba.shape[1:])
    out[:, fitted.classes] = fitted.probabilities(_logs(proba))
    return out


def _cost_of_stack(models: int, rows: int, classes: int) -> float:
    """By the weights, of which quasi-Newton steps hold about 25 copies in float64, and by what a step costs for each row."""
    weights = models * classes**2
    return max(weights / _MOST_WEIGHTS, rows * weights / _MOST_STEP)


def _cost_of_priors(models: int, rows: int, classes: int) -> float:
    """Its search scores all rows anew for each class, again and again."""
    return classes / _MOST_SEARCHED


def _logs(proba: np.ndarray) -> np.ndarray:
    logs = np.log(np.clip(proba, 1e-4, 1.0))  # (M, n, C)
    return logs.transpose(1, 0, 2).reshape(proba.shape[1], -1)


def fit_temperature(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> float:
    """Temperature of the mean; it changes no predicted class."""
    return fitted_temperature(mean(proba), labels)


def _apply_temperature(proba: np.ndarray, temperature: float) -> np.ndarray:
    return calibrated(mean(proba), temperature)


def fit_priors(proba: np.ndarray, labels: np.ndarray, metric: Metric, sweeps: int = 3) -> np.ndarray:
    """Factors (C,) on the mean's classes that raise the metric most, by coordinate search: thresholds for many classes.

    With two classes it is the decision threshold; for balanced accuracy it finds about one over the class's share.
    """
    blend = mean(proba)
    factors = np.ones(blend.shape[1])
    sign = 1 if metric.greater_is_better else -1
    best = sign * metric(labels, blend)
    for _ in range(sweeps):
        for number in range(len(factors)):
            for step in _FACTORS:
                tried = factors.copy()
                tried[number] *= step
                score = sign * metric(labels, _scaled(blend, tried))
                if score > best:
                    best, factors = score, tried
    return factors / factors.max()


_FACTORS = (0.5, 0.7, 0.85, 0.93, 1.08, 1.18, 1.43, 2.0)


def _scaled(blend: np.ndarray, factors: np.ndarray) -> np.ndarray:
    scaled = blend * factors
    return scaled / scaled.sum(axis=1, keepdims=True)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("mean", "mean of probabilities", nothing, mean, learns=False),
        Method("vote", "majority vote, ties by mean probability", nothing, _vote, learns=False),
        Method("geometric_mean", "geometric mean of probabilities", nothing, geometric_mean, learns=False),
        Method("logit_mean", "mean of log odds", nothing, logit_mean, learns=False),
        Method("rank_mean", "mean of ranks", nothing, rank_mean, learns=False),
        Method("hill_climbing", "weights by hill climbing on the metric", climbing(1), weighted, weights=lambda w: w),
        Method("bagged_climbing", "the same on ten random halves of the models", climbing(10), weighted, weights=lambda w: w),
        Method("convex", "weights by the log loss", convex_weights, weighted, weights=lambda w: w),
        Method("stacking", "logistic regression on log probabilities", _fit_stack, _apply_stack, cost=_cost_of_stack),
        Method("temperature", "the mean, sharpened or softened", fit_temperature, _apply_temperature),
        Method("priors", "the mean with a factor per class for the metric", fit_priors, lambda p, f: _scaled(mean(p), f), cost=_cost_of_priors),
    )
}  # fmt: skip
"""Every way to combine classes' probabilities, by name; the plain mean first, since the others are held against it."""
