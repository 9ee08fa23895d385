"""From training rows to verdicts: what is blank, foreign, doubled, doubly labelled or mislabelled, and what to do about it.

Nothing here looks at a test label; test images only tell which training rows they repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.progress import LineWatcher
from harness.base.untrusted_text import plain
from harness.clean.copies.duplicates import Duplicates, families, find_duplicates, flat_rows
from harness.clean.copies.phash import ORIENTATIONS
from harness.clean.label_errors import suspected_rows
from harness.clean.label_votes import label_probabilities, winner
from harness.clean.odd.belonging import Belonging, belonging
from harness.clean.odd.judging import say_blank, say_foreign, say_tiny
from harness.clean.odd.outliers import oddness
from harness.clean.rows import Rows
from harness.clean.verdicts import Verdict
from harness.competition import Samples


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
    original_sizes: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    oof: np.ndarray | None = None,
    watcher: LineWatcher | None = None,
) -> Findings:
    """Judge every training row.

    What is odd is held against the test's images: it is kept where the test holds about as many of the kind.

    Parameters
    ----------
    original_sizes : int (n, 2), height and width before decoding, of the training and of the test images, where they are known
    oof : float (n, C), out-of-fold probabilities of a run, for label errors and for deciding between labels; NaN where a
        row was not predicted
    watcher : told what is done, and how far it is
    """
    assert samples.labels is not None  # training rows always have labels
    images, n, watcher = samples.images, len(samples), watcher or LineWatcher(quiet=True)
    test_images = test.images if test is not None and len(test) else None
    found, flat = Rows(samples, classes), flat_rows(images)
    test_flat = None if test_images is None else flat_rows(test_images)
    say_blank(found, flat, test_flat)
    sizes, test_sizes = original_sizes
    if sizes is not None:
        say_tiny(found, sizes, test_sizes, flat, test_flat)
    odd, test_odd = oddness(
        images, test_images, lambda done, total: watcher.working("describing all images", done, total)
    )
    pairs = find_duplicates(images, test_images, watcher)
    inside = pairs.second < n
    family = families(n, pairs.first[inside], pairs.second[inside])
    say_foreign(found, pairs, family, odd, test_odd, flat, test_flat)
    _judge_families(found, pairs, family, _alike(pairs, n, test_images), oof, watcher)
    _say_test_copies(found, pairs, test)
    if oof is not None:
        with watcher.waiting("looking for label errors by the run's out-of-fold probabilities"):
            _say_label_errors(found, oof)
    return Findings(found.in_order(), family, odd.strange)


def _alike(pairs: Duplicates, n: int, test: np.ndarray | None) -> Belonging:
    """Whether near duplicates may be look-alikes: as many test images are as like a training image as training images are."""
    near, inside = ~pairs.exact, pairs.second < n
    alike, test_alike = np.zeros(n, dtype=bool), None
    alike[np.r_[pairs.first[near & inside], pairs.second[near & inside]]] = True
    if test is not None:
        test_alike = np.zeros(len(test), dtype=bool)
        test_alike[pairs.second[near & ~inside] - n] = True
    return belonging(alike, test_alike)


def _judge_families(
    found: Rows,
    pairs: Duplicates,
    family: np.ndarray,
    alike: Belonging,
    oof: np.ndarray | None,
    watcher: LineWatcher,
) -> None:
    """Group copies of one label; of copies with several labels keep those with the right one, where that can be told.

    Near copies with several labels are kept where the test holds as many images that are so like a training image.
    """
    labels, out = found.labels, found.judged.copy()
    partners = _best_partners(found, pairs)
    members = _members(family, ~out)
    conflicts = [rows for rows in members if len(np.unique(labels[rows])) > 1]
    look_alikes = [rows for rows in conflicts if alike.kept[rows].all() and not any(partners[r].exact for r in rows)]
    for rows in look_alikes:
        names = " and ".join(found.classes[label] for label in np.unique(labels[rows]))
        for row in rows:
            said = f"labelled {found.classes[labels[row]]}; images that look like it are labelled {names}; {partners[row].said}"
            reason = alike.said(row, "as like a training image")
            found.say(row, "look-alike", "group", found.family(rows), f"{said}; {reason}")
    conflicts = [rows for rows in conflicts if not found.judged[rows[0]]]
    for rows in members:
        if len(np.unique(labels[rows])) == 1:
            for row in rows:
                found.say(row, *_copy_verdict(partners[row]), found.family(rows), partners[row].said)
    for rows, right in zip(conflicts, _right_labels(found, conflicts, out, oof, watcher), strict=True):
        names = " and ".join(found.classes[label] for label in np.unique(labels[rows]))
        for row in rows:
            said = f"labelled {found.classes[labels[row]]}; its copies are labelled {names}; {partners[row].said}"
            if right is None:
                found.say(row, "label conflict", "exclude", found.family(rows), f"{said}; which is right is open")
            else:
                action = "group" if labels[row] == right else "exclude"
                found.say(row, "label conflict", action, found.family(rows), f"{said}; {found.classes[right]} fits")


def _copy_verdict(partner: _Partner) -> tuple[str, str]:
    return ("exact duplicate" if partner.exact else "near duplicate"), "group"


@dataclass(frozen=True)
class _Partner:
    """The row that a row is most like."""

    exact: bool
    said: str


def _best_partners(found: Rows, pairs: Duplicates) -> dict[int, _Partner]:
    """For each row with a copy among the training rows, its best one, by its id."""
    n = len(found.samples)
    best: dict[int, _Partner] = {}
    inside = np.flatnonzero(pairs.second < n)
    for k in inside[np.argsort(-pairs.likeness[inside], kind="stable")]:
        a, b, turn = int(pairs.first[k]), int(pairs.second[k]), ORIENTATIONS[pairs.orientation[k]]
        how = "" if pairs.exact[k] or turn == ORIENTATIONS[0] else f", {turn}"
        alike = "every pixel" if pairs.exact[k] else f"correlation {pairs.likeness[k]:.3f}{how}"
        for row, other in ((a, b), (b, a)):
            best.setdefault(row, _Partner(bool(pairs.exact[k]), f"like id {found.name(other)} ({alike})"))
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
    found: Rows, conflicts: list[np.ndarray], out: np.ndarray, oof: np.ndarray | None, watcher: LineWatcher
) -> list[int | None]:
    """For each family with several labels the one that fits; None where that is open."""
    if not conflicts:
        return []
    labels, rows = found.labels, np.concatenate(conflicts)
    if oof is not None and not np.isnan(oof[rows]).any():
        proba = oof[rows]
    else:
        trusted = np.setdiff1d(np.flatnonzero(~out), rows)
        with watcher.waiting("asking a linear model which label of copies fits"):
            proba = label_probabilities(found.samples.images, labels, rows, trusted)
    edges = np.cumsum([len(c) for c in conflicts])[:-1]
    parts = np.split(proba, edges)
    return [winner(labels[c], part.mean(axis=0)) for c, part in zip(conflicts, parts, strict=True)]


def _say_test_copies(found: Rows, pairs: Duplicates, test: Samples | None) -> None:
    if test is None:
        return
    n = len(found.samples)
    for k in np.flatnonzero(pairs.second >= n):
        other = plain(str(test.ids[pairs.second[k] - n]), 80)
        found.say(
            int(pairs.first[k]),
            "copy of a test image",
            "keep",
            "",
            f"like test id {other} (correlation {pairs.likeness[k]:.3f})",
        )


def _say_label_errors(found: Rows, oof: np.ndarray) -> None:
    """Label errors (`suspected_rows`) on rows that are not yet judged."""
    rows, labels = np.flatnonzero(~found.judged & ~np.isnan(oof[:, 0])), found.labels
    for row in rows[suspected_rows(labels, oof, rows)].tolist():
        proba = oof[row] / oof[row].sum()
        likely = int(proba.argmax())
        said = f"to {found.classes[likely]}; OOF gives it {proba[likely]:.2f}, its label {found.classes[labels[row]]} {proba[labels[row]]:.2f}"
        found.say(row, "label error", "keep", "", said)
