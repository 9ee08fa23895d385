"""Memory maps of .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np


def open_array(path: Path, mode: Literal["r", "r+", "c"] = "r") -> np.memmap:
    """A .npy file as a memory map: read only ("r"), written through ("r+") or changed in memory only ("c").

    Raises
    ------
    ValueError
        If it holds no numbers: objects, or items of no size, by which numpy divides (the process dies of it).
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise ValueError(f"version {version} of the format is unknown")
        dtype = _READERS[version](file)[2]
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError(f"items are of type {dtype}, not numbers")
    opened: np.memmap = np.load(path, mmap_mode=mode, allow_pickle=False)
    return opened


_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
