"""Heights and widths of image files by their headers alone, and the one scale at which most of them fit a frame."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from harness.base.storage.atomic_files import read_json, write_json
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder, lies_on_its_side, open_picture
from harness.data.files.decode_arrays import header_of_dicom

_FEW = 1024


def settled_decoder(
    tree: FileTree, files: Sequence[Sequence[str]], spec: DataSpec, path: Path, tick: Callable[[int, int], None]
) -> Decoder:
    """The decoder of [data]; with resize = "scale" at the scale that stands in `path`, or else is chosen by these rows and put there.

    files : of the training rows, where `path` does not stand: the test rows have no say
    """
    decoder = Decoder.of(spec)
    if spec.resize != "scale":
        return decoder
    if not path.is_file():
        sizes = read_sizes(tree, [row[0] for row in files], spec.channels, tick)
        write_json(path, choose_scale(sizes, spec.size, spec.fits))
    return decoder.at_scale(read_json(path)["factor"])


def choose_scale(sizes: np.ndarray, frame: tuple[int, int], share: float) -> dict[str, Any]:
    """The largest scale at which a share of the images fits the frame.

    Parameters
    ----------
    sizes : int (n, 2), heights and widths; 0 where they are not known
    frame : height and width

    Returns
    -------
    {"factor": pixels of the frame for a pixel of an image, "images": how many were looked at, "larger": how many do not fit}
    """
    known = sizes[(sizes > 0).all(axis=1)].astype(np.float64)
    if not len(known):
        return {"factor": 1.0, "images": 0, "larger": 0}
    needed = np.sort((known / np.array(frame, dtype=np.float64)).max(axis=1))
    factor = 1 / needed[max(math.ceil(share * len(needed) - 1e-9), 1) - 1]
    return {"factor": float(factor), "images": len(needed), "larger": count_larger(known, frame, float(factor))}


def count_larger(sizes: np.ndarray, frame: tuple[int, int], factor: float) -> int:
    """How many images of these sizes are larger than the frame at that scale."""
    return int(((sizes * factor / np.array(frame)).max(axis=1, initial=0) > 1 + 1e-9).sum())


def read_sizes(tree: FileTree, files: Sequence[str], channels: int, tick: Callable[[int, int], None]) -> np.ndarray:
    """Heights and widths of image files, upright, int64 (n, 2), by their headers, in threads; 0 where a header cannot be read."""
    sizes = np.zeros((len(files), 2), dtype=np.int64)

    def look(row: int) -> None:
        with tree.open(files[row]) as file, contextlib.suppress(Exception):  # of a damaged file; decoding will tell
            sizes[row] = _size(file, tree.show(files[row]), channels)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _FEW):
            rows = range(start, min(start + _FEW, len(files)))
            list(pool.map(look, rows))
            tick(rows.stop, len(files))
    return sizes


def _size(file: IO[bytes], where: str, channels: int) -> tuple[int, int]:
    ending = PurePosixPath(where).suffix.lower()
    if ending == ".npy":
        return _size_of_array(file, channels)
    if ending in (".dcm", ".dicom"):
        return header_of_dicom(file, where)[:2]
    with open_picture(file, where) as picture:
        height, width = picture.height, picture.width
        return (width, height) if lies_on_its_side(picture) else (height, width)


def _size_of_array(file: IO[bytes], channels: int) -> tuple[int, int]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape = read(file)[0]
    in_front = len(shape) == 3 and shape[2] != channels and shape[0] == channels
    return (shape[1], shape[2]) if in_front else (shape[0], shape[1])
