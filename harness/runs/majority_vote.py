"""Majority vote of several models: of a run's folds, or of several runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def vote(proba: Sequence[np.ndarray]) -> np.ndarray:
    """Shares of votes float64 (n, C) of M models' probabilities (n, C) each; rows sum to one.

    Ties go to the class with the higher mean probability, by a share so small that it never outweighs a vote.
    """
    votes = np.zeros(proba[0].shape)
    for model in proba:
        votes[np.arange(len(model)), model.argmax(axis=1)] += 1 / len(proba)
    tie_break = 0.1 / len(proba)
    return (1 - tie_break) * votes + tie_break * np.mean(proba, axis=0, dtype=np.float64)
