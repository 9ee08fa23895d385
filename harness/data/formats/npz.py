"""Images and labels in numpy's .npz: read piece by piece into the cache, no pickle, nothing believed unchecked."""

from __future__ import annotations

import contextlib
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.storage.damage import DAMAGED, is_of_content
from harness.base.untrusted_text import plain
from harness.competition.competition import DataSpec
from harness.data.files.archives import FileTree, open_zip
from harness.data.files.arrays import new_images

_AT_ONCE = 16 * 2**20  # bytes between two writes


def read_npz(
    tree: FileTree, name: str, spec: DataSpec, split: str, classes: tuple[str, ...] | None, folder: Path
) -> None:
    """Write images.npy, ids.npy and (where there are classes) labels.npy of one split into `folder`.

    Ids are row numbers from 0.

    Raises
    ------
    UserError
        If an array is missing, pickled, of another type or shape, or longer or shorter than it says.
    """
    with _open(tree, name) as archive:
        key = spec.images if split == "train" else spec.test_images
        n = _copy_images(archive, key, spec, folder, tree.show(name))
        if classes is not None:
            labels = _labels(archive, spec.label, classes, tree.show(name))
            if len(labels) != n:
                raise UserError(
                    f"{tree.show(name)}: {n:,} images ('{key}') but {len(labels):,} labels ('{spec.label}'). Correct data.images and data.label "
                    "in competition.toml, or the file."
                )
            np.save(folder / "labels.npy", labels)
    np.save(folder / "ids.npy", np.arange(n).astype(np.str_))


@contextlib.contextmanager
def _open(tree: FileTree, name: str) -> Iterator[zipfile.ZipFile]:
    """The .npz, which is a zip, checked as every zip of ours."""
    try:
        if tree.is_zip or tree.is_packed(name):  # a zip in a zip
            with tree.open(name) as file, open_zip(file, tree.show(name), tree.size(name)) as archive:
                yield archive
        else:
            with open_zip(tree.path / name) as archive:
                yield archive
    except (*DAMAGED, OSError, struct.error) as error:
        if isinstance(error, OSError) and not is_of_content(error):
            raise
        raise UserError(
            f"{tree.show(name)}: the .npz is truncated or corrupt ({plain(error, 200)}). Download it again."
        ) from error


@contextlib.contextmanager
def _array(archive: zipfile.ZipFile, key: str, shown: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype]]:
    """An array's bytes, its shape and its type, which its header and the zip's index agree on."""
    names = [name.removesuffix(".npy") for name in archive.namelist()]
    if key not in names:
        raise UserError(
            f"{shown}: no array '{key}'{nearest(key, names)}; it holds {plain(', '.join(names)) or 'nothing'}. Correct data.images, "
            "data.test_images or data.label in competition.toml."
        )
    twice = [name for name in archive.namelist() if name == f"{key}.npy"][1:]
    if twice or f"{key}.npy" not in archive.namelist():
        raise UserError(
            f"{shown}: holds array '{key}' {'twice' if twice else 'without .npy'}. Save it with numpy.savez."
        )
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file, f"{shown}:{key}")
        size = math.prod(shape) * dtype.itemsize
        if info.file_size != file.tell() + size:
            raise UserError(
                f"{shown}:{key}: its header says {dtype} {shape}, {size:,} bytes, but {info.file_size - file.tell():,} "
                "are there. The file is damaged or made to mislead: download it again."
            )
        if fortran and len(shape) > 1:
            raise UserError(f"{shown}:{key}: is stored column by column; save it with numpy.ascontiguousarray.")
        yield file, shape, dtype


def _header(file: IO[bytes], shown: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers: dict[tuple[int, int], Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = readers[version](file)
    except DAMAGED as error:
        raise UserError(
            f"{shown}: no array that numpy could have written ({plain(error, 200)}). Download it again."
        ) from error
    if dtype.hasobject:
        raise UserError(
            f"{shown}: holds pickled Python objects, which can run code when they are read. Not read; save it as "
            "numbers (uint8 images, integer labels)."
        )
    return shape, fortran, dtype


def _copy_images(archive: zipfile.ZipFile, key: str, spec: DataSpec, folder: Path, shown: str) -> int:
    """Copy the images to images.npy; returns how many there are."""
    with _array(archive, key, shown) as (file, shape, dtype):
        wanted = (*spec.size, spec.channels)
        fits = shape[1:] == wanted or (spec.channels == 1 and shape[1:] == spec.size)
        if dtype != np.uint8 or not fits or not shape[0]:
            raise UserError(
                f"{shown}:{key}: is {dtype} {shape}, wanted uint8 (n, {', '.join(map(str, wanted))}). Correct data.size "
                "and data.channels in competition.toml, or save the images with these."
            )
        images = new_images(folder, shape[0], spec)
        flat = images.reshape(-1)
        for start in range(0, len(flat), _AT_ONCE):
            piece = file.read(min(_AT_ONCE, len(flat) - start))
            flat[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        images.flush()
    return shape[0]


def _labels(archive: zipfile.ZipFile, key: str, classes: tuple[str, ...], shown: str) -> np.ndarray:
    """Indices int64 (n,) of classes, from integers (n,) or (n, 1)."""
    with _array(archive, key, shown) as (file, shape, dtype):
        if dtype.kind not in "iu" or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
            raise UserError(
                f"{shown}:{key}: is {dtype} {shape}, wanted integers (n,) or (n, 1), the indices of the classes (0 to "
                f"{len(classes) - 1})."
            )
        labels = np.frombuffer(file.read(), dtype).astype(np.int64)
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(outside):
        raise UserError(
            f"{shown}:{key}: row {outside[0]} (from 0): label {labels[outside[0]]} is no class (0 to {len(classes) - 1}). "
            "Correct 'classes' in competition.toml, or the array."
        )
    return labels
