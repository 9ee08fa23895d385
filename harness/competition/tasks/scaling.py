"""Scaling of probabilities, so that they are as sure as they are right: one temperature, or a scale and a bias for each class.

Found on OOF by the log loss (Guo and others 2017; on log probabilities, as Kull and others 2019 do) and cross-fitted. Both are drawn
towards the identity by a normal prior, so that few rows, rare classes and classes without a row move little: a temperature towards 1,
a class's scale towards the common one, its bias towards 0. Of several labels log odds take the place of log probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.competition.metrics import Metric, Resampled
from harness.competition.scoring.calibration import believed, bins, ece_of

Scaling = dict[str, list[float]]
"""{"scale", "bias"}: of the log probabilities (of labels: log odds), one number for all columns or one for each."""

NONE, METHODS = "none", ("temperature", "vector")
_LEAST = 1e-12  # probabilities below it (a network that is never in doubt) say no more
_MOST_CELLS = 1 << 26  # of a larger table nothing is scaled
_FITTED_CELLS = 1_500_000  # rows x columns that are fitted to at most, evenly spread rows
_PRIOR = (1.0, 0.25, 0.5)  # standard deviations of the common log scale, a column's deviation from it, a column's bias
_BOUNDS = (2.5, 1.0, 5.0)  # of the same


def fit_scaling(
    method: str,
    targets: np.ndarray,
    outputs: np.ndarray,
    class_weights: Sequence[float] | None = None,
    start: Scaling | None = None,
) -> Scaling:
    """The scaling that minimises the log loss of these rows, drawn towards the identity.

    Parameters
    ----------
    method : "temperature" or "vector"
    targets : int64 (n,) classes, or float (n, K) of 0 and 1
    outputs : float (n, K), probabilities
    class_weights : what a row of each class counts, where the metric weighs classes
    start : where to begin: what like outputs of the same rows have
    """
    from scipy.optimize import minimize

    rows = _some(*outputs.shape)
    loss = _Loss(targets[rows], np.asarray(outputs[rows]), class_weights)
    bounds = [(-most, most) for most, n in zip(_BOUNDS, (1, loss.columns, loss.columns), strict=True) for _ in range(n)]
    begin = loss.parameters(start) if start else np.zeros(1 + 2 * loss.columns)
    if method == "temperature" or not start:
        common = minimize(lambda a: loss(np.r_[a, loss.rest], 1), begin[:1], jac=True, bounds=bounds[:1]).x
        if method == "temperature":
            return {"scale": [float(np.exp(common[0]))], "bias": [0.0]}
        begin = np.r_[common, loss.rest]
    found = minimize(loss, begin, jac=True, bounds=bounds, options={"maxiter": 60, "ftol": 1e-6}).x
    scale, bias = loss.parts(found)
    return {"scale": [float(value) for value in scale], "bias": [float(value) for value in bias]}


def scaled(outputs: np.ndarray, scaling: Scaling, one_class: bool) -> np.ndarray:
    """Probabilities float32 (n, K), scaled; of one class (else labels) rows sum to one."""
    logits = _logits(np.asarray(outputs), one_class) * scaling["scale"] + scaling["bias"]
    return _activated(logits, one_class).astype(np.float32)


def find_scaling(
    metric: Metric,
    targets: np.ndarray,
    outputs: np.ndarray,
    fold: np.ndarray,
    groups: np.ndarray,
    like: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """The scaling that the metric likes best, if it gains more than chance; found on all rows, and for each fold on the others.

    like : what was found for like outputs of the same rows and folds (another way to combine the same runs): fits begin there

    Returns
    -------
    {"method": "none", "temperature" or "vector", "metric": name, "tried": {method: {"score", "gain", "low", "high"}}: cross-fitted, gains
    over the outputs as they are, with 95 % intervals (paired, over groups); "values": `Scaling` found on all rows, "folds":
    {fold: `Scaling` found on the others}, both empty where nothing gains; "ece", "ece_after": before, and cross-fitted}, or None where
    there is one fold alone, or more outputs than it is made for
    """
    numbers = np.unique(fold)
    if len(numbers) < 2 or outputs.size > _MOST_CELLS:
        return None
    one_class, weights = targets.ndim == 1, class_weights_of(metric)
    before = Resampled.of(metric, targets, outputs, groups)
    ece = ece_of(*bins(*believed(targets, outputs)))
    told: dict[str, Any] = {"method": NONE, "metric": metric.name, "tried": {}, "values": {}, "folds": {}}
    told |= {"ece": ece, "ece_after": ece}
    best, begin = 0.0, (like or {}).get("folds", {})
    for method in METHODS:
        folds = {
            str(number): fit_scaling(
                method, targets[fold != number], outputs[fold != number], weights, begin.get(str(number))
            )
            for number in numbers
        }
        after = scaled_by_fold(outputs, fold, folds, one_class)
        score, _, _, gain, low, high = Resampled.of(metric, targets, after, groups).against(before)
        told["tried"][method] = {"score": score, "gain": gain, "low": low, "high": high}
        if low > 0 and gain > best:
            best = gain
            told |= {"method": method, "folds": folds, "ece_after": ece_of(*bins(*believed(targets, after)))}
    if told["method"] != NONE:
        told["values"] = fit_scaling(told["method"], targets, outputs, weights)
    return told


def scaled_by_fold(outputs: np.ndarray, fold: np.ndarray, folds: dict[str, Scaling], one_class: bool) -> np.ndarray:
    """Probabilities float32 (n, K), each fold's by its scaling; a fold that has none as they are."""
    out = np.array(outputs, dtype=np.float32)
    for number, scaling in folds.items():
        mine = fold == int(number)
        out[mine] = scaled(outputs[mine], scaling, one_class)
    return out


