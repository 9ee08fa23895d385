"""Image files decoded once, in parallel, into a uint8 memory map; what was stopped goes on where it was."""

from __future__ import annotations

import contextlib
import dataclasses
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.npy import open_array
from harness.base.untrusted_text import counted
from harness.competition.data_spec import DataSpec
from harness.competition.samples import Listing
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_array, new_images
from harness.data.files.decode import Decoded, Decoder
from harness.data.files.frame import Frame
from harness.data.files.sizes import settled_decoder

Tick = Callable[[int, int], None]
"""(done, of how many)."""

SCALE = "scale.json"
"""Beside the splits' folders, with resize = "scale": see `choose_scale`."""

SIZES = "sizes.npy"
"""Of each row the height and width that the image had."""

_MOST_NAMED = 3
_AT_ONCE = 1024  # images between two notes of how far decoding has come


@dataclass(frozen=True)
class Broken:
    """An image that could not be decoded."""

    file: str
    reason: str


def read_images(
    tree: FileTree,
    listing: Listing,
    arrays: dict[str, np.ndarray],
    spec: DataSpec,
    folder: Path,
    tick: Tick,
    skip_broken: bool = False,
) -> tuple[list[Broken], list[str]]:
    """Write images.npy, ids.npy and the arrays that have a value for each row (labels, groups, ...) into `folder`; goes on where it
    was stopped.

    With `skip_broken` an image that cannot be decoded is left out of the training rows, and stays black among the test
    rows, which must all be predicted; both are returned, with notes on what is odd. Without it nothing but the images is written
    where some are broken: see `refuse_broken`.

    Raises
    ------
    UserError
        If none of many images can be decoded.
    """
    broken, notes = decode_all(tree, listing.files, spec, folder, tick, skip_broken)
    if broken and not skip_broken:
        return list(broken.values()), []
    keep = np.ones(len(listing.files), dtype=bool)
    if broken and "labels" in arrays:
        keep[list(broken)] = False
        keep_rows(folder, np.flatnonzero(keep), spec)
        np.save(folder / SIZES, np.load(folder / SIZES, allow_pickle=False)[keep])
        _check_classes_left(tree, listing.files, arrays["labels"], keep)
    np.save(folder / "ids.npy", np.array(listing.ids, dtype=np.str_)[keep])
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array[keep])
    return list(broken.values()), [*listing.notes, *notes]


def refuse_broken(broken: Sequence[Broken]) -> None:
    """Say how many images cannot be decoded, name the first few, and why the first cannot (UserError)."""
    if not broken:
        return
    if len(broken) == 1:
        raise UserError(broken[0].reason)
    more = f" and {len(broken) - _MOST_NAMED:,} more" if len(broken) > _MOST_NAMED else ""
    named = ", ".join(one.file for one in broken[:_MOST_NAMED]) + more
    raise UserError(f"{len(broken):,} images cannot be decoded: {named}. The first of them: {broken[0].reason}")


def decode_all(
    tree: FileTree, files: list[tuple[str, ...]], spec: DataSpec, folder: Path, tick: Tick, skip_broken: bool
) -> tuple[dict[int, Broken], list[str]]:
    """Fill images.npy and sizes.npy, in threads; decoded.npy has the checksums of the rows that are done, largest.npy their depth.

    Returns the broken ones by row, which are black, and notes. The rows that are done stay marked, so that what is broken off later (in
    the other split) or mended (a broken file) is gone on with: `forget_decoded` is for whoever has completed the folder.

    Raises
    ------
    UserError
        If, without `skip_broken`, none of many images can be decoded: then the rest is not tried.
    """
    decoder = settled_decoder(tree, files, spec, folder.parent / SCALE, lambda done, total: None)
    images, sizes, largest, done = _open_or_begin(folder, len(files), spec)
    broken: dict[int, Broken] = {}

    def decode_into(row: int) -> None:
        try:
            decoded = decode_row(tree, files[row], decoder)
            images[row], sizes[row] = decoded.pixels, (decoded.height, decoded.width)
            largest[row] = np.nan if decoded.largest is None else decoded.largest
        except UserError as error:
            images[row] = 0
            broken[row] = Broken(tree.show(files[row][0]), str(error))

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
            largest.flush()
            for row in part:
                done[row] = 0 if row in broken else _checksum(images[row])  # broken ones are tried again after a stop
            done.flush()
            if not skip_broken and len(broken) == finished < len(files):
                raise UserError(
                    f"none of the first {finished:,} images can be decoded. The first of them: {broken[min(broken)].reason}"
                )
    images.flush()
    return dict(sorted(broken.items())), _notes_on_depth(largest[done != 0], spec)


def decode_row(tree: FileTree, files: Sequence[str], decoder: Decoder) -> Decoded:
    """The image of a row: of one file, or of several whose channels are put behind each other.

    Raises
    ------
    UserError
        If one cannot be decoded, or the channels are not as many as data.channels says.
    """
    if len(files) == 1:
        with tree.open(files[0]) as file:
            return decoder(file, tree.show(files[0]))
    each = dataclasses.replace(decoder, channels=1 if decoder.channels == len(files) else 3)
    if decoder.resize != "stretch":  # put together first: parts of unlike sizes show the same
        each = dataclasses.replace(each, resize="whole")
    parts = []
    for name in files:
        with tree.open(name) as file:
            parts.append(each(file, tree.show(name)))
    if decoder.resize == "stretch":
        pixels = np.concatenate([part.pixels for part in parts], axis=2)
    else:
        first = Frame(parts[0].height, parts[0].width)
        pixels = decoder.frame.pixels(np.concatenate([first.pixels(part.pixels) for part in parts], axis=2))
    largest = [part.largest for part in parts if part.largest is not None]
    return Decoded(pixels, parts[0].height, parts[0].width, max(largest, default=None))


