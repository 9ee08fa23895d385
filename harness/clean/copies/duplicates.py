"""Exact and near duplicates, mirrored and turned ones too, within the training rows and between them and the test.

Candidates are pairs whose perceptual hashes differ in few bits; the pixels then decide: two images are near duplicates
where, brought to 32x32, they correlate at 0.98 or more, whatever their brightness and contrast.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from harness.base.pictures import as_picture
from harness.base.progress import LineWatcher
from harness.clean.copies.hamming_search import Order, near_pairs
from harness.clean.copies.phash import ORIENTATIONS, hash_images, orient

_SMALL = 32
_ALIKE = 0.98
_CROWDED = 1_000  # pairs of rows of two hashes
_PARTNERS = 32  # hashes before its own that a hash is paired with, the nearest: families of more (a fixed camera's frames) hang together so
_FAR, _NEAR = 10, 4  # bits
_AFFORDABLE = 5e8  # comparisons, some seconds
_FLAT = 2.0  # grey levels of 255: an image whose pixels spread less than this shows nothing


@dataclass(frozen=True)
class Duplicates:
    """Pairs of rows; rows of the test count on from the training's.

    Attributes
    ----------
    first, second : int64 (m,), first < second
    exact : bool (m,), whether every pixel is the same
    orientation : int64 (m,), index into `ORIENTATIONS`: the second is the first so turned
    likeness : float64 (m,), correlation of the small images
    """

    first: np.ndarray
    second: np.ndarray
    exact: np.ndarray
    orientation: np.ndarray
    likeness: np.ndarray


def find_duplicates(
    images: np.ndarray, test: np.ndarray | None = None, watcher: LineWatcher | None = None
) -> Duplicates:
    """All pairs of duplicates of uint8 images (n, H, W, C), and of these with test images (k, H, W, C).

    Of many exact copies of one image each is paired with the first only, and of many near ones with the nearest only: families are the
    same, pairs are no more than a few times the rows. Flat images (see `flat_rows`) are left out:
    they are all alike and all different.
    """
    both, watcher = _Stack(images, test), watcher or LineWatcher(quiet=True)
    exact = _exact_pairs(both, watcher)
    kept = np.setdiff1d(np.arange(len(both)), exact[:, 1])  # of exact copies the first stands for all
    kept = kept[~flat_rows(both, kept)]
    hashes = [np.zeros((0, 8), np.uint64)]
    for s in watcher.over("perceptual hashes of all images", range(0, len(kept), 4096)):
        hashes.append(hash_images(both[kept[s : s + 4096]]))
    near = _confirmed(
        both, kept, *_candidates(np.concatenate(hashes), int(np.searchsorted(kept, len(images))), watcher), watcher
    )
    rows = np.concatenate([np.column_stack([exact, np.zeros(len(exact), int)]), near.pairs]).astype(np.int64)
    inside = rows[:, 0] < len(images)  # pairs within the test are the test's business
    likeness = np.concatenate([np.ones(len(exact)), near.likeness])
    is_exact = np.arange(len(rows)) < len(exact)
    return Duplicates(rows[inside, 0], rows[inside, 1], is_exact[inside], rows[inside, 2], likeness[inside])


def families(n: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """int64 (n,): rows that pairs connect have the same number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def flat_rows(images: np.ndarray | _Stack, rows: np.ndarray | None = None) -> np.ndarray:
    """bool (len(rows),): images of one colour."""
    rows = np.arange(len(images)) if rows is None else rows
    parts = [
        images[rows[s : s + 4096]].reshape(len(rows[s : s + 4096]), -1).std(axis=1) < _FLAT
        for s in range(0, len(rows), 4096)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


class _Stack:
    """Training images with the test's behind them, read by row, never copied as a whole."""

    def __init__(self, images: np.ndarray, test: np.ndarray | None) -> None:
        self.images, self.test = images, test

    def __len__(self) -> int:
        return len(self.images) + (0 if self.test is None else len(self.test))

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        n = len(self.images)
        if self.test is None or not (rows >= n).any():
            return np.asarray(self.images[rows])
        out = np.empty((len(rows), *self.images.shape[1:]), dtype=np.uint8)
        out[rows < n] = self.images[rows[rows < n]]
        out[rows >= n] = self.test[rows[rows >= n] - n]
        return out


def _exact_pairs(both: _Stack, watcher: LineWatcher) -> np.ndarray:
    """int64 (m, 2): (first row of that content, another row of it)."""
    seen: dict[bytes, int] = {}
    pairs = []
    for start in watcher.over("looking for exact copies", range(0, len(both), 4096)):
        rows = np.arange(start, min(start + 4096, len(both)))
        for row, image in zip(rows.tolist(), both[rows], strict=True):
            first = seen.setdefault(hashlib.blake2b(image.tobytes(), digest_size=16).digest(), row)
            if first != row:
                pairs.append((first, row))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _candidates(hashes: np.ndarray, n: int, watcher: LineWatcher) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index pairs with i < j and the orientation of i in which it is like j. n : rows from this one on are the test's"""
    base = _Buckets.of(hashes[:, 0])
    found = [np.zeros((3, 0), dtype=np.int64)]
    for orientation in watcher.over(
        "looking for hashes that are alike, in eight flips and turns", range(len(ORIENTATIONS))
    ):
        turned = _Buckets.of(hashes[:, orientation])
        order = Order(turned.rows[turned.start], base.rows[base.start], _PARTNERS, n)
        i, j = _joined(turned, base, *near_pairs(turned.hashes, base.hashes, _distance(len(base.hashes)), order))
        ordered = i < j
        found.append(np.stack([i[ordered], j[ordered], np.full(int(ordered.sum()), orientation)]))
    i, j, orientation = np.concatenate(found, axis=1)
    return i, j, orientation


@dataclass(frozen=True)
class _Buckets:
    """Rows by their hash: those of hashes[k] are rows[start[k] : start[k] + count[k]]."""

    hashes: np.ndarray
    rows: np.ndarray
    start: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, hashes: np.ndarray) -> _Buckets:
        unique, of_row, count = np.unique(hashes, return_inverse=True, return_counts=True)
        return cls(unique, np.argsort(of_row, kind="stable"), np.cumsum(count) - count, count)


