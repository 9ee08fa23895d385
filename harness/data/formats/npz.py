"""Images and labels in numpy's .npz: read piece by piece into the cache, no pickle, nothing believed unchecked."""

from __future__ import annotations

import contextlib
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.storage.damage import DAMAGED, is_of_content
from harness.base.untrusted_text import counted, is_plain, listed, plain
from harness.competition.data_spec import DataSpec
from harness.competition.tasks import Task
from harness.data.files.archives import FileTree, open_zip
from harness.data.files.arrays import new_images
from harness.data.files.names import nfc
from harness.data.files.stacks import npy_header, unchecked_npy_header
from harness.data.rows.targets import sorted_names

_AT_ONCE = 16 * 2**20  # bytes between two writes


def read_npz(tree: FileTree, name: str, spec: DataSpec, split: str, folder: Path) -> np.ndarray | None:
    """Write images.npy and ids.npy of one split into `folder`; returns the training labels as the file has them.

    Ids are row numbers from 0.

    Raises
    ------
    UserError
        If an array is missing, pickled, of another type or shape, or longer or shorter than it says.
    """
    with _open(tree, name) as archive:
        key = spec.images if split == "train" else spec.test_images
        n = _copy_images(archive, key, spec, folder, tree.show(name))
        labels = None
        if split == "train":
            labels = _labels(archive, spec.one_label, tree.show(name))
            if len(labels) != n:
                raise UserError(
                    f"{tree.show(name)}: {counted(n, 'image')} ('{key}') but {counted(len(labels), 'label')} ('{spec.one_label}'). Correct data.images and data.label "
                    "in competition.toml, or the file."
                )
    np.save(folder / "ids.npy", np.arange(n).astype(np.str_))
    return labels


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
        shape, dtype = npy_header(file, f"{shown}:{key}")
        size = math.prod(shape) * dtype.itemsize
        if info.file_size != file.tell() + size:
            raise UserError(
                f"{shown}:{key}: its header says {dtype} {shape}, {size:,} bytes, but {info.file_size - file.tell():,} "
                "are there. The file is damaged or made to mislead: download it again."
            )
        yield file, shape, dtype


