"""The decoded images on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from harness.competition.competition import DataSpec


def new_images(folder: Path, n: int, spec: DataSpec) -> np.memmap:
    """A writable memory map images.npy, uint8 (n, H, W, C), in `folder`.

    The disk space is taken at once: a map over a file with holes would kill the process (SIGBUS) where the disk is full,
    while this raises OSError ENOSPC.
    """
    path = folder / "images.npy"
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *spec.size, spec.channels))
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return images