def _joined(left: _Buckets, right: _Buckets, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of rows of the buckets left[a] and right[b]; of two crowded ones only the left's first row is paired."""
    n_left, n_right = left.count[a], right.count[b]
    n_left = np.where(n_left * n_right > _CROWDED, 1, n_left)
    n = n_left * n_right
    within = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
    of_left, of_right = np.divmod(within, np.repeat(n_right, n))
    return left.rows[np.repeat(left.start[a], n) + of_left], right.rows[np.repeat(right.start[b], n) + of_right]


def _distance(n: int) -> int:
    """The most bits up to 10 that can be searched in reasonable time: fewer, the more hashes there are."""
    for distance in range(_FAR, _NEAR, -2):
        buckets = 2 ** (64 / (distance + 1))
        if len(ORIENTATIONS) * (distance + 1) * n**2 / buckets < _AFFORDABLE:
            return distance
    return _NEAR


@dataclass(frozen=True)
class _Near:
    pairs: np.ndarray  # (m, 3): first row, second row, orientation
    likeness: np.ndarray


def _confirmed(
    both: _Stack, kept: np.ndarray, i: np.ndarray, j: np.ndarray, orientation: np.ndarray, watcher: LineWatcher
) -> _Near:
    """The candidates that the pixels confirm; of several orientations of a pair the most alike."""
    rows, position = np.unique(np.concatenate([i, j]), return_inverse=True)
    small = _standardised(both, kept[rows], watcher)
    left, right = position[: len(i)], position[len(i) :]
    likeness = np.zeros(len(i))
    for turn in watcher.over("comparing the pixels of images with such hashes", range(len(ORIENTATIONS))):
        these = np.flatnonzero(orientation == turn)
        for s in range(0, len(these), 4096):
            part = these[s : s + 4096]
            turned = np.stack([orient(image, turn) for image in small[left[part]]])
            likeness[part] = (turned * small[right[part]]).reshape(len(part), -1).sum(axis=1)
    alike = np.flatnonzero(likeness >= _ALIKE)
    alike = alike[np.lexsort((-likeness[alike], j[alike], i[alike]))]
    pair = np.column_stack([i[alike], j[alike]])
    first_of_pair = np.r_[True, (np.diff(pair, axis=0) != 0).any(axis=1)][: len(pair)]
    chosen = alike[first_of_pair]
    pairs = (
        np.column_stack([kept[i[chosen]], kept[j[chosen]], orientation[chosen]])
        if len(chosen)
        else np.zeros((0, 3), np.int64)
    )
    return _Near(pairs, likeness[chosen])


def _standardised(both: _Stack, rows: np.ndarray, watcher: LineWatcher) -> np.ndarray:
    """float32 (len(rows), 32, 32, C): small images with mean 0 and length 1, so that a product is a correlation."""
    from PIL import Image

    small = np.empty((len(rows), _SMALL, _SMALL, both.images.shape[3]), dtype=np.float32)
    for s in watcher.over("making images with such hashes small", range(0, len(rows), 1024)):
        for k, image in enumerate(both[rows[s : s + 1024]]):
            bands = [image] if image.shape[-1] in (1, 3) else np.split(image, image.shape[-1], axis=2)
            parts = [as_picture(band).resize((_SMALL, _SMALL), Image.Resampling.BILINEAR) for band in bands]
            small[s + k] = np.concatenate([np.asarray(p).reshape(_SMALL, _SMALL, -1) for p in parts], axis=2)
    small -= small.mean(axis=(1, 2, 3), keepdims=True)
    return small / np.sqrt((small**2).sum(axis=(1, 2, 3), keepdims=True)).clip(min=1e-6)
