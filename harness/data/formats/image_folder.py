"""Images in folders: train/<class>/*, test/*; decoded once, in parallel, into a uint8 memory map."""

from __future__ import annotations

import contextlib
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.storage.npy import open_array
from harness.base.untrusted_text import is_plain, listed, plain
from harness.competition.competition import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_array, new_images
from harness.data.files.decode import ENDINGS, Decoder, is_image
from harness.data.files.names import Lookup, nfc, stem, without_ending
from harness.data.formats.labels import read_label_csv

Tick = Callable[[int, int], None]
"""(done, of how many)."""

_AT_ONCE = 1024  # images between two notes of how far decoding has come


@dataclass(frozen=True)
class Listing:
    """The images of one folder: file names in the tree, ids, and (training) labels int64 (n,).

    notes : what was left out and what is odd, in words
    """

    files: list[str]
    ids: list[str]
    labels: np.ndarray | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broken:
    """An image that could not be decoded."""

    file: str
    reason: str


def list_test(tree: FileTree, name: str, wanted: np.ndarray | None = None) -> Listing:
    """Find a folder's test images, without opening one.

    Their ids are what the sample submission (`wanted`) calls the files, in its spelling: names without ending ('1'), with it
    ('1.png'), or paths below the folder; without one, names without ending.

    Raises
    ------
    UserError
        If there are no images, a file name is unprintable, or two files answer to one id.
    """
    files, notes = _pictures(tree, name)
    return Listing(files, _test_ids(tree, name, files, wanted), None, notes)


def list_by_folder(tree: FileTree, names: Sequence[str], classes: tuple[str, ...]) -> Listing:
    """Find the training images below folders named after their classes.

    An id is the path below the folder ('cat/1.png'); with several folders, with that folder's name ('val/cat/1.png').

    Raises
    ------
    UserError
        If there are no images, or a class folder is unknown or empty.
    """
    files, ids, labels, notes = [], [], [], []
    for name in names:
        found, left_out = _pictures(tree, name)
        files += found
        notes += left_out
        below = PurePosixPath(name).parent.as_posix() if len(names) > 1 else name
        ids += [f.removeprefix(f"{below}/") for f in found]
        labels.append(_labels(tree, name, found, classes))
    return Listing(files, ids, np.concatenate(labels), tuple(notes))


def list_by_csv(tree: FileTree, name: str, spec: DataSpec, classes: tuple[str, ...]) -> Listing:
    """Find the training images that a CSV names, in its order; their ids are the CSV's.

    Ids may be names without ending ('1'), with it ('1.png'), or paths below the folder or with it.

    Raises
    ------
    UserError
        If the CSV lacks a column or has it twice, names an id twice, a label that is no class, an image that is not there,
        or one that may be two files (names both).
    """
    ids, labels = read_label_csv(tree, spec.labels, spec.id or "id", spec.label, classes)
    files, notes = _pictures(tree, name)
    shown = tree.show(spec.labels)
    rows, _ = _matched(tree, name, files, ids, shown)
    missing = [i for i, row in zip(ids, rows, strict=True) if row is None]
    if missing:
        raise UserError(
            f"{shown}: {len(missing):,} of its {len(ids):,} ids have no image in {tree.show(name)}, e.g. "
            f"'{plain(missing[0], 80)}'. Download both again if one of them is cut off or of another version; or correct data.train, "
            "data.id in competition.toml."
        )
    unnamed = sorted(set(range(len(files))) - set(rows))
    if unnamed:
        notes = (
            *notes,
            f"{len(unnamed):,} of {len(files):,} images in {tree.show(name)} are not named by {shown} and left out, e.g. "
            f"'{files[unnamed[0]]}'",
        )
    return Listing([files[row] for row in rows], ids, labels, notes)


def _matched(
    tree: FileTree, name: str, files: list[str], ids: Sequence[str], where: str
) -> tuple[list[int | None], Lookup]:
    """For each id the number of its file, by the way of writing ids that fits most of them."""
    below = [f.removeprefix(f"{name}/") for f in files]
    lookup = Lookup(below, lambda number: tree.show(files[number]))
    asked = [i.replace("\\", "/").removeprefix("./").removeprefix(f"{name}/") for i in ids]
    return lookup.rows(asked, lookup.way_of(asked), where), lookup


