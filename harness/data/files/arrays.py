"""Large arrays on disk."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import IO

import numpy as np

from harness.base.errors import UserError
from harness.competition.data_spec import DataSpec

_PIECE = 1 << 24


def read_whole(file: IO[bytes], most: int) -> bytes:
    """What a file holds, piece by piece: asked for all at once, as much memory is taken as is asked for.

    Raises
    ------
    ValueError
        If it holds more than `most` bytes.
    """
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise ValueError(f"more than {most:,} bytes")
    return b"".join(pieces)


def new_images(folder: Path, n: int, spec: DataSpec) -> np.memmap:
    """A writable memory map images.npy, uint8 (n, H, W, C), in `folder`."""
    return new_array(folder / "images.npy", (n, *spec.size, spec.channels), np.uint8)


def new_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """A writable memory map of a new .npy file.

    The disk space is taken at once: a map over a file with holes would kill the process (SIGBUS) where the disk is full,
    while this raises OSError ENOSPC.

    Raises
    ------
    UserError
        If the disk has not so much room: said before anything is written.
    """
    needed, free = math.prod(shape) * np.dtype(dtype).itemsize, shutil.disk_usage(path.parent).free
    if needed > free:
        raise UserError(
            f"{path.parent}: {math.prod(shape[:1]):,} rows of {' x '.join(map(str, shape[1:])) or '1'} need {needed / 2**30:,.1f} GiB "
            f"of disk, {free / 2**30:,.1f} GiB are free. Lower data.size, free some space, put the cache elsewhere "
            "(HARNESS_CACHE), or keep no decoded copy of images: --stream"
        )
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
