"""Weights of rows in the training loss: a column of numbers, each checked where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition.data_spec import DataSpec
from harness.data.rows.tables import Table
from harness.data.rows.targets import as_numbers


def weights_of(table: Table, spec: DataSpec) -> np.ndarray | None:
    """Weights float64 (n,) by data.weight; None where it names no column.

    Raises
    ------
    UserError
        If there is no such column, or a cell is no weight.
    """
    if spec.weight is None:
        return None
    name = spec.weight
    return checked_weights(table.column(name, "data.weight"), lambda row: table.place(name, row))


def checked_weights(cells: Sequence[str | float], place: Callable[[int], str]) -> np.ndarray:
    """float64 (n,) of cells; place : where a row's cell stands, in words.

    Raises
    ------
    UserError
        If one is no number, negative, NaN or infinite, or all are 0: names file, row, column, value and the cure.
    """
    values = as_numbers(cells)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        more = f" ({len(wrong):,} rows are like it)" if len(wrong) > 1 else ""
        raise UserError(
            f"{place(int(wrong[0]))}: '{plain(cells[wrong[0]], 80)}' is no weight, a number from 0 on. Correct the cell, take the row out, or "
            f"name another column by data.weight in competition.toml{more}."
        )
    if len(values) and not values.any():
        raise UserError(
            f"{place(0)}: '{plain(cells[0], 80)}', and so in every row: with weights of 0 nothing can be learnt. Correct the column, or take "
            "data.weight out of competition.toml."
        )
    return values


def note_on_weights(weights: np.ndarray) -> str:
    """What the weights of the training rows come to: their ends, and how many equal rows say as much (Kish's effective size)."""
    scaled = weights / weights.max()
    equal = scaled.sum() ** 2 / (scaled**2).sum()
    zero = int((weights == 0).sum())
    none = f"; {zero:,} weigh nothing" if zero else ""
    return (
        f"the training rows are weighted from {weights.min():g} to {weights.max():g}: they say as much as {equal:,.0f} of {len(weights):,} rows "
        f"of equal weight would{none}"
    )
