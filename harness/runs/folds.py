"""Which row is in which fold: the type, its CSV, its hash."""

from __future__ import annotations

import csv
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.files import complete_file

_HEADER = ["id", "group", "fold"]


@dataclass(frozen=True)
class Folds:
    """A split of n rows into k folds.

    Attributes
    ----------
    ids : str array (n,)
    groups : int64 array (n,)
    fold : int8 array (n,), values 0..k-1: the fold whose model does not see the row
    """

    ids: np.ndarray
    groups: np.ndarray
    fold: np.ndarray

    @property
    def k(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @functools.cached_property
    def hash(self) -> str:
        """12 hex digits over (id, fold); runs with equal hashes may be compared and blended."""
        lines = "\n".join(f"{i},{f}" for i, f in zip(self.ids, self.fold, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()[:12]

    def train_rows(self, fold: int) -> np.ndarray:
        """Rows (n_train,) that fold's model is trained on."""
        return np.flatnonzero(self.fold != fold)

    def valid_rows(self, fold: int) -> np.ndarray:
        """Rows (n_valid,) that fold's model predicts and never sees."""
        return np.flatnonzero(self.fold == fold)

    def save(self, path: Path) -> None:
        """Write id, group, fold as CSV."""
        with complete_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(_HEADER)
            rows.writerows(zip(self.ids.tolist(), self.groups.tolist(), self.fold.tolist(), strict=True))

    @classmethod
    def load(cls, path: Path) -> Folds:
        """Read folds.csv; without pandas, since every worker does and its import takes more memory than the rows.

        Raises
        ------
        UserError
            If it is missing or not of the form id, group, fold.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if next(rows, None) != _HEADER:
                    raise ValueError("another header")
                ids, groups, fold = zip(*rows, strict=True)
                return cls(np.array(ids), np.array(groups, dtype=np.int64), np.array(fold, dtype=np.int8))
        except FileNotFoundError as error:
            raise UserError(
                f"{path}: not there. The run folder is incomplete; copy it again or repeat the run."
            ) from error
        except ValueError as error:
            raise UserError(f"{path}: not a folds file with columns id, group, fold ({error}).") from error
