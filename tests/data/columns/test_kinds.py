"""Cells of a column: where they stand."""

from __future__ import annotations

import pytest

from harness.base.errors import UserError
from harness.data.columns.kinds import Cells, as_numbers
from harness.data.rows.tables import Table, joined, rows_where


def test_a_cell_is_told_by_its_row_in_its_own_file():
    table = rows_where(Table(["id", "part"], [["a", "b", "c"], ["x", "y", "y"]], "train.csv"), {"part": ("y",)}, "w")
    other = Table(["id", "age"], [["a", "c", "b"], ["1", "1e99", "3"]], "ages.csv")
    both = joined(table, other, "id", "id")
    assert Cells.of(both, "part").place(1) == "train.csv: row 3, column 'part'"
    with pytest.raises(UserError, match="^ages.csv: row 2, column 'age': '1e99' is too large"):
        as_numbers(Cells.of(both, "age"))
