"""A class that looks otherwise than the others is kept; foreign images, which carry any label, are not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.clean.judge import find
from harness.clean.odd.judging import _members, of_a_class
from harness.competition import Samples
from tests.clean.cells import cells, photograph


@pytest.mark.parametrize(
    ("odd", "of", "others_odd", "others", "kept"),
    [
        (20, 30, 3, 300, True),  # most of a class
        (12, 30, 3, 300, False),  # less than half
        (3, 3, 0, 300, True),  # all of a rare one: nothing of it would be left
        (1, 1, 30, 300, True),
        (1, 2, 30, 300, False),  # half, but by chance
        (160, 300, 160, 300, False),  # no more than of the others
    ],
)
def test_a_class_that_is_odd_by_half_looks_so(odd: int, of: int, others_odd: int, others: int, kept: bool):
    labels = np.r_[np.zeros(of, dtype=np.int64), np.ones(others, dtype=np.int64)]
    rows = np.r_[np.arange(of) < odd, np.arange(others) < others_odd]
    found = of_a_class(rows, labels)
    assert found[:of].sum() == (odd if kept else 0) and not found[of:].any()


def test_the_members_of_a_rows_family_are_all_of_it_in_order():
    family = np.random.default_rng(0).integers(0, 9, 50)
    members = _members(family)
    for row in range(50):
        assert members(row).tolist() == np.flatnonzero(family == family[row]).tolist()


def test_without_classes_nothing_is_of_one():
    assert not of_a_class(np.ones(5, dtype=bool), np.zeros(5, dtype=np.int64)).any()


def test_a_rare_class_of_photographs_among_cells_is_kept_and_said():
    images, labels = cells(150)
    foreign = np.stack([photograph(seed) for seed in range(8)])
    for theirs, action in ((np.full(8, 3), "keep"), (np.arange(8) % 3, "exclude")):
        samples = Samples(np.arange(158).astype(str), np.concatenate([images, foreign]), np.r_[labels, theirs])
        said = {int(v.id): v for v in find(samples, ("a", "b", "c", "photographs")).verdicts if v.verdict == "foreign"}
        assert {said[row].action for row in range(150, 158)} == {action}
        reason = "8 of 8 rows of class photographs are as far off: so it looks; kept"
        assert (reason in said[150].evidence) == (action == "keep")
