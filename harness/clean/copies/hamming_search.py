"""Pairs of 64-bit hashes that differ in few bits, without comparing all with all.

Pigeonhole: cut 64 bits into d + 1 chunks; two hashes that differ in at most d bits agree in a whole chunk. So only hashes
in the same bucket of some chunk are compared. Exact: every pair is found (tests/clean/test_search.py holds it against all
pairs). Equal hashes are taken together first, so that a thousand copies of one image cost a thousand, not a million.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

_PAIRS_AT_ONCE = 1_000_000


def near_pairs(left: np.ndarray, right: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (i, j), int64 (m,) each, of all left[i] and right[j] that differ in at most `distance` bits.

    left, right : uint64 (n,), (k,), without repetitions
    """
    found = [np.zeros((2, 0), dtype=np.int64)]
    for low, width in _chunks(distance + 1):
        for i, j in _same_bucket(_chunk(left, low, width), _chunk(right, low, width)):
            close = np.flatnonzero(np.bitwise_count(left[i] ^ right[j]) <= distance)
            found.append(np.stack([i[close], j[close]]))
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1]


def _chunks(n: int) -> list[tuple[int, int]]:
    """(lowest bit, width) of n chunks that cover 64 bits, as even as can be."""
    edges = np.linspace(0, 64, n + 1).round().astype(int)
    return [(int(a), int(b - a)) for a, b in itertools.pairwise(edges)]


def _chunk(hashes: np.ndarray, low: int, width: int) -> np.ndarray:
    """`width` bits from bit `low` on, in the smallest type that holds them: short keys sort fast."""
    part = (hashes >> np.uint64(low)) & np.uint64((1 << width) - 1 if width < 64 else 2**64 - 1)
    return part.astype(np.uint16) if width <= 16 else part


def _same_bucket(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All index pairs with left[i] == right[j], some millions at a time."""
    by_left, by_right = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    ordered = right[by_right]
    wanted = left[by_left]  # in order, so that the searches go through memory from front to end
    first, last = np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
    count = last - first
    done = np.cumsum(count)
    start = 0
    while start < len(left):
        base = done[start - 1] if start else 0
        stop = max(int(np.searchsorted(done, base + _PAIRS_AT_ONCE, "right")), start + 1)
        n = count[start:stop]
        within = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n - first[start:stop], n)
        yield np.repeat(by_left[start:stop], n), by_right[within]
        start = stop
