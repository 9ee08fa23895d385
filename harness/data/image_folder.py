"""Pictures in folders: train/<class>/*, test/*; decoded once, in parallel, into a uint8 memory map."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.competition.competition import DataSpec
from harness.data.archives import FileTree
from harness.data.arrays import new_array, new_images
from harness.data.labels import read_label_csv

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

Tick = Callable[[int, int], None]
"""(done, of how many)."""

_AT_ONCE = 1024  # pictures between two notes of how far decoding has come


@dataclass(frozen=True)
class Listing:
    """The pictures of one folder: file names in the tree, ids, and (training) labels int64 (n,)."""

    files: list[str]
    ids: list[str]
    labels: np.ndarray | None


@dataclass(frozen=True)
class Broken:
    """A picture that could not be decoded."""

    file: str
    reason: str


def list_test(tree: FileTree, name: str, wanted: np.ndarray | None = None) -> Listing:
    """Find a folder's test pictures, without opening one.

    Their ids are what the sample submission (`wanted`) calls the files: names without ending ('1'), with it ('1.png'), or
    paths below the folder; without one, names without ending.

    Raises
    ------
    UserError
        If there are no pictures, or a file name is unprintable.
    """
    files = _pictures(tree, name)
    return Listing(files, _test_ids(name, files, wanted), None)


def list_by_folder(tree: FileTree, names: Sequence[str], classes: tuple[str, ...]) -> Listing:
    """Find the training pictures below folders named after their classes.

    An id is the path below the folder ('cat/1.png'); with several folders, with that folder's name ('val/cat/1.png').

    Raises
    ------
    UserError
        If there are no pictures, or a class folder is unknown or empty.
    """
    files, ids, labels = [], [], []
    for name in names:
        found = _pictures(tree, name)
        files += found
        below = PurePosixPath(name).parent.as_posix() if len(names) > 1 else name
        ids += [f.removeprefix(f"{below}/") for f in found]
        labels.append(_labels(tree, name, found, classes))
    return Listing(files, ids, np.concatenate(labels))


def list_by_csv(tree: FileTree, name: str, spec: DataSpec, classes: tuple[str, ...]) -> Listing:
    """Find the training pictures that a CSV names, in its order; their ids are the CSV's.

    Raises
    ------
    UserError
        If the CSV lacks a column, names an id twice, a label that is no class, or a picture that is not there.
    """
    ids, labels = read_label_csv(tree, spec.labels, spec.id or "id", spec.label, classes)
    files = _pictures(tree, name)
    ways = ([PurePosixPath(f).stem for f in files], [PurePosixPath(f).name for f in files])
    by_name = next((dict(zip(way, files, strict=True)) for way in ways if ids[0] in way), {})
    missing = [i for i in ids if i not in by_name]
    if missing:
        raise UserError(
            f"{tree.show(spec.labels)}: {len(missing):,} of its {len(ids):,} ids have no picture in {tree.show(name)}, e.g. "
            f"'{missing[0]}'. Download both again: one of them is cut off or of another version."
        )
    return Listing([by_name[i] for i in ids], ids, labels)


def _pictures(tree: FileTree, name: str) -> list[str]:
    files = [f for f in tree.names(name) if f.lower().endswith(_PICTURES)]
    if not files:
        raise UserError(f"{tree.show(name)}: no pictures there (looked for {', '.join(_PICTURES)}).")
    for file in files:
        if not file.isprintable():
            raise UserError(f"{tree.show(name)}: the file name {file!r} has unprintable characters. Rename the file.")
    return files


def read_image_folder(
    tree: FileTree, listing: Listing, spec: DataSpec, folder: Path, tick: Tick, skip_broken: bool = False
) -> list[Broken]:
    """Write images.npy, ids.npy and (where there are labels) labels.npy into `folder`; goes on where it was stopped.

    With `skip_broken` a picture that cannot be decoded is left out of the training rows, and stays black among the test
    rows, which must all be predicted; both are returned.

    Raises
    ------
    UserError
        If a picture cannot be decoded (names it).
    """
    broken = _decode_all(tree, listing.files, spec, folder, tick, skip_broken)
    keep = np.ones(len(listing.files), dtype=bool)
    if broken and listing.labels is not None:
        keep[list(broken)] = False
        _keep_rows(folder, keep, spec)
        _check_classes_left(tree, listing.labels, keep)
    np.save(folder / "ids.npy", np.array(listing.ids, dtype=np.str_)[keep])
    if listing.labels is not None:
        np.save(folder / "labels.npy", listing.labels[keep])
    return list(broken.values())


def _test_ids(name: str, files: list[str], wanted: np.ndarray | None) -> list[str]:
    stems = [PurePosixPath(f).stem for f in files]
    if wanted is not None:
        for ids in (stems, [PurePosixPath(f).name for f in files], [f.removeprefix(f"{name}/") for f in files]):
            if set(ids) == set(wanted):
                return ids
    if len(set(stems)) == len(stems):
        return stems
    return [PurePosixPath(f.removeprefix(f"{name}/")).with_suffix("").as_posix() for f in files]


def _labels(tree: FileTree, name: str, files: list[str], classes: tuple[str, ...]) -> np.ndarray:
    index = {c: i for i, c in enumerate(classes)}
    folders = [f.removeprefix(f"{name}/").partition("/")[0] for f in files]
    for found in sorted(set(folders)):
        if found not in index:
            raise UserError(
                f"{tree.show(name)}: folder '{found}' is no class{nearest(found, classes)}. Classes: "
                f"{', '.join(classes)}. Rename the folder, or correct 'classes' in competition.toml."
            )
    empty = [c for c in classes if c not in set(folders)]
    if empty:
        raise UserError(f"{tree.show(name)}: no pictures of class '{empty[0]}'; its folder is missing or empty.")
    return np.array([index[f] for f in folders], dtype=np.int64)


def _decode_all(
    tree: FileTree, files: list[str], spec: DataSpec, folder: Path, tick: Tick, skip_broken: bool
) -> dict[int, Broken]:
    """Fill images.npy, in threads; decoded.npy tells which rows are done. Returns the broken ones by row."""
    images, sizes, done = _open_or_begin(folder, len(files), spec)
    broken: dict[int, Broken] = {}

    def decode_into(row: int) -> None:
        try:
            with tree.open(files[row]) as file:
                images[row], sizes[row] = decode_sized(file, *images.shape[1:], tree.show(files[row]))
        except UserError as error:
            if not skip_broken:
                raise
            images[row] = 0
            broken[row] = Broken(tree.show(files[row]), str(error))

    todo = np.flatnonzero(done == 0)
    finished = len(files) - len(todo)
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(todo), _AT_ONCE):
            part = todo[start : start + _AT_ONCE]
            for _ in pool.map(decode_into, part.tolist()):
                finished += 1
                tick(finished, len(files))
            images.flush()
            sizes.flush()
            done[[row for row in part if row not in broken]] = 1  # broken ones are tried again after a stop
            done.flush()
    images.flush()
    (folder / _DONE).unlink()
    return dict(sorted(broken.items()))


_DONE, _SIZES = "decoded.npy", "sizes.npy"  # which rows are decoded; heights and widths that the pictures had


def _open_or_begin(folder: Path, n: int, spec: DataSpec) -> tuple[np.memmap, np.memmap, np.memmap]:
    """images.npy, sizes.npy and decoded.npy of a stopped decoding, or new ones."""
    path, extents, marks = folder / "images.npy", folder / _SIZES, folder / _DONE
    if path.is_file() and marks.is_file():
        with contextlib.suppress(ValueError, OSError):  # cut off while they were made
            images = np.load(path, mmap_mode="r+", allow_pickle=False)
            sizes = np.load(extents, mmap_mode="r+", allow_pickle=False)
            done = np.load(marks, mmap_mode="r+", allow_pickle=False)
            if images.shape == (n, *spec.size, spec.channels) and done.shape == (n,) and sizes.shape == (n, 2):
                return images, sizes, done
    images = new_images(folder, n, spec)
    sizes, done = new_array(extents, (n, 2), np.uint32), new_array(marks, (n,), np.uint8)
    done[:] = 0
    return images, sizes, done


def _keep_rows(folder: Path, keep: np.ndarray, spec: DataSpec) -> None:
    """Write images.npy anew without the rows that are not kept."""
    everything = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    rows = np.flatnonzero(keep)
    kept = new_array(folder / "kept.npy", (len(rows), *spec.size, spec.channels), np.uint8)
    for start in range(0, len(rows), _AT_ONCE):
        kept[start : start + _AT_ONCE] = everything[rows[start : start + _AT_ONCE]]
    kept.flush()
    (folder / "kept.npy").replace(folder / "images.npy")
    np.save(folder / _SIZES, np.load(folder / _SIZES, allow_pickle=False)[rows])


def _check_classes_left(tree: FileTree, labels: np.ndarray, keep: np.ndarray) -> None:
    lost = set(np.unique(labels)) - set(np.unique(labels[keep]))
    if lost:
        raise UserError(f"{tree.path}: of a class no picture can be decoded. Download the data again.")


def decode_file(tree: FileTree, file: str, shape: tuple[int, ...]) -> np.ndarray:
    """Decode one picture of the tree to uint8 of that shape (H, W, C)."""
    with tree.open(file) as opened:
        return decode(opened, *shape, tree.show(file))


def decode(file, height: int, width: int, channels: int, where: str) -> np.ndarray:
    """Decode one picture to uint8 (height, width, channels), upright as its EXIF says, resized where it must be.

    Raises
    ------
    UserError
        If it cannot be decoded or declares more pixels than Pillow's limit against decompression bombs.
    """
    return decode_sized(file, height, width, channels, where)[0]


def decode_sized(file, height: int, width: int, channels: int, where: str) -> tuple[np.ndarray, tuple[int, int]]:
    """As `decode`, with the height and width that the picture had, upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            _refuse_bomb(picture)
            upright = ImageOps.exif_transpose(_to_8_bit(picture)).convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{where}: cannot be decoded ({error}). Replace it, take it out of the folder, or add --skip-broken."
        ) from error
    had = upright.height, upright.width
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(upright).reshape(height, width, channels), had


def _refuse_bomb(picture: Any) -> None:
    """Pillow only warns up to twice its limit, and warnings are shared by all threads."""
    from PIL import Image

    pixels, limit = picture.width * picture.height, Image.MAX_IMAGE_PIXELS
    if limit and pixels > limit:
        raise ValueError(f"{pixels:,} pixels, more than the limit of {limit:,}")


def _to_8_bit(picture: Any) -> Any:
    """16-bit grey to 8-bit by its high byte (Pillow's own conversion clips at 255); other depths are refused."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError(f"mode {picture.mode}: 32 bits per pixel have no agreed white; save it with 8 or 16 bits")
    return picture