def _pictures(tree: FileTree, name: str) -> tuple[list[str], tuple[str, ...]]:
    """Names of a folder's image files, and what is said of the others: none is left out unsaid."""
    everything = tree.names(name)
    files = [f for f in everything if is_image(f)]
    others = Counter(PurePosixPath(f).suffix.lower() or "no ending" for f in everything if not is_image(f))
    listed = ", ".join(f"{n:,} with {ending}" for ending, n in others.most_common())
    if not files:
        held = f"It holds {listed}. " if others else "It is empty. "
        raise UserError(
            f"{tree.show(name)}: no images there. {held}Looked for {', '.join(ENDINGS)}; correct the folder in [data] of "
            "competition.toml, or rename the files."
        )
    for file in files:
        if not is_plain(file):
            raise UserError(
                f"{tree.show(name)}: the file name {plain(file)!r} has unprintable characters. Rename the file."
            )
    left_out = f"left out of {tree.show(name)}, not among the image formats: {plain(listed)}"
    return files, (left_out,) if others else ()


def read_image_folder(
    tree: FileTree, listing: Listing, spec: DataSpec, folder: Path, tick: Tick, skip_broken: bool = False
) -> tuple[list[Broken], list[str]]:
    """Write images.npy, ids.npy and (where there are labels) labels.npy into `folder`; goes on where it was stopped.

    With `skip_broken` an image that cannot be decoded is left out of the training rows, and stays black among the test
    rows, which must all be predicted; both are returned, with notes on what is odd.

    Raises
    ------
    UserError
        If an image cannot be decoded (names it).
    """
    broken, notes = _decode_all(tree, listing.files, spec, folder, tick, skip_broken)
    keep = np.ones(len(listing.files), dtype=bool)
    if broken and listing.labels is not None:
        keep[list(broken)] = False
        _keep_rows(folder, keep, spec)
        _check_classes_left(tree, listing.files, listing.labels, keep)
    np.save(folder / "ids.npy", np.array(listing.ids, dtype=np.str_)[keep])
    if listing.labels is not None:
        np.save(folder / "labels.npy", listing.labels[keep])
    return list(broken.values()), [*listing.notes, *notes]


def _test_ids(tree: FileTree, name: str, files: list[str], wanted: np.ndarray | None) -> list[str]:
    below = [f.removeprefix(f"{name}/") for f in files]
    if wanted is not None and len(wanted):
        rows, lookup = _matched(tree, name, files, wanted.tolist(), "sample submission")
        way = lookup.way_of(wanted.tolist())
        spelt = {row: i for row, i in zip(rows, wanted.tolist(), strict=True) if row is not None}
        return [
            spelt.get(number, way(path)) for number, path in enumerate(below)
        ]  # what is not asked for is told later
    stems = [stem(f) for f in below]
    return stems if len(set(map(nfc, stems))) == len(stems) else [without_ending(f) for f in below]


def _labels(tree: FileTree, name: str, files: list[str], classes: tuple[str, ...]) -> np.ndarray:
    index = {nfc(c): i for i, c in enumerate(classes)}
    below = [f.removeprefix(f"{name}/") for f in files]
    loose = next((f for f in below if "/" not in f), None)
    if loose is not None:
        raise UserError(
            f"{tree.show(name)}: {plain(loose, 200)} lies in no class folder. Move it into that of its class; where a CSV holds the labels: "
            "data.format = 'image_csv' and data.labels in competition.toml."
        )
    folders = [nfc(f.partition("/")[0]) for f in below]
    for found in sorted(set(folders)):
        if found not in index:
            raise UserError(
                f"{tree.show(name)}: folder '{found}' is no class{nearest(found, classes)}. Classes: "
                f"{listed(classes)}. Rename the folder, or correct 'classes' in competition.toml."
            )
    empty = [c for c in classes if nfc(c) not in set(folders)]
    if empty:
        raise UserError(
            f"{tree.show(name)}: no images of class '{empty[0]}': its folder is missing or empty. Complete it, or take the class out of 'classes' in competition.toml."
        )
    return np.array([index[f] for f in folders], dtype=np.int64)