def shapes_of_arrays(tree: FileTree, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of an .npz's arrays by their names, pickled ones too; members that are no .npy are left aside.

    Raises
    ------
    UserError
        If it is no zip, or an array's header is damaged.
    """
    shapes = {}
    with _open(tree, name) as archive:
        for member in (m for m in archive.namelist() if m.endswith(".npy")):
            key = member.removesuffix(".npy")
            with archive.open(member) as file:
                shapes[key] = unchecked_npy_header(file, f"{tree.show(name)}:{key}")[0]
    return shapes


def members_of_npz(tree: FileTree, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of an .npz's arrays by their names as files of their own, as `FileTree` has them: 'train/X.npy' of train.npz."""
    return {member_of_npz(name, key): shape for key, shape in shapes_of_arrays(tree, name).items()}


def member_of_npz(name: str, key: str) -> str:
    """What an array of an .npz is called as a file of its own."""
    return f"{name[: -len('.npz')]}/{key}.npy"


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


def _labels(archive: zipfile.ZipFile, key: str, shown: str) -> np.ndarray:
    """Numbers (n,) or (n, K), or names of classes (n,), as text; a single column is (n,)."""
    with _array(archive, key, shown) as (file, shape, dtype):
        is_text = dtype.kind in "US" and dtype.itemsize > 0 and math.prod(shape[1:]) == 1
        if not (dtype.kind in "iufb" or is_text) or len(shape) not in (1, 2) or 0 in shape:
            raise UserError(
                f"{shown}:{key}: is {dtype} {shape}, wanted integers or text (n,) or (n, 1), the indices or names of the classes, or with "
                "another task numbers (n, K). Correct data.label in competition.toml, or the array."
            )
        labels = np.frombuffer(file.read(), dtype).reshape(shape)
    labels = labels[:, 0] if labels.ndim == 2 and shape[1] == 1 else labels
    return _as_text(labels, f"{shown}:{key}") if is_text else labels


def _as_text(labels: np.ndarray, where: str) -> np.ndarray:
    """Texts (n,), as tables have them: bytes are UTF-8, blanks around a name do not count."""
    try:
        cells = labels.tolist()
        return np.array([nfc((cell.decode() if isinstance(cell, bytes) else cell).strip()) for cell in cells], np.str_)
    except ValueError as error:  # no UTF-8, or no characters
        raise UserError(
            f"{where}: holds text that cannot be read ({plain(error, 200)}). Save it with labels.astype(str)."
        ) from error


def label_array(tree: FileTree, name: str, key: str) -> np.ndarray:
    """Labels of an .npz: numbers (n,) or (n, K), or texts (n,).

    Raises
    ------
    UserError
        As `read_npz`.
    """
    with _open(tree, name) as archive:
        return _labels(archive, key, tree.show(name))


def labels_of_array(task: Task, labels: np.ndarray, classes: tuple[str, ...], where: str) -> np.ndarray:
    """An array's labels as targets of the task: int64 (n,) indices of classes, float32 (n, K) of labels or numbers.

    Raises
    ------
    UserError
        If a row's is none (names it, and the cure).
    """
    if labels.dtype.kind == "U":
        return _indices_of_names(task, labels, classes, where)
    if not task.is_one_class:
        table = (labels[:, None] if labels.ndim == 1 else labels).astype(np.float32)
        if table.shape[1] != len(classes):
            raise UserError(
                f"{where}: has {table.shape[1]} columns, 'classes' in competition.toml {len(classes)} names. Correct one of them."
            )
        bad = np.flatnonzero(task.wrong_rows(table))
        if len(bad):
            raise UserError(
                f"{where}: row {bad[0]} (from 0): {table[bad[0]][:8].tolist()} {task.wrong_why}. Correct the array."
            )
        return table
    if labels.ndim == 2 and labels.shape[1] == len(classes) and (labels.sum(axis=1) == 1).all():
        return labels.argmax(axis=1).astype(np.int64)  # one-hot
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise UserError(
            f"{where}: is {labels.dtype} {labels.shape}, wanted integers (n,) or (n, 1), the indices of the classes (0 to {len(classes) - 1})."
        )
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(outside):
        raise UserError(
            f"{where}: row {outside[0]} (from 0): label {labels[outside[0]]} is no class (0 to {len(classes) - 1}). "
            "Correct 'classes' in competition.toml, or the array."
        )
    return labels.astype(np.int64)


def _indices_of_names(task: Task, labels: np.ndarray, classes: tuple[str, ...], where: str) -> np.ndarray:
    if not task.is_one_class:
        raise UserError(
            f"{where}: holds text, and the task wants numbers (n, K). Correct 'task' in competition.toml, or the array."
        )
    index = {nfc(name): place for place, name in enumerate(classes)}
    found = np.array([index.get(name, -1) for name in labels.tolist()], dtype=np.int64)
    outside = np.flatnonzero(found < 0)
    if len(outside):
        name = labels[outside[0]]
        raise UserError(
            f"{where}: row {outside[0]} (from 0): label '{plain(name, 80)}' is no class{plain(nearest(name, classes))}. Classes: "
            f"{listed(classes)}. Correct 'classes' in competition.toml, or the array."
        )
    return found


def classes_of_array(task: Task, labels: np.ndarray, where: str) -> tuple[str, ...]:
    """Classes that competition.toml does not name: the names that text labels are, in order; else '0' to the largest index; of several
    columns their numbers.

    Raises
    ------
    UserError
        If they cannot be told from the array.
    """
    if labels.dtype.kind == "U":
        names = sorted_names(set(labels.tolist()))
        odd = next((name for name in names if not name or not is_plain(name)), None)
        if odd is not None:
            row = labels.tolist().index(odd)
            raise UserError(
                f"{where}: row {row} (from 0): {plain(odd, 80)!r} is no name of a class. Correct the array."
            )
        return tuple(names)
    if labels.ndim == 2 or not task.is_one_class:
        return tuple(map(str, range(labels.shape[1] if labels.ndim == 2 else 1)))
    if labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() > 100_000:
        raise UserError(
            f"{where}: the classes cannot be told from {labels.dtype} values. Write 'classes' in competition.toml."
        )
    return tuple(map(str, range(int(labels.max()) + 1)))
