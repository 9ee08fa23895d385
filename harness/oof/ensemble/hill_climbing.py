"""Ensemble selection by hill climbing (Caruana and others 2004): add, with replacement, the model that helps most.

Scored incrementally. The log loss of a sum of probabilities needs each model's probability of the true class only. A
metric of the predicted classes needs no look at a row on which all models agree: a sum of vectors with the same largest
entry has it too. So a round costs a pass over the rows that are in doubt, not a call of a metric per model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.competition.metrics import Metric, tally

_EPS = 1e-7
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Selection:
    """What hill climbing chose.

    Attributes
    ----------
    weights : float64 (M,), how often each model was chosen, scaled to sum to one
    path : score after each round
    """

    weights: np.ndarray
    path: list[float]


def hill_climb(
    proba: np.ndarray,
    labels: np.ndarray,
    metric: Metric,
    *,
    rounds: int = 50,
    bags: int = 1,
    share: float = 0.5,
    seed: int = 0,
    cells: int | None = None,
    patience: int | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Selection:
    """Weights of an ensemble of the models' mean probabilities.

    Parameters
    ----------
    proba : float16 or float32 (M, n, C), may be a memory map
    labels : int (n,)
    rounds : models that are added; of all rounds the one with the best score is kept
    bags : with more than one, selection is repeated with a random `share` of the models each, and the weights are
        averaged: a guard against choosing by chance
    cells : rows times classes; of more an evenly spread part of the rows is looked at; patience : a climb ends after so many rounds without a better
        score. Both bound what a metric costs that must be called anew for each model in each round
    tick : told (rounds done, rounds in all)

    Raises
    ------
    ValueError
        If there is no model or no row.
    """
    if proba.ndim != 3 or not len(proba) or not len(labels):
        raise ValueError(f"hill climbing needs models and rows; proba is {proba.shape}, labels {labels.shape}")
    if cells is not None and proba[0].size > cells:
        some = np.linspace(0, len(labels) - 1, max(cells // proba.shape[2], 1)).astype(np.int64)
        proba, labels = proba[:, some], labels[some]
    scored = _scores_of(proba, labels, metric)
    rng, n_models = np.random.default_rng(seed), len(proba)
    total = np.zeros(n_models)
    path: list[float] = []
    for bag in range(bags):
        chosen = np.arange(n_models)
        if bags > 1:
            chosen = np.sort(rng.permutation(n_models)[: max(round(share * n_models), 1)])

        def climbed(done: int, before: int = bag * rounds) -> None:
            tick(before + done, bags * rounds)

        weights, path = _climb(scored, chosen, metric, rounds, climbed, patience)
        total += weights
    return Selection(total / total.sum(), path)


class _Scores(Protocol):
    """The state of a growing sum, and what adding each model would make of it."""

    n_models: int

    def reset(self) -> None: ...

    def with_each(self, models: np.ndarray) -> np.ndarray:
        """Score (len(models),) of the sum with each model added; greater is better."""
        ...

    def add(self, model: int) -> None: ...


def _climb(
    scores: _Scores,
    models: np.ndarray,
    metric: Metric,
    rounds: int,
    tick: Callable[[int], None],
    patience: int | None = None,
) -> tuple[np.ndarray, list[float]]:
    """Counts (M,) up to the best round, and the score of each round in the metric's own direction."""
    scores.reset()
    chosen: list[int] = []
    path: list[float] = []
    for done in range(1, rounds + 1):
        values = scores.with_each(models)
        best = int(np.argmax(values))
        scores.add(int(models[best]))
        chosen.append(int(models[best]))
        path.append(float(values[best]))
        tick(done)
        if patience is not None and done - int(np.argmax(path)) > patience:
            break
    kept = int(np.argmax(path)) + 1  # the first of equal ones: the smallest ensemble
    weights = np.bincount(chosen[:kept], minlength=int(models.max()) + 1).astype(float)
    full = np.zeros(scores.n_models)
    full[: len(weights)] = weights
    return full / kept, path if metric.greater_is_better else [-value for value in path]


def _scores_of(proba: np.ndarray, labels: np.ndarray, metric: Metric) -> _Scores:
    if metric.name == "log_loss" and labels.ndim == 1:
        return _LogLoss(proba, labels)
    if metric.of_tally is not None:
        return _OfClasses(proba, labels, metric)
    return _Any(proba, labels, metric)


