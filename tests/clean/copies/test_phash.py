"""Perceptual hashes: imagehash's bit by bit, and the same for flips and turns as if the image itself were turned."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from harness.clean.copies.phash import ORIENTATIONS, hash_images, orient


def smooth(n: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Images with structure, not white noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 7, 7, channels), dtype=np.uint8)
    grown = [
        np.asarray(
            Image.fromarray(c.squeeze(-1) if channels == 1 else c).resize((width, height), Image.Resampling.BICUBIC)
        )
        for c in coarse
    ]
    return np.stack(grown).reshape(n, height, width, channels)


@pytest.mark.parametrize("shape", [(96, 96, 3), (28, 28, 1), (32, 32, 3), (50, 70, 3)])
def test_it_is_imagehashs_phash(shape: tuple[int, int, int]):
    images = smooth(40, *shape)
    for image, found in zip(images, hash_images(images)[:, 0], strict=True):
        picture = Image.fromarray(image.squeeze(-1) if shape[2] == 1 else image)
        assert int(str(imagehash.phash(picture)), 16) == int(found)


@pytest.mark.parametrize("orientation", range(8))
def test_the_hash_of_an_orientation_is_that_of_the_turned_picture(orientation: int):
    images = smooth(40, 64, 64, 3, seed=1)
    turned = np.stack([orient(image, orientation) for image in images])
    apart = np.bitwise_count(hash_images(images)[:, orientation] ^ hash_images(turned)[:, 0])
    assert apart.max() <= 2 and (apart == 0).mean() >= 0.6  # rounding can swap two frequencies at the median


def test_orientations_are_the_eight_of_a_square():
    square = np.arange(9).reshape(3, 3)
    assert len({orient(square, k).tobytes() for k in range(8)}) == 8
    assert ORIENTATIONS[1] == "mirrored" and (orient(square, 1) == square[:, ::-1]).all()
    assert ORIENTATIONS[3] == "turned by 180" and (orient(square, 3) == np.rot90(square, 2)).all()


def test_no_pictures_have_no_hashes():
    assert hash_images(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 8)