def _decode_all(
    tree: FileTree, files: list[str], spec: DataSpec, folder: Path, tick: Tick, skip_broken: bool
) -> tuple[dict[int, Broken], list[str]]:
    """Fill images.npy, in threads; decoded.npy has the checksums of the rows that are done.

    Returns the broken ones by row, and notes.
    """
    images, sizes, done = _open_or_begin(folder, len(files), spec)
    broken: dict[int, Broken] = {}
    decoder, largest = Decoder.of(spec), []

    def decode_into(row: int) -> None:
        try:
            with tree.open(files[row]) as file:
                decoded = decoder(file, tree.show(files[row]))
            images[row], sizes[row] = decoded.pixels, (decoded.height, decoded.width)
            if decoded.largest is not None:
                largest.append(decoded.largest)
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
            for row in part:
                done[row] = 0 if row in broken else _checksum(images[row])  # broken ones are tried again after a stop
            done.flush()
    images.flush()
    (folder / _DONE).unlink()
    return dict(sorted(broken.items())), _notes_on_depth(largest, spec)


def _notes_on_depth(largest: list[float], spec: DataSpec) -> list[str]:
    """Images of more than 8 bits whose values keep to the low end become dark ones: that is said, with the key that mends it."""
    if not largest or spec.range is not None or max(largest) >= 32_768:
        return []
    most = int(max(largest))
    upto = next(2**bits - 1 for bits in range(8, 17) if 2**bits > most)
    return [
        f"{len(largest):,} images have 16 bits a pixel, of which no value is above {most:,}: taken as 0 to 65,535 they come out dark, "
        f"at most {most >> 8} of 255. If they have fewer bits, say so: data.range = [0, {upto}] in competition.toml"
    ]


def _checksum(pixels: np.ndarray) -> int:
    """Of a decoded row; never 0."""
    return (1 << 32) | zlib.crc32(np.ascontiguousarray(pixels))


_DONE, _SIZES = (
    "decoded.npy",
    "sizes.npy",
)  # checksums of the decoded rows, 0 = not yet; heights and widths that they had


def _open_or_begin(folder: Path, n: int, spec: DataSpec) -> tuple[np.memmap, np.memmap, np.memmap]:
    """images.npy, sizes.npy and decoded.npy of a stopped decoding, or new ones."""
    path, extents, marks = folder / "images.npy", folder / _SIZES, folder / _DONE
    if path.is_file() and marks.is_file():
        with contextlib.suppress(ValueError, OSError, EOFError):  # cut off while they were made
            images = open_array(path, "r+")
            sizes = open_array(extents, "r+")
            done = open_array(marks, "r+")
            shapes = images.shape == (n, *spec.size, spec.channels) and done.shape == (n,) and sizes.shape == (n, 2)
            if shapes and (images.dtype, sizes.dtype, done.dtype) == (np.uint8, np.uint32, np.uint64):
                for row in np.flatnonzero(done):
                    if done[row] != _checksum(images[row]):
                        done[row] = 0
                return images, sizes, done
    images = new_images(folder, n, spec)
    sizes, done = new_array(extents, (n, 2), np.uint32), new_array(marks, (n,), np.uint64)
    done[:] = 0
    return images, sizes, done


def _keep_rows(folder: Path, keep: np.ndarray, spec: DataSpec) -> None:
    """Write images.npy anew without the rows that are not kept."""
    everything = open_array(folder / "images.npy")
    rows = np.flatnonzero(keep)
    kept = new_array(folder / "kept.npy", (len(rows), *spec.size, spec.channels), np.uint8)
    for start in range(0, len(rows), _AT_ONCE):
        kept[start : start + _AT_ONCE] = everything[rows[start : start + _AT_ONCE]]
    kept.flush()
    (folder / "kept.npy").replace(folder / "images.npy")
    np.save(folder / _SIZES, np.load(folder / _SIZES, allow_pickle=False)[rows])


def _check_classes_left(tree: FileTree, files: list[str], labels: np.ndarray, keep: np.ndarray) -> None:
    lost = set(np.unique(labels)) - set(np.unique(labels[keep]))
    if lost:
        example = files[int(np.argmax(labels == min(lost)))]
        raise UserError(
            f"{tree.show(example)}: neither it nor another image of its class can be decoded, so that the class has none. Replace them, or take "
            "the class out of 'classes' in competition.toml."
        )
