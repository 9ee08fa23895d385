"""Large arrays on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from harness.competition.competition import DataSpec


def new_images(folder: Path, n: int, spec: DataSpec) -> np.memmap:
    """A writable memory map images.npy, uint8 (n, H, W, C), in `folder`."""
    return new_array(folder / "images.npy", (n, *spec.size, spec.channels), np.uint8)


def new_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """A writable memory map of a new .npy file.

    The disk space is taken at once: a map over a file with holes would kill the process (SIGBUS) where the disk is full,
    while this raises OSError ENOSPC.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
