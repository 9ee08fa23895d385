"""Perceptual hashes: 64 bits that stay nearly the same when an image is compressed, scaled or made a little brighter.

The pHash of imagehash (Buchner; after Krawetz 2011): grey, 32x32 by Lanczos, DCT, the 8x8 lowest frequencies against
their median; bit by bit the same (tests/clean/test_phash.py). Grey and Lanczos are Pillow's here too, in threads; the DCT
is one matrix product for thousands of images, and gives the hashes of all flips and turns at no cost.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from harness.base.pictures import as_picture

_SIDE, _KEPT = 32, 8
_AT_ONCE = 4096

ORIENTATIONS = ("as it is", "mirrored", "upside down", "turned by 180", "transposed", "turned by 90", "turned by 270",
                "anti-transposed")  # fmt: skip
"""Of the eight hashes of an image; see `orient`."""


def hash_images(images: np.ndarray) -> np.ndarray:
    """uint64 (n, 8): the pHash of each image, uint8 (n, H, W, C), in its eight flips and turns (`ORIENTATIONS`)."""
    parts = [_hash(images[start : start + _AT_ONCE]) for start in range(0, len(images), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros((0, 8), dtype=np.uint64)


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image (H, W, ...) in one of the eight `ORIENTATIONS`."""
    if orientation >= 4:
        image = image.swapaxes(0, 1)
    if orientation % 2:
        image = image[:, ::-1]
    return image[::-1] if orientation % 4 >= 2 else image


def _hash(images: np.ndarray) -> np.ndarray:
    small = _small_greys(images).astype(np.float64)
    low = _COSINES @ small @ _COSINES.T  # (n, 8, 8)
    # A mirrored image has the same frequencies with every odd one negated; a transposed one has them transposed.
    signs = np.where(np.arange(_KEPT) % 2, -1.0, 1.0)
    seen = []
    for spectrum in (low, low.swapaxes(1, 2)):
        seen += [spectrum, spectrum * signs, spectrum * signs[:, None], spectrum * signs * signs[:, None]]
    return np.stack([_bits(spectrum) for spectrum in seen], axis=1)


def _small_greys(images: np.ndarray) -> np.ndarray:
    """uint8 (n, 32, 32): grey, by Lanczos."""
    from PIL import Image

    small = np.empty((len(images), _SIDE, _SIDE), dtype=np.uint8)

    def reduce(row: int) -> None:
        grey = as_picture(images[row]).convert("L")
        small[row] = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(reduce, range(len(images)), chunksize=64):
            pass
    return small


def _bits(spectrum: np.ndarray) -> np.ndarray:
    """uint64 (n,) of the frequencies (n, 8, 8) above their median."""
    flat = spectrum.reshape(len(spectrum), -1)
    above = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(">u8").ravel().astype(np.uint64)


def _cosines() -> np.ndarray:
    """float64 (8, 32): the 8 lowest frequencies of the DCT-II."""
    k, x = np.arange(_KEPT)[:, None], np.arange(_SIDE)
    return 2 * np.cos(np.pi * k * (2 * x + 1) / (2 * _SIDE))


_COSINES = _cosines()
