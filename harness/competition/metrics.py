"""Metrics by name, with their direction and their interval.

A metric is prepared once for given labels and probabilities and then asked for its value under row weights: a bootstrap
resample is a vector of weights, so 1,000 resamples of 42,000 rows take a second, not minutes. Each value agrees with
scikit-learn's function of the same name (tests/competition/test_metrics.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Scorer = Callable[[np.ndarray | None], float]
"""Row weights (n,) or None for all ones -> value."""

_EPS = 1e-7  # probabilities are stored as float32; a log loss of exact zeros would be infinite


@dataclass(frozen=True)
class Metric:
    """A score.

    Attributes
    ----------
    name : as in competition.toml
    prepare : (labels (n,), proba (n, C)) -> Scorer
    greater_is_better : direction
    of_matrix : its value from a confusion matrix (C, C), where it is one of the predicted classes only; else None
    """

    name: str
    prepare: Callable[[np.ndarray, np.ndarray], Scorer]
    greater_is_better: bool = True
    of_matrix: Callable[[np.ndarray], float] | None = None

    def __call__(self, labels: np.ndarray, proba: np.ndarray) -> float:
        """Value over all rows; labels int (n,), proba float (n, C)."""
        return self.prepare(labels, proba)(None)


def intervals(
    scorers: Sequence[Scorer], groups: np.ndarray, *, resamples: int = 1000, level: float = 0.95
) -> list[tuple[float, float]]:
    """Bootstrap intervals of prepared metrics (Efron 1979, percentile method), all from the same resamples.

    Whole groups are drawn, not rows: near-duplicates are one piece of evidence, not several; drawing rows would make
    the interval too narrow. groups : int (n,).
    """
    values = [[scorer(weights) for scorer in scorers] for weights in group_weights(groups, resamples)]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def group_weights(groups: np.ndarray, resamples: int, seed: int = 0) -> Iterator[np.ndarray]:
    """For each resample, how often each row was drawn, float (n,)."""
    _, group_of_row = np.unique(groups, return_inverse=True)
    n_groups = int(group_of_row.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)
        yield drawn[group_of_row].astype(np.float64)


def paired(
    metric: Metric,
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    groups: np.ndarray,
    resamples: int = 1000,
) -> tuple[float, float, float, float, float, float]:
    """Score of ours with its 95 % interval, and the difference to theirs with its own, from the same resamples.

    The difference is positive where ours is better, whatever the metric's direction.
    """
    sign = 1 if metric.greater_is_better else -1
    first, second = metric.prepare(labels, ours), metric.prepare(labels, theirs)
    drawn = np.array([(first(w), second(w)) for w in group_weights(groups, resamples)])
    low, high = np.nanquantile(drawn[:, 0], [0.025, 0.975])
    score, other = first(None), second(None)
    gain_low, gain_high = np.nanquantile(sign * (drawn[:, 0] - drawn[:, 1]), [0.025, 0.975])
    return score, float(low), float(high), sign * (score - other), float(gain_low), float(gain_high)


def confusion(
    labels: np.ndarray, predicted: np.ndarray, n_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Confusion matrix (C, C), rows = true class, columns = predicted, cells = summed weights."""
    cells = labels * n_classes + predicted
    return np.bincount(cells, weights=weights, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.float64)


