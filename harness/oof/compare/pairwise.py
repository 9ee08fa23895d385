"""Any two runs on the same rows: is the difference more than chance, and do they err on the same rows?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.competition.metrics import Metric, Resampled
from harness.competition.scoring.answers import LabelCounts
from harness.competition.scoring.registry import LABELS
from harness.oof.predictions import Predictions


@dataclass(frozen=True)
class Pair:
    """Run `first` against run `second` (places among the members).

    Attributes
    ----------
    difference : of their scores, positive where the first is better, with its 95 % interval low, high (bootstrap over
        groups, both on the same resamples)
    only_first, only_second : rows that only one of them has right; of several labels, or numbers, where it errs less
    p_value : of `paired_test`: of classes McNemar's test (1947) of the accuracies, else the sign test of who errs less; over groups
    correlation : of their rows' errors (`Task.row_errors`): 1 = the same rows are wrong, 0 = independent, NaN where one makes none
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
    labels = predictions.labels[rows]
    judged = predictions.judged(metric)
    groups = predictions.folds.groups[rows]
    resampled = [Resampled.of(metric, labels, proba[rows], groups) for proba in judged]
    answered = predictions.answered()
    wrong = [predictions.task.row_errors(labels, outputs[rows]) for outputs in answered]
    pairs = []
    for i, first in enumerate(resampled):
        for j, second in enumerate(resampled[i + 1 :], i + 1):
            *_, difference, low, high = first.against(second)
            only_i, only_j = int((wrong[i] < wrong[j]).sum()), int((wrong[j] < wrong[i]).sum())
            correlation = _correlation(wrong[i], wrong[j])
            p_value = paired_test(np.sign(wrong[j] * 1.0 - wrong[i]), groups)
            pairs.append(Pair(i, j, difference, low, high, only_i, only_j, p_value, correlation))
    return pairs


def paired_test(better: np.ndarray, groups: np.ndarray) -> float:
    """Two-sided p-value of whether one of two runs is the better one beyond chance: exact sign flips of whole groups.

    Rows of a group (a patient's images) are right or wrong together, so that they are one piece of evidence: were the runs alike, the sum
    of a group's rows would be as likely to speak for either. Where every group is one row this is the exact sign test, of right and wrong
    McNemar's. Groups whose sum is 0 say nothing and are left out.

    better : float (n,), 1 where the first run errs less on the row, -1 where the second does, else 0; groups : int (n,)
    """
    from scipy.stats import binomtest

    sums = np.bincount(np.unique(groups, return_inverse=True)[1], better).round().astype(np.int64)
    sums = sums[sums != 0]
    sizes, count = np.unique(np.abs(sums), return_counts=True)
    if not len(sums):
        return 1.0
    if len(sizes) == 1:
        return float(binomtest(int((sums > 0).sum()), len(sums), 0.5).pvalue)
    chance = _chances(sizes, count)
    far = np.abs(np.fft.fftfreq(len(chance), 1 / len(chance))).round() >= abs(int(sums.sum()))
    return float(np.clip(chance[far].sum(), 2.0 ** (1 - len(sums)), 1.0))


def _chances(sizes: np.ndarray, count: np.ndarray) -> np.ndarray:
    """float (2 T + 1,): chance of each sum of +-sizes (count of each, T in all) by fair coins, in the order of `numpy.fft.fftfreq`.

    Transform of the characteristic function, a product of cosines: exact but for 1e-15.
    """
    length = 2 * int(sizes @ count) + 1
    angles = 2 * np.pi / length * np.arange(length // 2 + 1)
    product = np.ones(len(angles))
    for size, times in zip(sizes.tolist(), count.tolist(), strict=True):
        product *= np.cos(size * angles) ** times
    return np.clip(np.fft.irfft(product, length), 0, None)


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
    """float (M, C): recall of each class or label by each run's answers; NaN where it has no row, (M, 0) of numbers."""
    task, rows = predictions.task, np.flatnonzero(predictions.folds.kept)
    labels, answered = predictions.labels[rows], [outputs[rows] for outputs in predictions.answered()]
    if task.of == LABELS:
        told = [LabelCounts(labels, outputs).per_label(None) for outputs in answered]
        return np.array([np.where(truth > 0, hits / np.maximum(truth, 1), np.nan) for hits, truth, _ in told])
    if not task.is_one_class:
        return np.zeros((len(answered), 0))
    truth = np.bincount(labels, minlength=n_classes).astype(float)
    truth[truth == 0] = np.nan
    hits = [np.bincount(labels[outputs.argmax(axis=1) == labels], minlength=n_classes) for outputs in answered]
    return np.array(hits) / truth
