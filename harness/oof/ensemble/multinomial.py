"""Logistic regression of many classes, regularised, by quasi-Newton steps in coordinates in which all directions are alike.

What scikit-learn's `LogisticRegression(C=1 / strength)` finds on the same columns, in a fraction of its steps: models' log
probabilities are nearly copies of each other, and on such columns plain L-BFGS takes more steps than it is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.scoring.temperature import softmax
from harness.oof.ensemble.shrunk import logistic, sigmoid

_STEPS, _CLOSE = 500, 1e-7
_FREE = 1e-6  # strength of the prior on a bias, next to nothing


@dataclass(frozen=True)
class Multinomial:
    """A fitted model.

    Attributes
    ----------
    classes : int64 (k,), those that were seen
    weights, bias : float64 (p, k) and (k,); of two classes (p, 1) and (1,), the log odds of the second
    """

    classes: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, columns: np.ndarray) -> np.ndarray:
        """float64 (n, k) of columns float (n, p)."""
        logits = np.asarray(columns @ self.weights + self.bias, dtype=np.float64)
        if len(self.classes) == 2:
            second = sigmoid(logits[:, 0])
            return np.stack([1 - second, second], axis=1)
        return softmax(logits)


def fit_multinomial(columns: np.ndarray, labels: np.ndarray, strength: float) -> Multinomial:
    """The likeliest model under a normal prior of that strength on every weight; biases are free.

    Parameters
    ----------
    columns : float (n, p)
    labels : int64 (n,); classes that no row has get no probability
    strength : one over the prior's variance, above 0
    """
    classes, truth = np.unique(labels, return_inverse=True)
    if len(classes) == 1:
        return Multinomial(classes, np.zeros((columns.shape[1], 1)), np.zeros(1))
    if len(classes) == 2:
        whole = np.column_stack([columns, np.ones(len(columns))]).astype(np.float64)
        prior = np.r_[np.full(columns.shape[1], strength), _FREE]
        found = logistic(np.zeros(len(columns)), whole, truth, prior)
        return Multinomial(classes, found[:-1, None], found[-1:])
    return _of_many(columns, classes, truth, strength)


def _of_many(columns: np.ndarray, classes: np.ndarray, truth: np.ndarray, strength: float) -> Multinomial:
    from scipy.optimize import minimize

    n, k, rows = len(columns), len(classes), np.arange(len(columns))
    middle = columns.mean(axis=0, dtype=np.float64)
    centred = (columns - middle).astype(np.float32)
    spread, axes = np.linalg.eigh(np.asarray(centred.T @ centred, dtype=np.float64) / n)
    inputs = centred @ axes.astype(np.float32)
    share = np.bincount(truth) / n
    sure = share * (1 - share)  # how much a class's loss bends, at most
    unit = 1 / np.sqrt(np.maximum(spread, 0.0)[:, None] * sure + strength / n)  # (p, k): where it bends by one
    unit_of_bias = 1 / np.sqrt(sure)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = x[:-k].reshape(-1, k) * unit, x[-k:] * unit_of_bias
        logits = inputs @ weights.astype(np.float32) + bias.astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        own = logits[rows, truth].astype(np.float64)
        p = np.exp(logits, out=logits)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        p[rows, truth] -= 1
        value = float((np.log(total[:, 0].astype(np.float64)) - own).mean() + 0.5 * strength / n * (weights**2).sum())
        slope = (inputs.T @ p / n + strength / n * weights) * unit
        return value, np.r_[slope.ravel(), p.sum(axis=0) / n * unit_of_bias].astype(np.float64)

    begin = np.zeros(unit.size + k)
    begin[-k:] = (np.log(share) - np.log(share).mean()) / unit_of_bias
    options = {"maxiter": _STEPS, "ftol": _CLOSE, "gtol": 1e-6, "maxcor": 10}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x
    weights = axes @ (found[:-k].reshape(-1, k) * unit)
    return Multinomial(classes, weights, found[-k:] * unit_of_bias - middle @ weights)
