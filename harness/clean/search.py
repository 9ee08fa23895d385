"""Pairs of 64-bit hashes that differ in few bits, without comparing all with all.

Pigeonhole: cut 64 bits into d + 1 chunks; two hashes that differ in at most d bits agree in a whole chunk. So only hashes
in the same bucket of some chunk are compared. Exact: every pair is found (tests/clean/test_search.py holds it against all
pairs). Equal hashes are taken together first, so that a thousand copies of one picture cost a thousand, not a million.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

_PAIRS_AT_ONCE = 4_000_000


def near_pairs(left: np.ndarray, right: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (i, j), int64 (m,) each, of all left[i] and right[j] that differ in at most `distance` bits.

    left, right : uint64 (n,), (k,), without repetitions
    """
    found = [np.zeros((2, 0), dtype=np.int64)]
    for low, width in _chunks(distance + 1):
        mask, shift = np.uint64((1 << width) - 1), np.uint64(low)
        for i, j in _same_bucket((left >> shift) & mask, (right >> shift) & mask):
            close = np.bitwise_count(left[i] ^ right[j]) <= distance
            found.append(np.stack([i[close], j[close]]))
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1]


def _chunks(n: int) -> list[tuple[int, int]]:
    """(lowest bit, width) of n chunks that cover 64 bits, as even as can be."""
    edges = np.linspace(0, 64, n + 1).round().astype(int)
    return [(int(a), int(b - a)) for a, b in itertools.pairwise(edges)]


def _same_bucket(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All index pairs with left[i] == right[j], some millions at a time."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first, last = np.searchsorted(ordered, left, "left"), np.searchsorted(ordered, left, "right")
    count = last - first
    done = np.cumsum(count)
    start = 0
    while start < len(left):
        base = done[start - 1] if start else 0
        stop = max(int(np.searchsorted(done, base + _PAIRS_AT_ONCE, "right")), start + 1)
        n = count[start:stop]
        i = np.repeat(np.arange(start, stop), n)
        within = np.arange(len(i)) - np.repeat(np.cumsum(n) - n, n)
        yield i, order[np.repeat(first[start:stop], n) + within]
        start = stop
