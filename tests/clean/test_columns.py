"""Columns that give the label away, number the rows or differ in the test are named; honest ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.clean.columns import doubtful_columns
from harness.competition import Samples, find_competition
from harness.competition.samples import Columns
from harness.data.cache import Dataset
from tests.conftest import REPOSITORY

DIGITS = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
N, TEST = 600, 300


def dataset(train: dict[str, np.ndarray], test: dict[str, np.ndarray], categories: tuple[str, ...] = ()) -> Dataset:
    def samples(n: int, of: dict[str, np.ndarray], labels: np.ndarray | None) -> Samples:
        numbers = [name for name in of if name not in categories]
        columns = Columns(
            np.stack([of[c] for c in numbers], axis=1).astype(np.float32) if numbers else np.zeros((n, 0), np.float32),
            np.stack([of[c] for c in categories], axis=1).astype(np.int32)
            if categories
            else np.zeros((n, 0), np.int32),
            tuple(numbers),
            {c: tuple(map(str, range(50))) for c in categories},
        )
        return Samples(np.arange(n).astype(str), np.zeros((n, 1, 1, 1), np.uint8), labels, columns=columns)

    return Dataset(samples(N, train, LABELS), samples(TEST, test, None), None, "", False, "", Path())


RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 10, N)


def drawn(n: int) -> np.ndarray:
    return RNG.normal(size=n)


def test_honest_columns_are_not_named():
    gaps = drawn(N)
    gaps[::5] = np.nan
    train = {"a": LABELS + drawn(N), "b": gaps, "site": RNG.integers(0, 20, N)}
    other = drawn(TEST)
    other[::5] = np.nan
    assert not doubtful_columns(DIGITS, dataset(train, {"a": LABELS[:TEST] + drawn(TEST), "b": other, "site": RNG.integers(0, 20, TEST)}, ("site",)))  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (LABELS * 3 + 0.1 * drawn(N), RNG.integers(0, 10, TEST) * 3.0, "give it away"),
        (np.arange(N) * 2.0, np.arange(TEST) * 4.0, "goes with the order of the rows"),
        (drawn(N), drawn(TEST) + 2, "distributed otherwise in the test"),
        (drawn(N), drawn(TEST) * 5, "distributed otherwise in the test"),
        (drawn(N), np.where(np.arange(TEST) % 2, np.nan, drawn(TEST)), "distributed otherwise in the test"),
    ],
)
def test_a_doubtful_column_is_named_with_why(train: np.ndarray, test: np.ndarray, said: str):
    [line] = doubtful_columns(DIGITS, dataset({"x\x1b[31m": train}, {"x\x1b[31m": test}))
    assert said in line and "x\\x1b[31m" in line


def test_a_category_of_other_values_in_the_test_is_named():
    [line] = doubtful_columns(
        DIGITS, dataset({"site": RNG.integers(0, 20, N)}, {"site": RNG.integers(10, 30, TEST)}, ("site",))
    )
    assert "distributed otherwise" in line
