"""Samples: the rows of a competition as arrays, checked once, passed between all stages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.base.errors import UserError


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
    columns : what is known of each row beside its image, or None
    groups : int64 array (n,); samples of a group share a fold. Default: each row its own group
    """

    ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None = None
    captions: np.ndarray | None = None
    truth: np.ndarray | None = None
    soft: np.ndarray | None = None
    fold: np.ndarray | None = None
    rows: np.ndarray | None = None
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
        for name in ("images", "labels", "captions", "truth", "soft", "fold", "rows", "columns", "groups"):
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
