"""What some images look like: their sizes, whether they are grey, how deep they are, what is round them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from harness.base.errors import UserError
from harness.data.files.archives import FileTree
from harness.data.files.arrays import read_whole
from harness.data.files.decode import is_dicom, open_picture
from harness.data.files.decode_arrays import header_of_dicom
from harness.data.guess.framing import Border

_LOOKED_AT = 60
_MOST_BYTES = 1 << 31  # of an array


@dataclass(frozen=True)
class Looks:
    """What some images look like.

    Attributes
    ----------
    heights, widths : of those that were opened, int (m,)
    grey : whether all are grey
    deep : largest value of those with more than 8 bits a pixel, or None
    channels : of arrays, where they have an axis for them, else 0
    bounds : least and largest finite value of arrays that are not of 8 bits, or None
    odd : what could not be opened, with the reason
    borders : of those whose pixels were looked at
    """

    heights: np.ndarray
    widths: np.ndarray
    grey: bool
    deep: float | None
    channels: int = 0
    bounds: tuple[float, float] | None = None
    odd: str = ""
    borders: list[Border] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """One image; as `Looks` has it."""

    size: tuple[int, int]
    grey: bool = True
    deep: float | None = None
    channels: int = 0
    bounds: tuple[float, float] | None = None
    border: Border | None = None


class ManyImages(UserError):
    """A file that is not one image."""


def look_at(tree: FileTree, files: list[str]) -> Looks:
    """Open some images, evenly spread.

    Raises
    ------
    ManyImages
        If a file holds many.
    """
    from PIL import UnidentifiedImageError

    chosen = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(_LOOKED_AT, len(files))).astype(int))]
    looks: list[_Look] = []
    odd = ""
    for name in chosen:
        try:
            with tree.open(name) as file:
                looks.append(_look(file, tree.show(name), {look.size for look in looks}))
        except ManyImages:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they like
            said = "no image, or of a format that is not read" if isinstance(error, UnidentifiedImageError) else error
            odd = odd or (str(error) if isinstance(error, UserError) else f"{name}: {said}")
    return _together(looks, odd)


def look_at_contents(contents: Iterable[bytes], shown: str) -> Looks:
    """Open some encoded images of a table's cells, each about as many behind the one before; shown : the table's place in words."""
    looks: list[_Look] = []
    odd = ""
    for row, content in enumerate(contents):
        if row % max(row // _LOOKED_AT, 1) or not content:  # ever fewer of those that come later
            continue
        try:
            looks.append(_look(io.BytesIO(content), f"{shown}: row {row + 1}", {look.size for look in looks}))
        except Exception as error:  # decoders of damaged files raise whatever they like
            odd = odd or f"row {row + 1}: {error}"
    return _together(looks, odd)


def _together(looks: list[_Look], odd: str) -> Looks:
    ends = [end for look in looks for end in look.bounds or ()]
    return Looks(
        np.array([look.size[0] for look in looks]),
        np.array([look.size[1] for look in looks]),
        all(look.grey for look in looks),
        max((look.deep for look in looks if look.deep is not None), default=None),
        next((look.channels for look in reversed(looks) if look.channels), 0),
        (min(ends), max(ends)) if ends else None,
        odd,
        [look.border for look in looks if look.border is not None],
    )


def _look(file: IO[bytes], where: str, sizes: Set[tuple[int, int]]) -> _Look:
    """sizes : of the images before, whose borders count where they are not all of one"""
    if is_dicom(where):
        height, width, colours = header_of_dicom(file, where)
        return _Look((height, width), not colours)
    if where.lower().endswith(".npy"):
        return _look_at_array(np.load(io.BytesIO(read_whole(file, _MOST_BYTES)), allow_pickle=False), where)
    with open_picture(file, where) as picture:
        size = picture.height, picture.width
        border = Border.of(_grey_values(picture)) if sizes - {size} else None
        if picture.mode.startswith("I"):
            return _Look(size, True, float(np.asarray(picture).max()), border=border)
        return _Look(size, _is_grey(picture), border=border)


def _is_grey(picture: Any) -> bool:
    if picture.mode in ("L", "1", "LA"):
        return True
    small = np.asarray(picture.convert("RGB").resize((32, 32)), dtype=np.int16)
    return bool(np.abs(small - small.mean(axis=2, keepdims=True)).max() <= 2)


def _look_at_array(array: np.ndarray, where: str) -> _Look:
    _refuse_many(array, where)
    if array.dtype.kind not in "uifb":
        raise ValueError(f"holds {array.dtype} values, which are no numbers")
    axis = axis_of_channels(array.shape)
    size = [n for place, n in enumerate(array.shape) if place != axis]
    finite = array[np.isfinite(array)]
    bounds = (float(finite.min()), float(finite.max())) if array.dtype != np.uint8 and finite.size else None
    return _Look((size[0], size[1]), channels=0 if axis is None else array.shape[axis], bounds=bounds)


def axis_of_channels(shape: tuple[int, ...]) -> int | None:
    """The axis of an image's channels, the first or the last: beside two equal sides, else the shorter one; None of two axes."""
    if len(shape) < 3:
        return None
    first, middle, last = shape
    if first == middle or middle == last:
        return 2 if first == middle else 0
    return 0 if first < last else 2


def _refuse_many(array: np.ndarray, shown: str) -> None:
    if array.ndim not in (2, 3):
        held = "many images" if array.ndim > 3 else "no image"
        raise ManyImages(
            f"{shown}: is an array of shape {array.shape}, {held}, and a .npy file beside images is one image. How arrays of all images are read: "
            "docs/layouts.md, 'All images in one array'."
        )


def _grey_values(picture: Any) -> np.ndarray:
    """uint8 (H, W) of a Pillow image; of one with more than 8 bits a pixel from its least to its largest value."""
    if not picture.mode.startswith(("I", "F")):
        return np.asarray(picture.convert("L"))
    values = np.asarray(picture).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    return np.round(255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8)