def _notes_on_depth(largest: np.ndarray, spec: DataSpec) -> list[str]:
    """Images of more than 8 bits whose values keep to the low end become dark ones, and those with values above data.range lose these: that
    is said, with the key that mends it.

    largest : float32 (n,), the largest value of each image; NaN of those of 8 bits
    """
    deep = largest[~np.isnan(largest)]
    if not len(deep):
        return []
    if spec.range is not None:
        return _note_on_clipped(deep, spec.range)
    if deep.max() >= 32_768:
        return []
    most = int(deep.max())
    return [
        f"{counted(len(deep), 'image')} {'has' if len(deep) == 1 else 'have'} 16 bits a pixel, of which no value is above {most:,}: taken as 0 to 65,535 they come out dark, "
        f"at most {most >> 8} of 255. If they have fewer bits, say so: data.range = [0, {_full(most)}] in competition.toml"
    ]


def _note_on_clipped(largest: np.ndarray, bounds: tuple[float, float]) -> list[str]:
    """Of values above the bits that data.range says the images have; other ranges may be windows that leave values out on purpose."""
    brighter = largest[largest > bounds[1]]
    if bounds[0] != 0 or bounds[1] != _full(int(bounds[1])) or not len(brighter):
        return []
    most = int(brighter.max())
    return [
        f"{counted(len(brighter), 'image')} of {len(largest):,} {'has' if len(brighter) == 1 else 'have'} values above {bounds[1]:,.0f}, the white of "
        f"data.range, up to {most:,}: they are cut off. If that is not meant: data.range = [0, {_full(most)}] in competition.toml"
    ]


def _full(value: int) -> int:
    """The largest value of as few bits, 8 or more, as hold this one."""
    return int(2 ** max(value.bit_length(), 8) - 1)


def _checksum(pixels: np.ndarray) -> int:
    """Of a decoded row; never 0."""
    return (1 << 32) | zlib.crc32(np.ascontiguousarray(pixels).data)


_DONE = "decoded.npy"  # checksums of the decoded rows, 0 = not yet
_LARGEST = "largest.npy"  # of each row the largest value that its image had, NaN where it has 8 bits


def _open_or_begin(folder: Path, n: int, spec: DataSpec) -> tuple[np.memmap, np.memmap, np.memmap, np.memmap]:
    """images.npy, sizes.npy, largest.npy and decoded.npy of a stopped decoding, or new ones."""
    path, extents, depths, marks = (folder / name for name in ("images.npy", SIZES, _LARGEST, _DONE))
    if path.is_file() and marks.is_file():
        with contextlib.suppress(ValueError, OSError, EOFError):  # cut off while they were made
            images = open_array(path, "r+")
            sizes = open_array(extents, "r+")
            largest = open_array(depths, "r+")
            done = open_array(marks, "r+")
            arrays = (images, sizes, largest, done)
            shapes = [array.shape for array in arrays] == [(n, *spec.size, spec.channels), (n, 2), (n,), (n,)]
            types = tuple(array.dtype.type for array in arrays)
            if shapes and types == (np.uint8, np.uint32, np.float32, np.uint64):
                for row in np.flatnonzero(done):
                    if done[row] != _checksum(images[row]):
                        done[row] = 0
                return arrays
    images = new_images(folder, n, spec)
    sizes, largest = new_array(extents, (n, 2), np.uint32), new_array(depths, (n,), np.float32)
    done = new_array(marks, (n,), np.uint64)
    done[:] = 0
    return images, sizes, largest, done


def forget_decoded(folder: Path) -> None:
    """Take the marks of the rows that are done away: the folder is complete, or its decoding is to be begun anew."""
    for name in (_DONE, _LARGEST):
        (folder / name).unlink(missing_ok=True)


def keep_rows(folder: Path, rows: Sequence[int] | np.ndarray, spec: DataSpec) -> None:
    """Write images.npy anew with these rows alone."""
    everything = open_array(folder / "images.npy")
    kept = new_array(folder / "kept.npy", (len(rows), *spec.size, spec.channels), np.uint8)
    for start in range(0, len(rows), _AT_ONCE):
        kept[start : start + _AT_ONCE] = everything[rows[start : start + _AT_ONCE]]
    kept.flush()
    (folder / "kept.npy").replace(folder / "images.npy")


def _check_classes_left(tree: FileTree, files: list[tuple[str, ...]], labels: np.ndarray, keep: np.ndarray) -> None:
    if labels.ndim > 1:
        return
    lost = set(np.unique(labels)) - set(np.unique(labels[keep]))
    if lost:
        example = files[int(np.argmax(labels == min(lost)))][0]
        raise UserError(
            f"{tree.show(example)}: neither it nor another image of its class can be decoded, so that the class has none. Replace them, or take "
            "the class out of 'classes' in competition.toml."
        )
