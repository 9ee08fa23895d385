"""A table that holds the rows of training and test: which column says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.data.guess.words import of_test, of_training
from harness.data.rows.tables import Table

_NAME = re.compile(r"(data[ _-]?)?(set|split|subset|partition|phase|usage)|.*[_ ](split|set)", re.I)
_MOST_VALUES = 5


@dataclass(frozen=True)
class Split:
    """What a column says of the rows.

    Attributes
    ----------
    column : its name; train, test : its values for training (and validation), and for the test, () where there are no such rows
    """

    column: str
    train: tuple[str, ...]
    test: tuple[str, ...]


def split_column(table: Table) -> Split | None:
    """The column that tells training rows from others; None where there is none."""
    for name, cells in zip(table.header, table.columns, strict=True):
        values = dict.fromkeys(cells)
        if not _NAME.fullmatch(name) or not 1 < len(values) <= _MOST_VALUES or "" in values:
            continue
        test = tuple(value for value in values if of_test(value))  # FER2013: PublicTest
        train = tuple(value for value in values if value not in test)
        if any(of_training(value) or value.lower().startswith("dev") for value in train):
            return Split(name, train, test)
    return None