class _LogLoss:
    """Minus the log loss; it needs (M, n) probabilities of the true class."""

    def __init__(self, proba: np.ndarray, labels: np.ndarray) -> None:
        self.n_models = len(proba)
        rows = np.arange(len(labels))
        self.true = np.stack([_true_class(model, rows, labels) for model in proba])

    def reset(self) -> None:
        self.sum, self.n = np.zeros(self.true.shape[1], dtype=np.float32), 0

    def with_each(self, models: np.ndarray) -> np.ndarray:
        found = np.empty(len(models))
        buffer = np.empty_like(self.sum)
        for place, model in enumerate(models):
            np.add(self.sum, self.true[model], out=buffer)
            buffer /= self.n + 1
            np.clip(buffer, _EPS, 1.0, out=buffer)
            found[place] = np.log(buffer, out=buffer).mean(dtype=np.float64)
        return found

    def add(self, model: int) -> None:
        self.sum += self.true[model]
        self.n += 1


def _true_class(model: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float32 (n,), read a piece at a time."""
    out = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        piece = slice(start, start + _ROWS_AT_ONCE)
        part = np.asarray(model[piece])
        out[piece] = part[np.arange(len(part)), labels[piece]]
    return out


class _OfClasses:
    """A metric of the predicted classes.

    Rows on which all models agree are counted once and for all; and once the sum's two largest classes are further apart
    than any one model can bring them, a row is counted as it stands for that round.
    """

    def __init__(self, proba: np.ndarray, labels: np.ndarray, metric: Metric) -> None:
        assert metric.of_tally is not None
        self.n_models, _, self.n_classes = proba.shape
        said = np.stack([_argmax(model) for model in proba])
        agreed = (said == said[0]).all(axis=0)
        self.settled = tally(labels[agreed], said[0][agreed], self.n_classes)
        rows = np.flatnonzero(~agreed)
        self.labels, self.sign, self.value = labels[rows], 1 if metric.greater_is_better else -1, metric.of_tally
        self.proba = np.empty((len(rows), self.n_models, self.n_classes), dtype=proba.dtype)
        for number, model in enumerate(proba):
            self.proba[:, number] = model[rows]
        self.reach = self._reach()

    def _reach(self) -> np.ndarray:
        """float32 (rows,): how far any one model moves two classes against each other."""
        found = np.empty(len(self.proba), dtype=np.float32)
        for start in range(0, len(found), _ROWS_AT_ONCE // 16):
            piece = self.proba[start : start + _ROWS_AT_ONCE // 16]
            found[start : start + len(piece)] = (piece.max(axis=2) - piece.min(axis=2)).max(axis=1)
        return found

    def reset(self) -> None:
        self.sum = np.zeros((len(self.proba), self.n_classes), dtype=np.float32)

    def with_each(self, models: np.ndarray) -> np.ndarray:
        two = np.partition(self.sum, -2, axis=1)[:, -2:]
        in_doubt = two[:, 1] - two[:, 0] <= self.reach
        firm = ~in_doubt
        base = self.settled + tally(self.labels[firm], self.sum[firm].argmax(axis=1), self.n_classes)
        said = self._said(np.flatnonzero(in_doubt), models)
        labels = self.labels[in_doubt]
        counts = (base + tally(labels, said[:, place], self.n_classes) for place in range(len(models)))
        return np.array([self.sign * self.value(c) for c in counts])

    def _said(self, rows: np.ndarray, models: np.ndarray) -> np.ndarray:
        """Class (len(rows), len(models)) that the sum with each model says."""
        out = np.empty((len(rows), len(models)), dtype=np.int64)
        everyone = len(models) == self.n_models
        for start in range(0, len(rows), 4096):
            some = rows[start : start + 4096]
            added = self.proba[some] if everyone else self.proba[some][:, models]
            out[start : start + len(some)] = (added + self.sum[some, None]).argmax(axis=2)
        return out

    def add(self, model: int) -> None:
        self.sum += self.proba[:, model]


def _argmax(model: np.ndarray) -> np.ndarray:
    """int32 (n,), read a piece at a time."""
    pieces = range(0, len(model), _ROWS_AT_ONCE)
    return np.concatenate([np.asarray(model[s : s + _ROWS_AT_ONCE]).argmax(axis=1).astype(np.int32) for s in pieces])


class _Any:
    """Any other metric (ROC AUC, one's own): called for each model in each round."""

    def __init__(self, proba: np.ndarray, labels: np.ndarray, metric: Metric) -> None:
        self.n_models, self.proba, self.labels, self.metric = len(proba), proba, labels, metric

    def reset(self) -> None:
        self.sum, self.n = np.zeros(self.proba.shape[1:], dtype=np.float32), 0

    def with_each(self, models: np.ndarray) -> np.ndarray:
        sign = 1 if self.metric.greater_is_better else -1
        return np.array([sign * self.metric(self.labels, (self.sum + self.proba[m]) / (self.n + 1)) for m in models])

    def add(self, model: int) -> None:
        self.sum += self.proba[model]
        self.n += 1
