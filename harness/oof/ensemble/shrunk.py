"""Regressions that start from an offset, the members' mean, and leave it only as far as the rows say: for stacking and for corrections.

    output = offset + X d,  d ~ N(0, 1 / strength) a priori

Where rows are few (a rare label) d stays near zero, and what comes out is the mean that was there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Columns = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Of the members' outputs (M, n) for one label or number: the offset (n,), and the columns (n, p) that may correct it."""

_STEPS, _HALVINGS, _CLOSE, _ROUNDS = 30, 12, 1e-9, 5


def logistic(offset: np.ndarray, columns: np.ndarray, truth: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """d float64 (p,) of the likeliest logistic model under the prior, by Newton's method.

    offset : log odds float (n,); columns : float (n, p); truth : 0 or 1, (n,); strength : of the prior, (p,), above 0: the problem is
    convex and has one solution even where all rows are of one kind
    """

    def loss(d: np.ndarray) -> float:
        z = offset + columns @ d
        return float((np.logaddexp(0, z) - truth * z).sum() + (strength * d * d).sum() / 2)

    d, best = np.zeros(columns.shape[1]), loss(np.zeros(columns.shape[1]))
    for _ in range(_STEPS):
        p = sigmoid(offset + columns @ d)
        slope = columns.T @ (p - truth) + strength * d
        curve = (columns * (p * (1 - p))[:, None]).T @ columns + np.diag(strength)
        step, value = np.linalg.solve(curve, slope), best
        for halving in range(_HALVINGS):
            tried = d - step / 2**halving
            value = loss(tried)
            if value < best:
                break
        if not value < best:
            break
        d, best, gain = tried, value, best - value
        if gain <= _CLOSE * (1 + abs(best)):
            break
    return d


def linear(offset: np.ndarray, columns: np.ndarray, truth: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """d float64 (p,) of ridge regression under the prior; the noise's variance, against which the prior is weighed, is what the fit
    itself leaves.

    offset, truth : float (n,); columns : float (n, p); strength : of the prior, (p,), above 0
    """
    left, d = truth - offset, np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        noise = max(float(((left - columns @ d) ** 2).mean()), 1e-12)
        d = np.linalg.solve(columns.T @ columns / noise + np.diag(strength), columns.T @ left / noise)
    return d


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Of log odds; without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))


def log_odds(proba: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """float64, of probabilities kept eps away from 0 and 1."""
    clipped = np.clip(np.asarray(proba, dtype=np.float64), eps, 1 - eps)
    return np.asarray(np.log(clipped / (1 - clipped)))
