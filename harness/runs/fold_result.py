"""What a fold's training yields, and the file that it lies in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.atomic_files import complete_file
from harness.runs.probability_tables import open_table


@dataclass(frozen=True)
class FoldResult:
    """What a fold's training yields.

    Attributes
    ----------
    fold : its number
    valid_index : int64 array (n_valid,), rows of the training set
    valid_proba : float32 array (n_valid, C)
    test_proba : float32 array (n_test, C), by the same weights and TTA; n_test = 0 where the test is hidden
    history : one dict per seed and epoch
    seconds : wall time of training and prediction
    """

    fold: int
    valid_index: np.ndarray
    valid_proba: np.ndarray
    test_proba: np.ndarray
    history: list[dict[str, Any]]
    seconds: float

    def tables(self) -> dict[str, np.ndarray]:
        """Its probabilities, of "valid" and "test" rows."""
        return {"valid": self.valid_proba, "test": self.test_proba}

    def save(self, path: Path, of: Sequence[str]) -> None:
        """Write it as fold-K.npz; of : the tables that are put into it, the others lie in files of their own."""
        with complete_file(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                valid_index=self.valid_index,
                **{  # type: ignore[arg-type]  # numpy's stub: a key could be allow_pickle
                    f"{name}_proba": self.tables()[name] for name in of
                },
                history=np.array(json.dumps(self.history)),
                seconds=np.array(self.seconds),
            )

    @classmethod
    def load(cls, path: Path, fold: int, valid: Path, test: Path) -> FoldResult:
        """Read fold-K.npz as it is; valid, test : where tables lie that are not in it."""
        with np.load(path, allow_pickle=False) as file:
            return cls(
                fold,
                file["valid_index"],
                file["valid_proba"] if "valid_proba" in file.files else open_table(valid),
                file["test_proba"] if "test_proba" in file.files else open_table(test),
                json.loads(str(file["history"])),
                float(file["seconds"]),
            )

    def is_sound(self) -> bool:
        """Whether the types and shapes are those of a fold's arrays."""
        rows, tables = self.valid_index, (self.valid_proba, self.test_proba)
        if not all(isinstance(array, np.ndarray) for array in (rows, *tables)):
            return False  # a member of an .npz that is no array comes as bytes
        kinds = rows.dtype.kind in "iu" and all(table.dtype.kind == "f" for table in tables)
        return (
            kinds and rows.ndim == 1 and all(table.ndim == 2 for table in tables) and len(rows) == len(self.valid_proba)
        )
