"""Pairs of near hashes: exactly those that comparing all with all finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clean.copies import hamming_search as search
from harness.clean.copies.hamming_search import Order, near_pairs


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


def nearest_before(hashes: np.ndarray, places: np.ndarray, distance: int, order: Order) -> set[tuple[int, int]]:
    """Both ways of each pair of a hash with its nearest ones before it, and each hash with itself."""
    found = set()
    for later in range(len(hashes)):
        bits = np.bitwise_count(hashes ^ hashes[later])
        before = [i for i in range(len(hashes)) if places[i] < places[later] and bits[i] <= distance]
        before = [i for i in before if places[i] < order.outside or places[later] < order.outside]
        for i in sorted(before, key=lambda i: (bits[i], places[i]))[: order.most]:
            found |= {(i, later), (later, i)}
        found |= {(later, later)} if places[later] < order.outside else set()
    return found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), most=st.integers(1, 5))
def test_where_there_are_many_each_is_paired_with_the_nearest_before_it(seed: int, most: int):
    rng = np.random.default_rng(seed)
    flips = rng.random((40, 64)) < 0.05
    hashes = np.unique((flips * (np.uint64(1) << np.arange(64, dtype=np.uint64))).sum(axis=1).astype(np.uint64))
    places = rng.permutation(len(hashes))
    order = Order(places, places, most, 30)
    i, j = near_pairs(hashes, hashes, 8, order)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == nearest_before(hashes, places, 8, order)


def test_what_is_let_go_on_the_way_is_not_among_the_nearest(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    flips = rng.random((300, 64)) < 0.03
    hashes = np.unique((flips * (np.uint64(1) << np.arange(64, dtype=np.uint64))).sum(axis=1).astype(np.uint64))
    places = np.arange(len(hashes))
    order = Order(places, places, 4, len(hashes))

    def bits() -> list[list[int]]:
        i, j = near_pairs(hashes, hashes, 8, order)
        apart = np.bitwise_count(hashes[i] ^ hashes[j])
        return [sorted(apart[(j == later) & (i < later)].tolist()) for later in range(len(hashes))]

    whole = bits()
    monkeypatch.setattr(search, "_HELD", 50)
    monkeypatch.setattr(search, "_PAIRS_AT_ONCE", 100)
    assert bits() == whole and max(map(len, whole)) == 4


def test_no_hashes_have_no_pairs():
    none = np.zeros(0, np.uint64)
    assert [len(side) for side in near_pairs(none, none, 4)] == [0, 0]
