"""Pairs of near hashes: exactly those that comparing all with all finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clean.copies import hamming_search as search
from harness.clean.copies.hamming_search import near_pairs


def all_pairs(left: np.ndarray, right: np.ndarray, distance: int) -> set[tuple[int, int]]:
    return set(
        zip(
            *(side.tolist() for side in np.nonzero(np.bitwise_count(left[:, None] ^ right[None]) <= distance)),
            strict=True,
        )
    )


def near_copies(seed: int, n: int, flips: int) -> tuple[np.ndarray, np.ndarray]:
    """Random hashes, and some of them with up to `flips` bits turned over."""
    rng = np.random.default_rng(seed)
    left = np.unique(rng.integers(0, 2**64, n, dtype=np.uint64))
    right = left[: n // 2].copy()
    for i in range(len(right)):
        for bit in rng.integers(0, 64, rng.integers(0, flips + 1)):
            right[i] ^= np.uint64(1) << np.uint64(bit)
    return left, np.unique(right)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 120), distance=st.integers(0, 12))
def test_every_pair_is_found_and_no_other(seed: int, n: int, distance: int):
    left, right = near_copies(seed, n, distance + 2)
    i, j = near_pairs(left, right, distance)
    found = list(zip(i.tolist(), j.tolist(), strict=True))
    assert set(found) == all_pairs(left, right, distance) and len(set(found)) == len(found)


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_how_many_are_compared_at_once_changes_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch):
    left, right = near_copies(3, 80, 5)
    monkeypatch.setattr(search, "_PAIRS_AT_ONCE", at_once)
    i, j = near_pairs(left, right, 4)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == all_pairs(left, right, 4)


def test_no_hashes_have_no_pairs():
    none = np.zeros(0, np.uint64)
    assert [len(side) for side in near_pairs(none, none, 4)] == [0, 0]
