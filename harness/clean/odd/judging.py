"""Verdicts on what is odd. Each kind is held against the test's images: what the test holds about as many of is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.base.untrusted_text import counted
from harness.clean.copies.duplicates import Duplicates
from harness.clean.odd.belonging import Belonging, belonging
from harness.clean.odd.outliers import KINDS, STRANGE, Oddness
from harness.clean.rows import Rows

_MANY_LABELS, _MANY_COPIES = 3, 5  # a family with so many labels over so many copies shows no class at all
_LEAST = 5  # foreign test images of a kind: some are far off for another reason than what spoils the training rows
_OF_CLASS, _CHANCE = 0.5, 1e-3  # a class of which so many rows are odd looks so itself, where that is no chance
_TINY = 1 / 16  # original pixels as a share of the decoded ones


def say_blank(found: Rows, flat: np.ndarray, test_flat: np.ndarray | None) -> None:
    """Images of one colour, bool (n,) and (m,); None = no test."""
    _say(found, "blank", flat, belonging(flat, test_flat), "of one colour", lambda row: "nearly one colour all over")


def say_tiny(
    found: Rows, sizes: np.ndarray, test_sizes: np.ndarray | None, flat: np.ndarray, test_flat: np.ndarray | None
) -> None:
    """Images that were enlarged a lot; sizes : int (n, 2), (m, 2), height and width before decoding."""
    pixels = sizes.prod(axis=1)
    most = _TINY * found.samples.images.shape[1] * found.samples.images.shape[2]
    tiny, test_tiny, test_level = (pixels < most) & ~flat, None, None
    if test_sizes is not None and test_flat is not None:
        test_pixels = test_sizes.prod(axis=1)
        test_tiny, test_level = (test_pixels < most) & ~test_flat, -test_pixels
    belongs = belonging(tiny, test_tiny, -pixels, test_level)
    _say(
        found, "tiny", tiny, belongs, "as small", lambda row: f"was {sizes[row][1]}x{sizes[row][0]} pixels before it was enlarged"
    )  # fmt: skip


def say_foreign(
    found: Rows,
    pairs: Duplicates,
    family: np.ndarray,
    odd: Oddness,
    test_odd: Oddness | None,
    flat: np.ndarray,
    test_flat: np.ndarray | None,
) -> None:
    """Images far from the bulk, and families of look-alikes under many labels.

    family : int64 (n,), rows of one family of copies have the same number
    """
    nameless = _without_a_class(family, found.labels)
    belong_together = _keep_families(found, pairs, family, nameless, test_odd)
    foreign, reasons = (odd.strange >= STRANGE) & ~flat & ~nameless, {}
    kept = np.zeros(len(foreign), dtype=bool)
    for kind in range(len(KINDS)):
        these = foreign & (odd.kind == kind)
        test_these = None
        if test_odd is not None and test_flat is not None:
            test_these = (test_odd.strange >= STRANGE) & ~test_flat & (test_odd.kind == kind)
        belongs = belonging(these, test_these, odd.strange, None if test_odd is None else test_odd.strange, _LEAST)
        kept |= belongs.kept
        for row in np.flatnonzero(these).tolist():
            reasons[row] = belongs.said(row, f"as {KINDS[kind]}")
    own = of_a_class(foreign, found.labels)
    said_of_class = _said_of_class(found, foreign, "as far off")
    for row in np.flatnonzero(own & ~kept).tolist():
        reasons[row] = said_of_class(row)
    kept |= own
    out = (foreign & ~kept) | (nameless & ~belong_together)
    out |= _drawn_along(family, out) & ~belong_together
    members_of = _members(family)
    for row in np.flatnonzero(out | kept).tolist():
        members = members_of(row)
        said = f"{odd.strange[row]:.1f} spreads from the bulk (belonging ones are under {STRANGE:.0f})"
        if row in reasons:
            said += f"; {reasons[row]}"
        if out[row]:
            if len(members) > 1:
                said += f"; {len(members)} near-identical images with {counted(len(np.unique(found.labels[members])), 'label')}"
            found.say(row, "foreign", "exclude", found.family(members), said)
        else:
            found.keep(row, "foreign", said)


def _say(found: Rows, verdict: str, odd: np.ndarray, belongs: Belonging, how: str, why: Callable[[int], str]) -> None:
    own, said_of_class = of_a_class(odd, found.labels) & ~belongs.kept, _said_of_class(found, odd, how)
    for row in np.flatnonzero(odd).tolist():
        said = f"{why(row)}; {said_of_class(row) if own[row] else belongs.said(row, how)}"
        if belongs.kept[row] or own[row]:
            found.keep(row, verdict, said)
        else:
            found.say(row, verdict, "exclude", "", said)


def of_a_class(odd: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """bool (n,): odd rows that look as their class looks: at least half of its rows are odd, and more of them than of the others by
    more than chance (Fisher's exact test), or it is a class of which nothing else would be left.

    Foreign images carry any label, so that of no class they are the half. odd : bool (n,); labels : int (n,)
    """
    from scipy.stats import hypergeom

    counts = np.bincount(labels)
    odd_counts = np.bincount(labels[odd], minlength=len(counts))
    half = (odd_counts > 0) & (odd_counts >= _OF_CLASS * counts)
    chance = hypergeom.sf(odd_counts - 1, len(odd), odd.sum(), counts)
    own = half & ((chance < _CHANCE) | (odd_counts == counts)) & (counts < len(odd))
    return np.asarray(odd & own[labels])


def _said_of_class(found: Rows, odd: np.ndarray, how: str) -> Callable[[int], str]:
    """What to say of an odd row that looks as its class looks; rows are counted once, not for each row."""
    counts, odd_counts = np.bincount(found.labels), np.bincount(found.labels[odd], minlength=len(found.classes))

    def said(row: int) -> str:
        label = found.labels[row]
        of = f"{odd_counts[label]:,} of {counted(int(counts[label]), 'row')} of class {found.classes[label]}"
        return f"{of} are {how}: so it looks; kept"

    return said


def _members(family: np.ndarray) -> Callable[[int], np.ndarray]:
    """The rows (int64, sorted) of a row's family; all families are sorted once."""
    _, number, size = np.unique(family, return_inverse=True, return_counts=True)
    order, stop = np.argsort(number, kind="stable"), np.cumsum(size)
    return lambda row: order[stop[number[row]] - size[number[row]] : stop[number[row]]]


def _without_a_class(family: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """bool (n,): rows of families of near-identical images that carry many labels: they show none of the classes."""
    _, number, size = np.unique(family, return_inverse=True, return_counts=True)
    n_labels = np.bincount(np.unique(np.stack([number, labels]), axis=1)[0], minlength=len(size))
    return ((size >= _MANY_COPIES) & (n_labels >= _MANY_LABELS))[number]


def _drawn_along(family: np.ndarray, foreign: np.ndarray) -> np.ndarray:
    """bool (n,): rows of families that are foreign by half."""
    _, number, size = np.unique(family, return_inverse=True, return_counts=True)
    return ((size > 1) & (np.bincount(number, weights=foreign) >= 0.5 * size))[number]


def _keep_families(
    found: Rows, pairs: Duplicates, family: np.ndarray, nameless: np.ndarray, test_odd: Oddness | None
) -> np.ndarray:
    """bool (n,): rows of families without a class of which the test holds as many: images that look alike, not copies."""
    kept, n = np.zeros(len(family), dtype=bool), len(family)
    if test_odd is None:
        return kept
    outside = pairs.second >= n
    for name in np.unique(family[nameless]):
        members = family == name
        alike = np.zeros(len(test_odd.strange), dtype=bool)
        alike[pairs.second[outside & members[pairs.first]] - n] = True
        belongs = belonging(members, alike)
        rows = np.flatnonzero(belongs.kept)
        for row in rows.tolist():
            said = f"one of {len(rows):,} images that look alike, with {counted(len(np.unique(found.labels[rows])), 'label')}"
            found.say(row, "look-alike", "keep", found.family(rows), f"{said}; {belongs.said(row, 'of this look')}")
        kept |= belongs.kept
    return kept
