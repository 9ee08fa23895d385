"""Votes: several models' outputs (n, K) of the same rows made one, so that the task's decision can still be applied to it.

A vote is of answers, and where answers come by a decision (thresholds, cuts) that is found later, the vote must be right for any: the
median is. An odd number of models: more than half give a label exactly where the median of their probabilities passes its threshold, and
the median of their grades is the grade of the median of their expected ones. Of an even number a tie goes by the mean of the middle two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.competition.tasks.decisions import expected_grade


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
