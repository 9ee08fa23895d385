"""Pictures in folders: train/<class>/*, test/*; decoded once, in parallel, into a uint8 memory map."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.competition.competition import DataSpec
from harness.data.archives import FileTree
from harness.data.arrays import new_images

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

Tick = Callable[[int, int], None]
"""(done, of how many)."""


def read_image_folder(
    tree: FileTree,
    name: str,
    spec: DataSpec,
    classes: tuple[str, ...] | None,
    folder: Path,
    tick: Tick,
    wanted: np.ndarray | None = None,
) -> None:
    """Write images.npy, ids.npy and (where classes are given) labels.npy of one folder of pictures into `folder`.

    Training ids are paths below the folder ('cat/1.png'). Test ids are what the sample submission (`wanted`) calls the
    files: names without ending ('1'), with it ('1.png'), or paths below the folder; without one, names without ending.

    Raises
    ------
    UserError
        If there are no pictures, a class folder is unknown or empty, or a picture cannot be decoded (names it).
    """
    files = [f for f in tree.names(name) if f.lower().endswith(_PICTURES)]
    if not files:
        raise UserError(f"{tree.show(name)}: no pictures there (looked for {', '.join(_PICTURES)}).")
    for file in files:
        if not file.isprintable():
            raise UserError(f"{tree.show(name)}: the file name {file!r} has unprintable characters. Rename the file.")
    if classes is not None:
        np.save(folder / "labels.npy", _labels(tree, name, files, classes))
        ids = [f.removeprefix(f"{name}/") for f in files]
    else:
        ids = _test_ids(name, files, wanted)
    np.save(folder / "ids.npy", np.array(ids, dtype=np.str_))
    images = new_images(folder, len(files), spec)
    _decode_all(tree, files, images, tick)
    images.flush()


def _test_ids(name: str, files: list[str], wanted: np.ndarray | None) -> list[str]:
    stems = [PurePosixPath(f).stem for f in files]
    if wanted is not None:
        for ids in (stems, [PurePosixPath(f).name for f in files], [f.removeprefix(f"{name}/") for f in files]):
            if set(ids) == set(wanted):
                return ids
    return stems


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


def _decode_all(tree: FileTree, files: list[str], images: np.ndarray, tick: Tick) -> None:
    height, width, channels = images.shape[1:]

    def decode_into(row: int) -> None:
        with tree.open(files[row]) as file:
            images[row] = decode(file, height, width, channels, tree.show(files[row]))

    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(decode_into, range(len(files))), start=1):
            tick(done, len(files))


def decode(file, height: int, width: int, channels: int, where: str) -> np.ndarray:
    """Decode one picture to uint8 (height, width, channels), upright as its EXIF says, resized where it must be.

    Raises
    ------
    UserError
        If it cannot be decoded or declares more pixels than Pillow's limit against decompression bombs.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            _refuse_bomb(picture)
            upright = ImageOps.exif_transpose(_to_8_bit(picture)).convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{where}: cannot be decoded ({error}). Replace it or take it out of the folder.") from error
    if upright.size != (width, height):
        upright = upright.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(upright).reshape(height, width, channels)


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
