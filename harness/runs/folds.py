"""Which row is in which fold: the type, its CSV, its hash."""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import DAMAGED
from harness.base.untrusted_text import plain

_HEADER = ["id", "group", "fold", "kept"]


@dataclass(frozen=True)
class Folds:
    """A split of n rows into k folds.

    Attributes
    ----------
    ids : str array (n,)
    groups : int64 array (n,)
    fold : int8 array (n,), values 0..k-1: the fold whose model does not see the row
    kept : bool array (n,), False for rows that are excluded: predicted, never trained on, scored apart. Default: all True
    """

    ids: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    kept: np.ndarray = field(default=None)  # type: ignore[arg-type]  # made in __post_init__

    def __post_init__(self) -> None:
        if self.kept is None:
            object.__setattr__(self, "kept", np.ones(len(self.ids), dtype=bool))

    @property
    def k(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @functools.cached_property
    def hash(self) -> str:
        """12 hex digits over (id, fold) and which rows are kept; runs with equal hashes may be compared and blended."""
        lines = "\n".join(f"{i},{f}" for i, f in zip(self.ids, self.fold, strict=True))
        excluded = "" if self.kept.all() else "\nexcluded " + ",".join(self.ids[~self.kept])
        return hashlib.sha256((lines + excluded).encode()).hexdigest()[:12]

    def train_rows(self, fold: int) -> np.ndarray:
        """Rows (n_train,) that fold's model is trained on."""
        return np.flatnonzero((self.fold != fold) & self.kept)

    def valid_rows(self, fold: int) -> np.ndarray:
        """Rows (n_valid,) that fold's model predicts and never sees; excluded ones too."""
        return np.flatnonzero(self.fold == fold)

    def scored_rows(self, folds: Sequence[int]) -> np.ndarray:
        """Rows of these folds that scores are taken from."""
        return np.flatnonzero(np.isin(self.fold, folds) & self.kept)

    def save(self, path: Path) -> None:
        """Write id, group, fold, kept (1 or 0) as CSV."""
        with complete_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(_HEADER)
            kept = self.kept.astype(int).tolist()
            rows.writerows(zip(self.ids.tolist(), self.groups.tolist(), self.fold.tolist(), kept, strict=True))

    @classmethod
    def load(cls, path: Path) -> Folds:
        """Read folds.csv; without pandas, since every worker does and its import takes more memory than the rows.

        Raises
        ------
        UserError
            If it is missing or not of the form id, group, fold, kept.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if next(rows, None) != _HEADER:
                    raise ValueError("another header")
                ids, groups, fold, kept = zip(*rows, strict=True)
                if not set(kept) <= {"0", "1"}:
                    raise ValueError("kept is neither 0 nor 1")
                return cls(
                    np.array(ids),
                    np.array(groups, dtype=np.int64),
                    np.array(fold, dtype=np.int8),
                    np.array(kept) == "1",
                )
        except FileNotFoundError as error:
            raise UserError(f"{path}: not there. Run harness.cv again with --resume: it is restored.") from error
        except DAMAGED as error:
            raise UserError(
                f"{path}: not a folds file with columns {', '.join(_HEADER)} ({plain(error, 200)}). Run harness.cv again with --resume: it is "
                "restored."
            ) from error
