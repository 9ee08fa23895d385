"""Named image statistics: each moves with what it is named after, and none of them breaks on odd images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.train.corruptions import corrupt
from harness.train.inputs.image_statistics import STATISTICS, describe_images, image_statistics


def pictures(n: int = 16, side: int = 24, channels: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.integers(0, 256, (n, channels, 4, 4)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return smooth.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def mean_of(name: str, pixels: torch.Tensor) -> float:
    return float(image_statistics(pixels)[:, STATISTICS.index(name)].mean())


@pytest.mark.parametrize(
    ("corruption", "statistic", "direction"),
    [
        ("white_noise", "noise", 1),
        ("blur", "sharpness", -1),
        ("saturation", "saturation", 0),
        ("pixelate", "flat neighbours", 1),
        ("brightness", "brightness", 0),
    ],
)
def test_a_statistic_moves_with_what_it_is_named_after(corruption: str, statistic: str, direction: int):
    x = pictures()
    before, after = mean_of(statistic, x), mean_of(statistic, corrupt(x, np.arange(len(x)), corruption, 5))
    assert after != pytest.approx(before, abs=1e-4)
    if direction:
        assert (after - before) * direction > 0


def test_light_and_mirrors():
    x = pictures()
    assert mean_of("brightness", x) == pytest.approx(float(x.float().mean()) / 255, abs=1e-6)
    assert mean_of("left against right", x.flip(2)) == pytest.approx(-mean_of("left against right", x), abs=1e-6)
    assert mean_of("place of the subject, across", x.flip(2)) == pytest.approx(
        -mean_of("place of the subject, across", x), abs=1e-5
    )


def test_grey_pictures_have_no_colour():
    found = image_statistics(pictures(channels=1))
    assert found.shape == (16, len(STATISTICS))
    for name in ("saturation", "red against green", "blue against green"):
        assert not found[:, STATISTICS.index(name)].any()


@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (3, 1, 7, 3), (3, 300, 2, 1), (2, 5, 5, 3)])
def test_odd_sizes_and_flat_pictures_give_numbers(shape: tuple[int, int, int, int]):
    assert torch.isfinite(image_statistics(torch.full(shape, 7, dtype=torch.uint8))).all()


def test_rows_are_described_in_the_order_they_are_asked_for():
    x = pictures(600, 8, 1).numpy()
    rows = np.array([599, 3, 300])
    told = []
    found = describe_images(x, rows, lambda done, total: told.append((done, total)))
    np.testing.assert_allclose(found, image_statistics(torch.from_numpy(x[rows])).numpy())
    assert told == [(3, 3)] and describe_images(x, np.zeros(0, int)).shape == (0, len(STATISTICS))
