"""Cells of a column to numbers or to categories; what can be neither is named with its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.data.rows.tables import Table

GAPS = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-"))
"""What stands for a number that is not known, in any case and with blanks around it."""

_MOSTLY_NUMBERS = 0.9  # from this share of a column's values on, text among them is a mistake and not a category
_NAMES_OF_ROWS, _FEW_ROWS = 0.5, 20  # values per row from which on a text is the name of a row
_LARGEST = 1e30  # float32 squares it no more, but holds it


@dataclass(frozen=True)
class Cells:
    """A column of a split's table, with the place of its rows in words.

    Attributes
    ----------
    name, shown : of the column and of its table
    cells : as text
    rows : of each cell the number of its row in the file, counted from 0; None = all rows are there
    """

    name: str
    shown: str
    cells: Sequence[str]
    rows: Sequence[int] | None = None

    @classmethod
    def of(cls, table: Table, name: str) -> Cells:
        """A column of a table, with the file and the rows that it was taken from."""
        shown, rows = table.origin(name)
        return cls(name, shown, table.column(name, "data.features"), rows)

    def place(self, row: int) -> str:
        """A cell's place, in words."""
        return (
            f"{self.shown}: row {(row if self.rows is None else self.rows[row]) + 1}, column '{plain(self.name, 80)}'"
        )


def as_numbers(column: Cells) -> np.ndarray | None:
    """float32 (n,), NaN where a cell is empty; None where the column holds text.

    Raises
    ------
    UserError
        If there is text among numbers, or a number that is none (infinite, beyond 1e30): names row and value.
    """
    numbers: np.ndarray | None
    try:
        numbers = np.array([cell or "nan" for cell in column.cells], dtype=np.str_).astype(np.float64)
    except ValueError:
        numbers = _with_gaps(column)
        if numbers is None:
            return None
    wrong = np.flatnonzero(np.abs(np.nan_to_num(numbers, nan=0.0, posinf=np.inf, neginf=-np.inf)) > _LARGEST)
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{column.place(row)}: '{plain(column.cells[row], 80)}' is too large for a number. Correct the cell, or leave it empty: gaps are "
            "filled in."
        )
    return numbers.astype(np.float32)


def _with_gaps(column: Cells) -> np.ndarray | None:
    """Cell by cell: numbers with words for gaps among them; None where too few are numbers."""
    known = {cell: _number(cell) for cell in dict.fromkeys(column.cells)}
    text = [cell for cell, value in known.items() if value is None]
    if text and len(known) - len(text) < _MOSTLY_NUMBERS * len(known):
        return None
    if text:
        row = list(column.cells).index(text[0])
        raise UserError(
            f"{column.place(row)}: '{plain(text[0], 80)}' is no number, and {len(known) - len(text):,} of the column's {len(known):,} "
            "values are. Correct the cell or leave it empty; if its numbers are names, say so: data.categories = "
            f'["{plain(column.name, 80)}"] in competition.toml.'
        )
    return np.array([known[cell] for cell in column.cells], dtype=np.float64)


def _number(cell: str) -> float | None:
    if cell.strip().casefold() in GAPS:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return None


def refuse_empty_and_constant(column: Cells, values: np.ndarray) -> None:
    """Refuse a training column that tells nothing.

    values : of each row; NaN or "" where its cell is empty
    """
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values[values != ""]
    cure = f"Take '{plain(column.name, 80)}' out of data.features in competition.toml."
    if not len(known):
        raise UserError(f"{column.shown}: column '{plain(column.name, 80)}' is empty in every row. {cure}")
    shown_value = f"{known[0]:g}" if known.dtype.kind == "f" else plain(known[0], 80)
    if len(known) == len(values) and (known == known[0]).all():
        raise UserError(
            f"{column.shown}: column '{plain(column.name, 80)}' is '{shown_value}' in every row, so it tells nothing. {cure}"
        )


def refuse_names_of_rows(column: Cells) -> None:
    """Refuse a text that is another one in most rows: the name of a row, of which no other row can be told."""
    values = set(column.cells)
    if len(column.cells) >= _FEW_ROWS and len(values) > _NAMES_OF_ROWS * len(column.cells):
        raise UserError(
            f"{column.shown}: column '{plain(column.name, 80)}' has {len(values):,} different texts in {len(column.cells):,} rows, e.g. "
            f"'{plain(column.cells[0], 80)}': the name of a row and no category. Take it out of data.features in competition.toml."
        )
