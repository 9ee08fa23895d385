"""Any two runs on the same rows: is the difference more than chance, and do they err on the same rows?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.metrics import Metric, group_weights
from harness.competition.scoring.answers import LabelCounts
from harness.competition.scoring.registry import LABELS
from harness.competition.tasks import Task
from harness.oof.predictions import Predictions

_RESAMPLES = 1000


@dataclass(frozen=True)
class Pair:
    """Run `first` against run `second` (places among the members).

    Attributes
    ----------
    difference : of their scores, positive where the first is better, with its 95 % interval low, high (bootstrap over
        groups, both on the same resamples)
    only_first, only_second : rows that only one of them has right; of several labels, or numbers, where it errs less
    p_value : exact McNemar test (1947) of the accuracies, two-sided; else the sign test of who errs less
    correlation : of their errors: 1 = the same rows are wrong, 0 = independent, NaN where one makes none
    """

    first: int
    second: int
    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p_value: float
    correlation: float

    @property
    def is_noise(self) -> bool:
        """Whether the difference may be chance: its interval holds zero."""
        return self.low <= 0 <= self.high


def compare_pairs(predictions: Predictions, metric: Metric) -> list[Pair]:
    """Every two of the runs, by the same resamples."""
    rows = np.flatnonzero(predictions.folds.kept)
    labels, sign = predictions.labels[rows], 1 if metric.greater_is_better else -1
    judged = predictions.judged(metric)
    scorers = [metric.prepare(labels, proba[rows]) for proba in judged]
    scores = sign * np.array([scorer(None) for scorer in scorers])
    resamples = group_weights(predictions.folds.groups[rows], _RESAMPLES)
    drawn = sign * np.array([[scorer(weights) for scorer in scorers] for weights in resamples])
    wrong = [row_errors(predictions.task, labels, proba[rows]) for proba in judged]
    pairs = []
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            low, high = np.nanquantile(drawn[:, i] - drawn[:, j], [0.025, 0.975])
            only_i, only_j = int((wrong[i] < wrong[j]).sum()), int((wrong[j] < wrong[i]).sum())
            difference = float(scores[i] - scores[j])
            correlation = _correlation(wrong[i], wrong[j])
            p_value = _mcnemar(only_i, only_j)
            pairs.append(Pair(i, j, difference, float(low), float(high), only_i, only_j, p_value, correlation))
    return pairs


def _mcnemar(only_first: int, only_second: int) -> float:
    from scipy.stats import binomtest

    n = only_first + only_second
    return float(binomtest(only_first, n, 0.5).pvalue) if n else 1.0


def row_errors(task: Task, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """How wrong each row's answer is, float (n,): 0 or 1 of a class, the share of the labels, the distance of a number."""
    if task.is_one_class:
        return (outputs.argmax(axis=1) != labels).astype(np.float64)
    if task.of == LABELS:
        return ((outputs >= 0.5) != (labels >= 0.5)).mean(axis=1)
    return np.abs(outputs - labels).mean(axis=1)


def _correlation(wrong: np.ndarray, other: np.ndarray) -> float:
    spread = wrong.std() * other.std()
    return (
        float(((wrong * 1.0 - wrong.mean()) * (other * 1.0 - other.mean())).mean() / spread) if spread else float("nan")
    )


def error_correlation(pairs: list[Pair], n: int) -> np.ndarray:
    """float (n, n): correlation of the errors of every two runs."""
    found = np.eye(n)
    for pair in pairs:
        found[pair.first, pair.second] = found[pair.second, pair.first] = pair.correlation
    return found


def recalls(predictions: Predictions, n_classes: int) -> np.ndarray:
    """float (M, C): recall of each class by each run; NaN where a class has no row."""
    rows = np.flatnonzero(predictions.folds.kept)
    labels = predictions.labels[rows]
    if predictions.task.of == LABELS:
        told = [LabelCounts(labels, proba[rows]).per_label(None) for proba in predictions.oof]
        return np.array([np.where(truth > 0, hits / np.maximum(truth, 1), np.nan) for hits, truth, _ in told])
    if not predictions.task.is_one_class:
        return np.zeros((len(predictions.oof), 0))
    truth = np.bincount(labels, minlength=n_classes).astype(float)
    truth[truth == 0] = np.nan
    hits = [np.bincount(labels[proba[rows].argmax(axis=1) == labels], minlength=n_classes) for proba in predictions.oof]
    return np.array(hits) / truth