def _of_confusion(value: Callable[[np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], Scorer]:
    def prepare(labels: np.ndarray, proba: np.ndarray) -> Scorer:
        predicted, n_classes = proba.argmax(axis=1), proba.shape[1]
        return lambda weights: float(value(confusion(labels, predicted, n_classes, weights)))

    return prepare


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _present(matrix: np.ndarray) -> np.ndarray:
    """Classes that occur as truth or as prediction; the others have no precision and no recall to average."""
    return (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0


def _recalls(matrix: np.ndarray) -> np.ndarray:
    return _ratio(np.diag(matrix), matrix.sum(axis=1))


def _precisions(matrix: np.ndarray) -> np.ndarray:
    return _ratio(np.diag(matrix), matrix.sum(axis=0))


def _f1s(matrix: np.ndarray) -> np.ndarray:
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def _accuracy(matrix: np.ndarray) -> float:
    return np.trace(matrix) / matrix.sum()


def _balanced_accuracy(matrix: np.ndarray) -> float:
    return _recalls(matrix)[matrix.sum(axis=1) > 0].mean()


def _weighted_f1(matrix: np.ndarray) -> float:
    return float(_f1s(matrix) @ matrix.sum(axis=1) / matrix.sum())


def _f1(matrix: np.ndarray) -> float:
    return float(_f1s(matrix)[1])


def _sensitivity(matrix: np.ndarray) -> float:
    return float(_recalls(matrix)[1])


def _specificity(matrix: np.ndarray) -> float:
    return float(_recalls(matrix)[0])


def _log_loss(labels: np.ndarray, proba: np.ndarray) -> Scorer:
    of_truth = proba[np.arange(len(labels)), labels].astype(np.float64)
    losses = -np.log(np.clip(of_truth, _EPS, 1.0))
    return lambda weights: float(np.average(losses, weights=weights))


def _roc_auc(labels: np.ndarray, proba: np.ndarray) -> Scorer:
    """Two classes: AUC of the second. More: unweighted mean of one class against the rest."""
    classes = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    scorers = [_binary_auc(labels == c, proba[:, c]) for c in classes]
    return lambda weights: float(np.nanmean([scorer(weights) for scorer in scorers]))


def _binary_auc(positive: np.ndarray, score: np.ndarray) -> Scorer:
    order = np.argsort(score, kind="stable")
    sorted_positive = positive[order]
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # first row of each run of equal scores

    def auc(weights: np.ndarray | None) -> float:
        w = np.ones(len(order)) if weights is None else weights[order]
        up = np.add.reduceat(w * sorted_positive, starts)
        down = np.add.reduceat(w * ~sorted_positive, starts)
        pairs = up.sum() * down.sum()
        below = np.cumsum(down) - down  # negatives with a lower score; equal ones count half
        return float((up * (below + down / 2)).sum() / pairs) if pairs else float("nan")

    return auc


def _of_classes(name: str, value: Callable[[np.ndarray], float]) -> Metric:
    return Metric(name, _of_confusion(value), of_matrix=lambda matrix: float(value(matrix)))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _of_classes("accuracy", _accuracy),
        _of_classes("balanced_accuracy", _balanced_accuracy),
        _of_classes("macro_f1", lambda m: _f1s(m)[_present(m)].mean()),
        _of_classes("weighted_f1", _weighted_f1),
        _of_classes("precision", lambda m: _precisions(m)[_present(m)].mean()),
        _of_classes("recall", lambda m: _recalls(m)[_present(m)].mean()),
        _of_classes("f1", _f1),
        _of_classes("sensitivity", _sensitivity),
        _of_classes("specificity", _specificity),
        Metric("log_loss", _log_loss, greater_is_better=False),
        Metric("roc_auc", _roc_auc),
    )
}
"""Every metric by its name in competition.toml; precision and recall are macro averages."""

TWO_CLASS_METRICS = ("f1", "sensitivity", "specificity")
"""Of the second of two classes, which is the positive one; specificity is the first one's recall."""


def custom_metric(score: Callable[[np.ndarray, np.ndarray], float]) -> Metric:
    """Wrap a competition's own `score(labels, proba)`; a resample repeats rows as often as they were drawn."""

    def prepare(labels: np.ndarray, proba: np.ndarray) -> Scorer:
        def scorer(weights: np.ndarray | None) -> float:
            rows = np.arange(len(labels)) if weights is None else np.repeat(np.arange(len(labels)), weights.astype(int))
            return float(score(labels[rows], proba[rows]))

        return scorer

    return Metric("custom", prepare)
