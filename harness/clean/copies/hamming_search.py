"""Pairs of 64-bit hashes that differ in few bits, without comparing all with all.

Pigeonhole: cut 64 bits into d + 1 chunks; two hashes that differ in at most d bits agree in a whole chunk. So only hashes
in the same bucket of some chunk are compared. Exact: every pair is found (the tests hold it against all pairs). Equal hashes
are taken together first, so that a thousand copies of one image cost a thousand, not a million; and where an `Order` is given a hash
is paired with the nearest only, so that a thousand frames of a fixed camera cost a thousand times a few.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_PAIRS_AT_ONCE = 1_000_000
_HELD = 2_000_000  # pairs, before those beyond `Order.most` are let go


@dataclass(frozen=True)
class Order:
    """Which pairs are wanted where there are many: each hash with so many nearest ones of those before it.

    Attributes
    ----------
    left, right : int64 (n,), (k,), place of each hash; of a pair the one with the larger place is the later one
    most : pairs in which a hash is the later one, beside that with its own place; of equally near ones the first come first
    outside : hashes from this place on are not paired with each other
    """

    left: np.ndarray
    right: np.ndarray
    most: int
    outside: int


def near_pairs(
    left: np.ndarray, right: np.ndarray, distance: int, order: Order | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs (i, j), int64 (m,) each, of all left[i] and right[j] that differ in at most `distance` bits.

    left, right : uint64 (n,), (k,), without repetitions
    order : of these pairs only the nearest; default: all
    """
    kept, chunks = _Kept(order, len(left), len(right)), _chunks(distance + 1)
    for number, (low, width) in enumerate(chunks):
        for i, j in _same_bucket(_chunk(left, low, width), _chunk(right, low, width)):
            differing = left[i] ^ right[j]
            bits = np.bitwise_count(differing)
            new = bits <= distance
            for before in chunks[:number]:  # a pair is taken in the first chunk that it agrees in
                new &= _chunk(differing, *before) != 0
            kept.add(i[new], j[new], bits[new])
    return kept.pairs()


class _Kept:
    """Pairs that are found, and of those beyond an order's most the nearest."""

    def __init__(self, order: Order | None, n_left: int, n_right: int) -> None:
        self.order, self.n_left, self.n_right = order, n_left, n_right
        self.found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8))]
        self.held = 0
        self.limit = np.full(
            n_left + 2 * n_right, 255, dtype=np.uint8
        )  # of a later hash that has its most: it wants fewer bits

    def add(self, i: np.ndarray, j: np.ndarray, bits: np.ndarray) -> None:
        if self.order is not None:
            wanted = (self.order.left[i] < self.order.outside) | (self.order.right[j] < self.order.outside)
            wanted &= bits < self.limit[self._later(i, j)]
            i, j, bits = i[wanted], j[wanted], bits[wanted]
        self.found.append((i, j, bits))
        self.held += len(i)
        if self.order is not None and self.held > _HELD:
            self._let_go(self.order)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        if self.order is not None:
            self._let_go(self.order)
        i, j, _ = self._together()
        return i, j

    def _together(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j, bits = zip(*self.found, strict=True)
        return np.concatenate(i), np.concatenate(j), np.concatenate(bits)

    def _later(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Number of the later hash of each pair: a left one's is its own, a right one's comes behind; what is in one place is never in a
        crowd, and has the numbers behind these."""
        assert self.order is not None
        ahead = np.sign(self.order.right[j] - self.order.left[i])
        return np.choose(ahead + 1, (i, self.n_left + self.n_right + j, self.n_left + j))

    def _let_go(self, order: Order) -> None:
        i, j, bits = self._together()
        later = self._later(i, j)
        by = np.lexsort((np.minimum(order.left[i], order.right[j]), bits, later))
        of, first, count = np.unique(later[by], return_index=True, return_counts=True)
        place = np.arange(len(by)) - np.repeat(first, count)
        full = count >= order.most
        self.limit[of[full]] = bits[by[first[full] + order.most - 1]]
        by = by[place < order.most]
        self.found, self.held = [(i[by], j[by], bits[by])], 0


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
