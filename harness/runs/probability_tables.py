"""Tables of probabilities (rows, classes) that may be larger than memory: kept as float16 in memory-mapped files.

A run of 200,000 rows and 20,000 classes has 4,000,000,000 probabilities. What is small stays an array; what is large is written and read
a piece at a time, and never copied whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.npy import open_array
from harness.competition.metrics import row_pieces

LARGE = 1 << 26
"""Cells from which on a table is kept in a file of its own: 256 MB as float32."""


def is_large(n: int, n_classes: int) -> bool:
    """Whether a table of so many rows and classes is kept in a file."""
    return n * n_classes > LARGE


class Summing:
    """The mean of several predictions of the same rows, added up a batch at a time: in memory, or of a large table in a file.

    Parameters
    ----------
    n, n_classes : of the table; of : how many predictions of each row are added
    path : of the file that a large one is put into, float16 in the end
    """

    def __init__(self, n: int, n_classes: int, of: int, path: Path) -> None:
        self.path, self.of, self.large = path, of, is_large(n, n_classes)
        self._sums = path.with_name(f".{path.name}.sums.tmp")
        self.total: np.ndarray
        if not self.large:
            self.total = np.zeros((n, n_classes))
        elif of == 1:  # nothing is added up: it is written once
            self.total = new_table(path, (n, n_classes))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.total = np.lib.format.open_memmap(self._sums, mode="w+", dtype=np.float32, shape=(n, n_classes))

    def add(self, start: int, rows: np.ndarray) -> None:
        """Add float (m, C) to the rows from `start` on."""
        if self.large and self.of == 1:
            self.total[start : start + len(rows)] = rows
        else:
            self.total[start : start + len(rows)] += rows

    def mean(self) -> np.ndarray:
        """The mean of the predictions: float32, or the file's map, float16."""
        if not self.large:
            return (self.total / self.of).astype(np.float32)
        if self.of == 1:
            if isinstance(self.total, np.memmap):
                self.total.flush()
            return self.total
        found = new_table(self.path, self.total.shape)
        for piece in row_pieces(*found.shape):
            found[piece] = self.total[piece] / self.of
        found.flush()
        del self.total
        self._sums.unlink()
        return found


def new_table(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A writable float16 map of a new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)


def open_table(path: Path) -> np.memmap:
    """A file's map, read only."""
    return open_array(path)


class RowView:
    """Some rows of a table (n, C), without a copy of them: what a metric needs of an array.

    Parameters
    ----------
    table : float (n, C); rows : int64 (m,)
    """

    def __init__(self, table: Any, rows: np.ndarray) -> None:
        self.table, self.rows = table, rows
        self.shape, self.ndim, self.dtype = (len(rows), table.shape[1]), 2, table.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        of_table = (self.rows[key[0]], *key[1:]) if isinstance(key, tuple) else self.rows[key]
        found: np.ndarray = self.table[of_table]
        return found


def rows_of_table(table: Any, rows: np.ndarray) -> Any:
    """The rows of a table: a copy of a small one's, a view of a large one's."""
    return RowView(table, rows) if is_large(*table.shape) else table[rows]
