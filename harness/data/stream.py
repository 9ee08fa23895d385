"""Pictures that are decoded whenever they are asked for: for data that are larger than the disk's free space."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.archives import FileTree
from harness.data.image_folder import decode_file


class StreamedImages:
    """Stands for a uint8 array (n, H, W, C): rows are decoded, in threads, when they are indexed. Best effort: slow.

    Parameters
    ----------
    path : the folder or zip that the pictures lie in
    files : their names in it, row by row
    shape : (H, W, C)
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: Path, files: list[str], shape: tuple[int, int, int]) -> None:
        self.tree, self.files = FileTree(path), files
        self.shape = (len(files), *shape)
        self._pool: ThreadPoolExecutor | None = None

    def at_size(self, size: tuple[int, int]) -> StreamedImages:
        """The same pictures, decoded to another height and width."""
        return StreamedImages(self.tree.path, self.files, (*size, self.shape[3]))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """uint8 (len(rows), H, W, C) of a slice or an array of rows; (H, W, C) of one row."""
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return decode_file(self.tree, self.files[int(chosen)], self.shape[1:])
        self._pool = self._pool or ThreadPoolExecutor()
        decoded = self._pool.map(lambda row: decode_file(self.tree, self.files[row], self.shape[1:]), chosen.tolist())
        return np.stack(list(decoded)) if len(chosen) else np.zeros((0, *self.shape[1:]), dtype=np.uint8)
