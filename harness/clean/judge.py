"""From training rows to verdicts: what is blank, foreign, doubled, doubly labelled or mislabelled, and what to do about it.

Nothing here looks at a test label; test images only tell which training rows they repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.clean.copies.duplicates import Duplicates, families, find_duplicates, flat_rows
from harness.clean.copies.phash import ORIENTATIONS
from harness.clean.label_votes import label_probabilities, winner
from harness.clean.outliers import outlier_scores
from harness.clean.verdicts import Verdict
from harness.competition import Samples

STRANGE = 3.0
"""Spreads of the bulk beyond which an image is foreign."""

_MANY_LABELS, _MANY_COPIES = 3, 5  # a family with so many labels over so many copies shows no class at all
_TINY = 1 / 16  # original pixels as a share of the decoded ones


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes
    ----------
    verdicts : rows that are not plainly clean, in the training rows' order
    family : int64 (n,), rows of one family of copies have the same number
    strange : float (n,), spreads of the bulk
    """

    verdicts: list[Verdict]
    family: np.ndarray
    strange: np.ndarray


def find(
    samples: Samples,
    classes: Sequence[str],
    test: Samples | None = None,
    original_sizes: np.ndarray | None = None,
    oof: np.ndarray | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Judge every training row.

    Parameters
    ----------
    original_sizes : int (n, 2), height and width before decoding, where they are known
    oof : float (n, C), out-of-fold probabilities of a run, for label errors and for deciding between labels; NaN where a
        row was not predicted
    tick : told (rows done, rows in all) of the slowest part
    """
    assert samples.labels is not None  # training rows always have labels
    images, n = samples.images, len(samples)
    found = _Rows(samples, classes)
    flat = flat_rows(images)
    for row in np.flatnonzero(flat).tolist():
        found.say(row, "blank", "exclude", "", "one colour all over")
    if original_sizes is not None:
        for row in _tiny_rows(images, original_sizes, flat):
            height, width = original_sizes[row]
            found.say(row, "tiny", "exclude", "", f"was {width}x{height} pixels before it was enlarged")
    strange = outlier_scores(images, tick)
    foreign = (strange >= STRANGE) & ~flat
    pairs = find_duplicates(images, None if test is None else test.images)
    inside = pairs.second < n
    family = families(n, pairs.first[inside], pairs.second[inside])
    foreign |= _without_a_class(family, samples.labels, foreign)
    for row in np.flatnonzero(foreign).tolist():
        found.say(row, "foreign", "exclude", _name(family, row), _why_foreign(row, strange, family, samples.labels))
    _judge_families(found, pairs, family, found.judged, oof)
    _say_test_copies(found, pairs, test)
    if oof is not None:
        _say_label_errors(found, oof)
    return Findings(found.in_order(), family, strange)


class _Rows:
    """Verdicts as they are found; the first on a row stands."""

    def __init__(self, samples: Samples, classes: Sequence[str]) -> None:
        assert samples.labels is not None  # training rows always have labels
        self.samples, self.labels, self.classes = samples, samples.labels, classes
        self.judged = np.zeros(len(samples), dtype=bool)
        self._verdicts: dict[int, Verdict] = {}

    def say(self, row: int, verdict: str, action: str, group: str, evidence: str) -> None:
        if not self.judged[row]:
            self.judged[row] = True
            self._verdicts[int(row)] = Verdict(str(self.samples.ids[row]), verdict, action, group, evidence)

    def in_order(self) -> list[Verdict]:
        return [self._verdicts[row] for row in sorted(self._verdicts)]


def _name(family: np.ndarray, row: int) -> str:
    """A family's name is its first row's number; a row alone has none."""
    members = np.flatnonzero(family == family[row])
    return f"family-{members[0]}" if len(members) > 1 else ""


def _tiny_rows(images: np.ndarray, sizes: np.ndarray, flat: np.ndarray) -> np.ndarray:
    decoded = images.shape[1] * images.shape[2]
    return np.flatnonzero((sizes.prod(axis=1) < _TINY * decoded) & ~flat)


def _without_a_class(family: np.ndarray, labels: np.ndarray, foreign: np.ndarray) -> np.ndarray:
    """bool (n,): rows of families of near-identical images that carry many labels: they show none of the classes.

    A family that is foreign by half draws the rest of it along.
    """
    _, number, size = np.unique(family, return_inverse=True, return_counts=True)
    n_labels = np.bincount(np.unique(np.stack([number, labels]), axis=1)[0], minlength=len(size))
    share = np.bincount(number, weights=foreign) / size
    many = (size >= _MANY_COPIES) & (n_labels >= _MANY_LABELS)
    return (many | ((size > 1) & (share >= 0.5)))[number]


def _why_foreign(row: int, strange: np.ndarray, family: np.ndarray, labels: np.ndarray) -> str:
    members = np.flatnonzero(family == family[row])
    said = f"{strange[row]:.1f} spreads from the bulk (belonging ones are under {STRANGE:.0f})"
    if len(members) > 1:
        said += f"; {len(members)} near-identical images with {len(np.unique(labels[members]))} labels"
    return said


def _judge_families(
    found: _Rows, pairs: Duplicates, family: np.ndarray, out: np.ndarray, oof: np.ndarray | None
) -> None:
    """Group copies of one label; of copies with several labels keep those with the right one, where that can be told."""
    labels, n = found.labels, len(family)
    partners = _best_partners(pairs, n)
    members = _members(family, ~out)
    conflicts = [rows for rows in members if len(np.unique(labels[rows])) > 1]
    for rows in members:
        if len(np.unique(labels[rows])) == 1:
            for row in rows:
                found.say(row, *_copy_verdict(partners[row]), f"family-{rows[0]}", partners[row].said)
    for rows, right in zip(conflicts, _right_labels(found, conflicts, family, out, oof), strict=True):
        names = " and ".join(found.classes[label] for label in np.unique(labels[rows]))
        for row in rows:
            said = f"labelled {found.classes[labels[row]]}; its copies are labelled {names}; {partners[row].said}"
            if right is None:
                found.say(row, "label conflict", "exclude", f"family-{rows[0]}", f"{said}; which is right is open")
            else:
                action = "group" if labels[row] == right else "exclude"
                found.say(row, "label conflict", action, f"family-{rows[0]}", f"{said}; {found.classes[right]} fits")


def _copy_verdict(partner: _Partner) -> tuple[str, str]:
    return ("exact duplicate" if partner.exact else "near duplicate"), "group"


@dataclass(frozen=True)
class _Partner:
    """The row that a row is most like."""

    exact: bool
    said: str


def _best_partners(pairs: Duplicates, n: int) -> dict[int, _Partner]:
    """For each row with a copy among the training rows, its best one; rows in words are counted from 0."""
    best: dict[int, _Partner] = {}
    inside = np.flatnonzero(pairs.second < n)
    for k in inside[np.argsort(-pairs.likeness[inside], kind="stable")]:
        a, b, turn = int(pairs.first[k]), int(pairs.second[k]), ORIENTATIONS[pairs.orientation[k]]
        how = "" if pairs.exact[k] or turn == ORIENTATIONS[0] else f", {turn}"
        alike = "every pixel" if pairs.exact[k] else f"correlation {pairs.likeness[k]:.3f}{how}"
        for row, other in ((a, b), (b, a)):
            best.setdefault(row, _Partner(bool(pairs.exact[k]), f"like row {other} ({alike})"))
    return best


def _members(family: np.ndarray, eligible: np.ndarray) -> list[np.ndarray]:
    """Row numbers of each family with two eligible rows or more."""
    rows = np.flatnonzero(eligible)
    order = rows[np.argsort(family[rows], kind="stable")]
    if not len(order):
        return []
    starts = np.flatnonzero(np.r_[True, np.diff(family[order]) != 0])
    return [part for part in np.split(order, starts[1:]) if len(part) > 1]


def _right_labels(
    found: _Rows, conflicts: list[np.ndarray], family: np.ndarray, out: np.ndarray, oof: np.ndarray | None
) -> list[int | None]:
    """For each family with several labels the one that fits; None where that is open."""
    if not conflicts:
        return []
    labels, rows = found.labels, np.concatenate(conflicts)
    if oof is not None and not np.isnan(oof[rows]).any():
        proba = oof[rows]
    else:
        trusted = np.setdiff1d(np.flatnonzero(~out), rows)
        proba = label_probabilities(found.samples.images, labels, rows, trusted)
    edges = np.cumsum([len(c) for c in conflicts])[:-1]
    parts = np.split(proba, edges)
    return [winner(labels[c], part.mean(axis=0)) for c, part in zip(conflicts, parts, strict=True)]


def _say_test_copies(found: _Rows, pairs: Duplicates, test: Samples | None) -> None:
    if test is None:
        return
    n = len(found.samples)
    for k in np.flatnonzero(pairs.second >= n):
        other = test.ids[pairs.second[k] - n]
        found.say(
            int(pairs.first[k]),
            "copy of a test image",
            "keep",
            "",
            f"like test id {other} (correlation {pairs.likeness[k]:.3f})",
        )


def _say_label_errors(found: _Rows, oof: np.ndarray) -> None:
    """Label errors by confident learning (Northcutt, Jiang, Chuang 2021; cleanlab) on rows that are not yet judged."""
    from cleanlab.filter import find_label_issues

    rows = np.flatnonzero(~found.judged & ~np.isnan(oof).any(axis=1))
    labels = found.labels
    if len(np.unique(labels[rows])) < oof.shape[1]:
        return  # cleanlab wants every class
    proba = oof[rows] / oof[rows].sum(axis=1, keepdims=True)
    for k in find_label_issues(labels[rows], proba, return_indices_ranked_by="self_confidence", n_jobs=1):
        row, likely = rows[k], int(proba[k].argmax())
        said = f"to {found.classes[likely]}; OOF gives it {proba[k, likely]:.2f}, its label {found.classes[labels[row]]} {proba[k, labels[row]]:.2f}"
        found.say(row, "label error", "keep", "", said)
