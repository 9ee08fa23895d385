"""Rows as numpy's .npy files in a folder: images.npy, and beside it what is known of each row.

train/images.npy            uint8 (n, H, W) or (n, H, W, C)
train/labels.npy            of classes their indices (n,), of labels 0 or 1 (n, K), of numbers (n, K)
train/ids.npy               texts (n,); without it rows are counted from 0
train/groups.npy            (n,): rows of equal numbers or texts share a fold
train/weight.npy fold.npy   (n,): what a row counts in the loss; its fold, where the folds are given
test/images.npy ids.npy
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.damage import DAMAGED
from harness.base.storage.npy import open_array
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.names import check_ids
from harness.data.formats.npz import classes_of_array, labels_of_array
from harness.data.rows.groups import group_numbers
from harness.data.rows.tables import text_of
from harness.data.rows.targets import fold_numbers
from harness.data.rows.weights import checked_weights

ARRAYS = ("images", "labels", "ids", "groups", "weight", "fold")
"""Files that are read, without .npy."""


def read_arrays(competition: Competition, tree: FileTree, name: str, labelled: bool, folder: Path) -> tuple[str, ...]:
    """Write one split's arrays into a cache folder; images are linked where the disk allows it, not copied.

    Returns
    -------
    Names of the classes, where competition.toml has none.

    Raises
    ------
    UserError
        If an array is missing, no array, of another type or shape, or longer or shorter than the images.
    """
    if tree.is_zip or tree.is_packed(name):
        raise UserError(f"{tree.show(name)}: data.format = 'arrays' is read from a plain folder. Unpack it.")
    source = tree.path / name
    n = _link_images(source / "images.npy", competition.data, folder / "images.npy")
    given = _optional(source / "ids.npy", n)
    ids = [str(i) for i in (np.arange(n) if given is None else given)]
    check_ids(ids, str(source / "ids.npy"))
    np.save(folder / "ids.npy", np.array(ids, dtype=np.str_))
    return _write_labels(competition, source, n, folder) if labelled else ()


def _write_labels(competition: Competition, source: Path, n: int, folder: Path) -> tuple[str, ...]:
    """Labels, and what else training rows have."""
    path = source / "labels.npy"
    labels = _read(path, n)
    if labels.dtype.kind not in "iufb" or labels.ndim > 2:
        raise UserError(f"{path}: is {labels.dtype} {labels.shape}, wanted indices of classes (n,), or numbers (n, K).")
    found: tuple[str, ...] = ()
    if not competition.classes:
        found = classes_of_array(competition.kind, labels, str(path))
        competition.with_classes(found)
    classes = competition.classes or found
    np.save(folder / "labels.npy", labels_of_array(competition.kind, labels, classes, str(path)))
    groups, weight, fold = (_optional(source / f"{key}.npy", n) for key in ("groups", "weight", "fold"))
    if groups is not None:
        np.save(folder / "groups.npy", group_numbers([text_of(g) for g in groups.tolist()]))
    if weight is not None:
        place = source / "weight.npy"
        np.save(folder / "weight.npy", checked_weights(weight.tolist(), lambda row: f"{place}: row {row} (from 0)"))
    if fold is not None:
        of_fold = source / "fold.npy"
        folds = fold_numbers([str(f) for f in fold.tolist()], lambda row: f"{of_fold}: row {row} (from 0)")
        np.save(folder / "fold.npy", folds)
    return found


def _link_images(path: Path, spec: DataSpec, target: Path) -> int:
    """images.npy in the cache: the file itself, or where that cannot be linked, or has no channels, a copy; returns its rows."""
    images = _opened(path)
    wanted = (*spec.size, spec.channels)
    fits = images.shape[1:] == wanted or (spec.channels == 1 and images.shape[1:] == spec.size)
    if images.dtype != np.uint8 or not fits or not len(images) or not images.flags.c_contiguous:
        raise UserError(
            f"{path}: is {images.dtype} {images.shape}, wanted uint8 (n, {', '.join(map(str, wanted))}) in C order. Correct data.size and "
            "data.channels in competition.toml, or save the images with these."
        )
    target.unlink(missing_ok=True)  # of a making that was broken off
    if images.ndim == 3:
        np.save(target, images[..., None])
        return len(images)
    try:
        os.link(path.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, target)
    return len(images)


def _optional(path: Path, n: int) -> np.ndarray | None:
    return _read(path, n) if path.is_file() else None


def _read(path: Path, n: int) -> np.ndarray:
    """An array of n rows, in memory."""
    array = np.asarray(_opened(path))
    if array.ndim < 1 or len(array) != n:
        raise UserError(f"{path}: {n:,} images but {array.shape} here; every image needs its row.")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _opened(path: Path) -> np.memmap:
    try:
        return open_array(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. data.format = 'arrays' needs it.") from error
    except (OSError, *DAMAGED) as error:
        raise UserError(f"{path}: no array that numpy could have written ({plain(error, 200)}).") from error
