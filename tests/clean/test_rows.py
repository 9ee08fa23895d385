"""Rows are named by their ids; a family's name is the key of its group."""

from __future__ import annotations

import numpy as np

from harness.clean.rows import Rows
from harness.competition import Samples


def test_families_of_long_ids_that_begin_alike_stay_apart():
    path = "studies/" + "1.2.840.113619" * 8
    ids = np.array([f"{path}/{number}.dcm" for number in range(6)])
    rows = Rows(Samples(ids, np.zeros((6, 2, 2, 1), np.uint8), np.zeros(6, dtype=np.int64)), ("a",))
    assert len({rows.family(np.array(members)) for members in ([0, 1], [2, 3], [4, 5])}) == 3
    assert rows.family(np.array([2, 3])) == f"family-{ids[2]}" and rows.family(np.array([4])) == ""
    assert len(rows.name(0)) < 90
