"""An albumentations pipeline: equal whatever the threads, independent draws, mistakes named."""

from __future__ import annotations

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.train.augment.per_image import PerImage, milliseconds_per_image

pytest.importorskip("albumentations")

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
FLIPS = ({"name": "HorizontalFlip", "p": 0.5}, {"name": "VerticalFlip", "p": 0.5})


def test_row_epoch_and_seed_decide_not_threads_or_order():
    rows = np.arange(40)
    one, four = PerImage(FLIPS, seed=3), PerImage(FLIPS, seed=3, threads=4)
    first = one(IMAGES, rows, 1)
    assert np.array_equal(first, four(IMAGES, rows, 1))
    assert np.array_equal(first[::-1], one(IMAGES[::-1], rows[::-1], 1))
    assert not np.array_equal(first, one(IMAGES, rows, 2))
    assert not np.array_equal(first, PerImage(FLIPS, seed=4)(IMAGES, rows, 1))


def test_transforms_draw_independently():
    changed = PerImage(FLIPS, seed=0)(IMAGES, np.arange(40), 1)
    across = [np.array_equal(a, b[:, ::-1]) for a, b in zip(changed, IMAGES, strict=True)]
    down = [np.array_equal(a, b[::-1]) for a, b in zip(changed, IMAGES, strict=True)]
    assert sum(across) > 3 and sum(down) > 3  # with one seed for both, an image is turned by both or by none


def test_grey_images_and_the_cost():
    per_image = PerImage(({"name": "Affine", "rotate": [-10, 10], "p": 1.0},), seed=0)
    assert per_image(IMAGES[..., :1], np.arange(40), 0).shape == (40, 12, 12, 1)
    assert milliseconds_per_image(per_image, IMAGES) > 0


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({"name": "HorizontalFlop"}, "no transform 'HorizontalFlop' .did you mean 'HorizontalFlip'"),
        ({"name": "Blur", "blur_limitt": 3}, "Blur: .*blur_limitt"),
        ({"name": "Compose"}, "no transform 'Compose'"),
    ],
)
def test_wrong_transforms(transform: dict, said: str):
    with pytest.raises(UserError, match=said):
        PerImage((transform,), seed=0)


def test_a_transform_that_changes_the_size_is_refused():
    crop = PerImage(({"name": "RandomCrop", "height": 8, "width": 8},), seed=0)
    with pytest.raises(UserError, match=r"RandomCrop.*made uint8 \(8, 8, 3\) of uint8 \(12, 12, 3\)"):
        crop(IMAGES, np.arange(40), 0)
