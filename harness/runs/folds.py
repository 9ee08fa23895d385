"""Which row is in which fold: the type, its CSV, its hash."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.files import complete_file


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
        import pandas as pd

        table = pd.DataFrame({"id": self.ids, "group": self.groups, "fold": self.fold})
        with complete_file(path) as temporary:
            table.to_csv(temporary, index=False)

    @classmethod
    def load(cls, path: Path) -> Folds:
        """Read folds.csv.

        Raises
        ------
        UserError
            If it is missing or not of the form id, group, fold.
        """
        import pandas as pd

        try:
            table = pd.read_csv(path, dtype={"id": str, "group": np.int64, "fold": np.int8}, keep_default_na=False)
            return cls(table["id"].to_numpy(dtype=np.str_), table["group"].to_numpy(), table["fold"].to_numpy())
        except FileNotFoundError as error:
            raise UserError(
                f"{path}: not there. The run folder is incomplete; copy it again or repeat the run."
            ) from error
        except (ValueError, KeyError) as error:
            raise UserError(f"{path}: not a folds file with columns id, group, fold ({error}).") from error
