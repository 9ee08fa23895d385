"""What outputs (n, K) become: several models' made one by vote, and answers by a decision that was found.

Needs nothing but numpy, since code submissions carry this file's text.

A vote is of answers, and where answers come by a decision (thresholds, cuts) that is found later, the vote must be right for any: the
median is. An odd number of models: more than half give a label exactly where the median of their probabilities passes its threshold, and
the median of their grades is the grade of the median of their expected ones. Of an even number a tie goes by the mean of the middle two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def expected_grade(outputs: np.ndarray) -> np.ndarray:
    """Mean of the grade 0 to C - 1 under the probabilities (n, C), float (n,)."""
    return np.asarray(outputs, dtype=np.float64) @ np.arange(outputs.shape[1])


def as_grades(values: np.ndarray, cuts: Sequence[float], n: int) -> np.ndarray:
    """Probabilities float32 (n, C) that are all on the grade in which a value lies between the cuts."""
    grades = np.searchsorted(np.asarray(cuts), values, side="right")
    return np.eye(n, dtype=np.float32)[grades]


def by_cuts(outputs: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Probabilities float32 (n, C) that are all on the grade that the cuts make of the expected one."""
    return as_grades(expected_grade(outputs), cuts, outputs.shape[1])


def moved_labels(outputs: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Probabilities float32 (n, T) of which one half is where each label's threshold was; their order within a label stays."""
    p, t = np.asarray(outputs, dtype=np.float64), np.asarray(thresholds)
    up = p * (1 - t)
    moved = up / np.maximum(up + (1 - p) * t, 1e-12)
    said = p >= t
    return np.where(said, np.maximum(moved, 0.5), np.minimum(moved, 0.5 - 1e-6)).astype(np.float32)


def moved(proba: np.ndarray, threshold: float) -> np.ndarray:
    """float (n, 2): probabilities whose larger one is what the threshold says; their order stays.

    The odds are divided by the threshold's odds, as if the classes' shares had been other ones.
    """
    second = proba[:, 1] * (1 - threshold)
    first = proba[:, 0] * threshold
    total = np.maximum(first + second, 1e-12)
    return np.column_stack([first / total, second / total])


def clipped_to(outputs: np.ndarray, eps: float, one_class: bool) -> np.ndarray:
    """Probabilities (n, K) of which none is below eps, of labels none above 1 - eps; of one class rows still sum to one."""
    out = np.array(outputs)
    most = 1.0 if one_class else 1 - eps
    rows = ((out < eps) | (out > most)).any(axis=1)
    some = np.clip(out[rows].astype(np.float64), eps, most)
    out[rows] = some / some.sum(axis=1, keepdims=True) if one_class else some
    return out


def majority(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Shares of votes float64 (n, C) of M models' probabilities (n, C) each; rows sum to one.

    Ties go to the class with the higher mean probability, by a share so small that it never outweighs a vote.
    """
    votes = np.zeros(outputs[0].shape)
    for model in outputs:
        votes[np.arange(len(model)), model.argmax(axis=1)] += 1 / len(outputs)
    tie_break = 0.1 / len(outputs)
    return (1 - tie_break) * votes + tie_break * np.mean(outputs, axis=0, dtype=np.float64)


def majority_of_labels(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Median float64 (n, T) of each label's probabilities."""
    return np.median(np.asarray(outputs, dtype=np.float64), axis=0)


def median_grade(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities float64 (n, C) of the model whose expected grade is the median one, of an even number the mean of the middle two."""
    stack = np.asarray(outputs)
    order = np.argsort([expected_grade(model) for model in stack], axis=0, kind="stable")
    rows, n = np.arange(stack.shape[1]), len(stack)
    low, high = (stack[order[place], rows].astype(np.float64) for place in ((n - 1) // 2, n // 2))
    return (low + high) / 2


DECISIONS = {"grades": by_cuts, "labels": moved_labels}
"""By what answers are: (outputs (n, K), what was found) -> outputs (n, K) whose simple answer is the decided one."""
VOTES = {"classes": majority, "grades": median_grade, "labels": majority_of_labels}
"""By what answers are: several models' outputs (n, K) -> outputs float64 (n, K). Numbers have none."""
