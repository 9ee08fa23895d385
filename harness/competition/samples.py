"""Rows of a competition: as files and text, before anything is decoded (`Listing`); as arrays, passed between all stages (`Samples`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain

Origins = Mapping[str, tuple[str, Sequence[int]]]
"""Of columns whose rows are not, one by one, those of the file that is shown (a part of them was taken, or they stand in another file):
the place of their file in words, and of each row its number there, counted from 0."""


def row_in_file(shown: str, origins: Origins, column: str, row: int) -> str:
    """Where a row of a column stands, in words: its file, and its number there as a reader counts it."""
    file, rows = origins.get(column, (shown, None))
    return f"{file}: row {(row if rows is None else rows[row]) + 1}"


@dataclass(frozen=True)
class RawTargets:
    """Targets as the data have them.

    Attributes
    ----------
    columns : cells of each target column
    names : of the columns
    shown : where they stand, in words
    separator : what stands between several labels in one cell, or None
    origins : of these columns, and of others of the same rows
    classes : of the one column, in the order of their numbers, where the file names them; else ()
    value_column : the file's column that holds the targets, where it has a row for each image and class
    rows_of_labels : of a file with a row for each label the first row, counted from 0, of each
    """

    columns: list[list[str]]
    names: list[str]
    shown: str
    separator: str | None = None
    origins: Origins = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    value_column: str | None = None
    rows_of_labels: Mapping[str, int] = field(default_factory=dict)

    def place_of_label(self, label: str) -> str:
        """Where the first row of a table that has a row for each label names this one; "" of other tables."""
        row = self.rows_of_labels.get(label)
        return "" if row is None else f"{self.shown}: row {row + 1}, column '{plain(self.names[0], 80)}'"

    def row(self, row: int) -> str:
        """A row's place, in words."""
        return row_in_file(self.shown, self.origins, self.names[0], row)

    def cell(self, name: str, row: int) -> str:
        """The place, in words, of a row's cell in a column, which may be another one than the targets'."""
        return f"{row_in_file(self.shown, self.origins, name, row)}, column '{plain(name, 80)}'"

    def place(self, row: int, column: int = 0) -> str:
        """A target's place, in words."""
        name = self.names[column]
        if self.value_column is None:
            return self.cell(name, row)
        return f"{row_in_file(self.shown, self.origins, name, row)}, column '{plain(self.value_column, 80)}'"


@dataclass(frozen=True)
class Listing:
    """The images of a split, row by row; none is opened. What `load_samples` may give instead of arrays.

    Attributes
    ----------
    files : names in the tree, of each row one or, where the channels lie in several, so many
    ids : of the rows
    targets : as text; None of test rows
    groups : a text of each row, equal ones share a fold, "" is alone; None = each alone. Rows that data.group finds alike are joined
        with them
    notes : what was left out and what is odd, in words
    fold : of each row the fold that the table gives, as text; None where it gives none
    rows : of test images, the submission's row that each is of; None = its id
    weight : of training rows, float64 (n,): what each counts in the loss; None = all the same
    """

    files: list[tuple[str, ...]]
    ids: list[str]
    targets: RawTargets | None
    groups: list[str] | None = None
    notes: tuple[str, ...] = ()
    fold: list[str] | None = None
    rows: list[str] | None = None
    weight: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        files: Sequence[str | Sequence[str]],
        ids: Sequence[str],
        labels: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
        groups: Sequence[Any] | None = None,
        fold: Sequence[int] | None = None,
        weight: Sequence[float] | None = None,
        rows: Sequence[str] | None = None,
        separator: str | None = None,
    ) -> Listing:
        """As a competition's own `load_samples` writes it down; the harness checks it, and blames the row.

        files : relative to the data folder or inside the zip or 7z that lies there; of a row one, or one for each channel
        labels : of training rows, text or numbers; several columns by their names, as the TOML's `label` has them
        separator : between several labels in one cell
        """
        columns = labels if isinstance(labels, Mapping) else {"label": labels}
        raw = RawTargets([list(cells) for cells in columns.values() if cells is not None], list(columns), "", separator)
        return cls(
            files=[(name,) if isinstance(name, str) else tuple(name) for name in files],
            ids=list(ids),
            targets=None if labels is None else raw,
            groups=None if groups is None else list(groups),
            fold=None if fold is None else list(map(str, fold)),
            weight=None if weight is None else np.asarray(weight),
            rows=None if rows is None else list(rows),
        )