def class_weights_of(metric: Metric) -> Sequence[float] | None:
    """What a row of each class counts in a metric of probabilities; None where all count the same."""
    return metric.of_probabilities.class_weights if metric.of_probabilities else None


class _Loss:
    """The penalised log loss of some rows, a row's share of it, with its gradient.

    Tables are kept as (K, n): sums over few columns are fast where a column lies in one piece (three times as fast, of ten classes).

    Parameters (1 + 2 K,): the common log scale, each column's deviation from it, each column's bias.
    """

    def __init__(self, targets: np.ndarray, outputs: np.ndarray, class_weights: Sequence[float] | None) -> None:
        self.one_class, (self.n, self.columns) = targets.ndim == 1, outputs.shape
        self.targets, self.logits = targets.T, np.ascontiguousarray(_logits(outputs, self.one_class).T)
        if self.one_class:  # there may be many; of labels float32 cannot tell a sure one from certainty
            self.logits = self.logits.astype(np.float32)
        self.rest = np.zeros(2 * self.columns)
        self.weighs = self.one_class and class_weights is not None
        self.weights = np.asarray(class_weights, dtype=np.float64)[targets] if self.weighs else np.ones(self.n)
        self.weights = self.weights / (self.weights.mean() or 1.0)
        self.precision = np.repeat(1 / np.square(_PRIOR), (1, self.columns, self.columns))

    def parameters(self, scaling: Scaling) -> np.ndarray:
        """Those that give this scaling."""
        logs = np.log(np.broadcast_to(scaling["scale"], self.columns))
        return np.r_[logs.mean(), logs - logs.mean(), np.broadcast_to(scaling["bias"], self.columns)]

    def parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale and bias (K,) of each column."""
        return np.exp(x[0] + x[1 : 1 + self.columns]), x[1 + self.columns :]

    def __call__(self, x: np.ndarray, wanted: int | None = None) -> tuple[float, np.ndarray]:
        """Value and gradient, of the first `wanted` parameters or of all."""
        scale, bias = self.parts(x)
        logits = self.logits * scale.astype(self.logits.dtype)[:, None] + bias.astype(self.logits.dtype)[:, None]
        losses, error = self._of_classes(logits) if self.one_class else self._of_labels(logits)
        if self.weighs:
            error *= self.weights
        of_scale = (error * self.logits).sum(axis=1) * scale
        slope = np.concatenate([[of_scale.sum()], of_scale, error.sum(axis=1)]) + self.precision * x
        value = losses @ self.weights + 0.5 * (self.precision * x) @ x
        return value / self.n, (slope / self.n)[:wanted]

    def _of_classes(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses float64 (n,), and how far the probabilities (K, n) are off; `logits` are written over."""
        rows = np.arange(self.n)
        logits -= logits.max(axis=0)
        own = logits[self.targets, rows]
        p = np.exp(logits, out=logits)
        total = p.sum(axis=0)
        p /= total
        p[self.targets, rows] -= 1
        return np.log(total.astype(np.float64)) - own, p

    def _of_labels(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of labels."""
        p = _activated(logits, False)
        own = np.where(self.targets >= 0.5, p, 1 - p)
        return -np.log(np.maximum(own, 1e-300)).sum(axis=0), p - self.targets


def _logits(outputs: np.ndarray, one_class: bool) -> np.ndarray:
    """float64 (n, K): log probabilities, or of labels log odds."""
    p = np.clip(outputs.astype(np.float64), _LEAST, 1.0 if one_class else 1 - _LEAST)
    return np.log(p) if one_class else np.log(p) - np.log1p(-p)


def _activated(logits: np.ndarray, one_class: bool) -> np.ndarray:
    """Probabilities float (n, K) of new logits, which are written over."""
    from scipy.special import expit

    if not one_class:
        return np.asarray(expit(logits))
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _some(n: int, columns: int) -> np.ndarray:
    """Rows to fit to: all, or so many evenly spread."""
    most = max(_FITTED_CELLS // columns, 2000)
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)
