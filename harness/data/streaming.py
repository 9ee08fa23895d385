"""Images that are decoded whenever they are asked for: for data that are larger than the disk's free space."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder


class StreamedImages:
    """Stands for a uint8 array (n, H, W, C): rows are decoded, in threads, when they are indexed. Best effort: slow.

    Parameters
    ----------
    path : the folder or zip that the images lie in
    files : their names in it, of each row one or, where the channels lie in several, so many; top : see `FileTree`
    decoder : that they are decoded by
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: Path, files: list[list[str]], decoder: Decoder, top: str = "") -> None:
        self.tree, self.files, self.decoder = FileTree(path, top=top), files, decoder
        self.shape = (len(files), decoder.height, decoder.width, decoder.channels)
        self._pool: ThreadPoolExecutor | None = None

    def by(self, decoder: Decoder) -> StreamedImages:
        """The same images, decoded otherwise."""
        return StreamedImages(self.tree.path, self.files, decoder, self.tree.top)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """uint8 (len(rows), H, W, C) of a slice or an array of rows; (H, W, C) of one row."""
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return self._decoded(int(chosen))
        self._pool = self._pool or ThreadPoolExecutor()
        decoded = self._pool.map(self._decoded, chosen.tolist())
        return np.stack(list(decoded)) if len(chosen) else np.zeros((0, *self.shape[1:]), dtype=np.uint8)

    def _decoded(self, row: int) -> np.ndarray:
        from harness.data.formats.images import decode_row

        return decode_row(self.tree, self.files[row], self.decoder).pixels