@dataclass(frozen=True)
class Columns:
    """What is known of each row beside its image, as the tables have it: nothing is scaled or filled in.

    Attributes
    ----------
    numbers : float32 (n, N); NaN where a cell is empty
    codes : int32 (n, M), index into the values of each category; an empty cell is the value ""
    number_names : of the N
    categories : {name: values} of the M, in order; the values are those of the training and the test rows
    """

    numbers: np.ndarray
    codes: np.ndarray
    number_names: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns, numbers first."""
        return (*self.number_names, *self.categories)


@dataclass(frozen=True)
class Samples:
    """Rows in the order of the competition's own files.

    Attributes
    ----------
    ids : str array (n,), unique
    images : uint8 array or memory map (n, H, W, C)
    labels : int64 array (n,), index into the competition's classes, or float32 (n, K), 0 or 1 for each label or K numbers (see
        `harness.competition.tasks`); None for test rows
    captions : str array (n, K) or None; "" where an image has fewer than K
    truth : int64 array (n,) or None: true kinds, known from elsewhere; nothing is ever fitted on them unless asked for
    soft : float32 (n, C) or None: shares of annotators' votes, which training learns; `labels` are their largest
    rows : str array (n,) or None: of test images, the submission's row that each is of, where several share one
    fold : int8 array (n,) or None: folds that the data give
    weight : float array (n,) or None: of training rows, what each counts in the training loss; finite, >= 0, not all 0
    columns : what is known of each row beside its image, or None
    groups : int64 array (n,); samples of a group share a fold; `load_samples` may give texts, "" is alone. Default: each row its own group
    """

    ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None = None
    captions: np.ndarray | None = None
    truth: np.ndarray | None = None
    soft: np.ndarray | None = None
    fold: np.ndarray | None = None
    rows: np.ndarray | None = None
    weight: np.ndarray | None = None
    columns: Columns | None = None
    groups: np.ndarray = field(default=None)  # type: ignore[arg-type]  # made in __post_init__

    def __post_init__(self) -> None:
        if self.groups is None:
            object.__setattr__(self, "groups", np.arange(len(self.ids), dtype=np.int64))
        self._check_shapes()
        self._check_ids()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answered(self) -> np.ndarray:
        """What a submission answers: the ids, or the rows that images share, each once, in their order."""
        if self.rows is None:
            return self.ids
        _, first = np.unique(self.rows, return_index=True)
        return self.rows[np.sort(first)]

    def _check_shapes(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise UserError(
                f"images must be uint8 (n, H, W, C), got {self.images.dtype} {self.images.shape}; "
                "correct load_samples in competition.py"
            )
        for name in ("images", "labels", "captions", "truth", "soft", "fold", "rows", "weight", "columns", "groups"):
            array = getattr(self, name)
            if array is not None and len(array) != len(self.ids):
                raise UserError(f"{len(self.ids)} ids but {len(array)} {name}; every sample needs both")

    def _check_ids(self) -> None:
        unique, first, count = np.unique(self.ids, return_index=True, return_counts=True)
        if len(unique) < len(self.ids):
            twice = np.flatnonzero(count > 1)
            raise UserError(
                f"id '{unique[twice[0]]}' stands {count[twice[0]]} times (first in row {first[twice[0]] + 1}); "
                f"{len(twice)} ids are not unique. Rows are aligned by id: make them unique."
            )
