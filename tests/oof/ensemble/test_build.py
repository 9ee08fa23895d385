"""What an ensemble's table says of each way to combine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.oof.ensemble.build import EnsembleResult
from harness.oof.ensemble.cross_fit import CrossFitted
from harness.oof.ensemble.methods import METHODS


def fitted(name: str, gain: float, low: float, high: float) -> CrossFitted:
    return CrossFitted(METHODS[name], np.zeros((1, 2)), None, [], 0.9, 0.9, 0.8, 0.95, gain, low, high)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ((0.02, 0.01, 0.03), "better than the mean"),
        ((-0.02, -0.03, -0.01), "worse than the mean"),
        ((0.02, -0.01, 0.03), "the gain over the mean is noise"),
    ],
)
def test_every_way_has_a_verdict(gain: tuple[float, float, float], said: str):
    ways = [fitted("mean", 0.0, 0.0, 0.0), fitted("hill_climbing", *gain)]
    result = EnsembleResult(Path("ensemble"), ("a", "b"), "accuracy", "mean", ways, False)
    assert [row[-1] for row in result.rows] == ["what the others are held against", said]
