"""Geometry agrees with torchvision on fixed parameters."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as tv

from harness.train.augment import Draws
from harness.train.augment.geometry import (
    affine,
    affine_matrices,
    alternating_coin,
    elastic_field,
    mirror,
    pad_and_crop,
    quarter_turns,
)


def smooth_images(n: int, height: int, width: int, channels: int = 1) -> torch.Tensor:
    """Smooth images: two resamplers then differ by rounding only, not by where an edge falls."""
    noise = torch.rand(n, channels, 5, 5, generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)


def warped(x: torch.Tensor, fill: str = "black", **changes: float) -> torch.Tensor:
    neutral = {"angle": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0, "shift_x": 0.0, "shift_y": 0.0}
    parameters = {name: torch.full((len(x),), value) for name, value in (neutral | changes).items()}
    return affine(x, affine_matrices(**parameters, aspect=x.shape[3] / x.shape[2]), fill)


@pytest.mark.parametrize("size", [(28, 28), (20, 32)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"angle": math.radians(20)}, {"angle": -20}),
        ({"zoom_x": 1.2, "zoom_y": 1.2}, {"scale": 1.2}),
        ({"shear": math.radians(10)}, {"shear": [10.0, 0.0]}),
        ({"angle": math.radians(-15), "zoom_x": 0.9, "zoom_y": 0.9}, {"angle": 15, "scale": 0.9}),
    ],
)
def test_affine_agrees_with_torchvision(size: tuple[int, int], ours: dict, theirs: dict):
    x = smooth_images(4, *size)
    parameters = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]} | theirs
    expected = tv.affine(x, **parameters, interpolation=tv.InterpolationMode.BILINEAR)
    inner = (..., slice(5, -5), slice(5, -5))  # at the border the two fill differently
    torch.testing.assert_close(warped(x, **ours)[inner], expected[inner], atol=2e-2, rtol=0)


def test_shift_moves_by_whole_pixels_right_and_down():
    x = smooth_images(2, 16, 32)
    moved = warped(x, shift_x=4 / 32, shift_y=2 / 16)
    torch.testing.assert_close(moved[..., 2:, 4:], x[..., :-2, :-4], atol=1e-5, rtol=0)
    assert not moved[..., :2, :].any() and not moved[..., :4].any()


def test_what_comes_in_from_outside_is_black_the_edge_or_a_reflection():
    x = smooth_images(1, 8, 8)
    for fill, column in (("black", torch.zeros(1, 1, 8)), ("edge", x[..., 0]), ("reflect", x[..., 1])):
        moved = warped(x, fill, shift_x=2 / 8)
        torch.testing.assert_close(moved[..., 0], column, atol=1e-5, rtol=0)


def test_quarter_turn_is_exact():
    x = smooth_images(2, 16, 16)
    torch.testing.assert_close(warped(x, angle=math.pi / 2), x.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_quarter_turns_per_image():
    x = smooth_images(4, 9, 9, 3)
    turned = quarter_turns(x, torch.arange(4))
    for k in range(4):
        assert torch.equal(turned[k], x[k].rot90(k, (1, 2)))


def test_mirror_only_the_chosen():
    x = smooth_images(2, 6, 7, 3)
    assert torch.equal(mirror(x, torch.tensor([True, False]), dim=3), torch.stack([tv.hflip(x[0]), x[1]]))
    assert torch.equal(mirror(x, torch.tensor([False, True]), dim=2), torch.stack([x[0], tv.vflip(x[1])]))


@pytest.mark.parametrize(("fill", "mode"), [("black", "constant"), ("edge", "edge"), ("reflect", "reflect")])
def test_pad_and_crop_agrees_with_torchvision(fill: str, mode: str):
    x = smooth_images(3, 10, 12, 3)
    top, left = torch.tensor([0, 3, 4]), torch.tensor([4, 2, 0])
    ours = pad_and_crop(x, top, left, 2, fill)
    padded = tv.pad(x, [2, 2, 2, 2], padding_mode=mode)
    for i in range(3):
        assert torch.equal(ours[i], tv.crop(padded[i], int(top[i]), int(left[i]), 10, 12))


def test_alternating_coin_is_fair_fixed_per_row_and_turns_every_epoch():
    rows = torch.arange(10_000)
    first, second, third = (alternating_coin(rows, epoch, seed=7) for epoch in (1, 2, 3))
    assert torch.equal(first, ~second) and torch.equal(first, third)
    assert 0.48 < first.float().mean() < 0.52
    assert 0.45 < (first[:-1] == first[1:]).float().mean() < 0.55  # neighbours are independent
    assert not torch.equal(first, alternating_coin(rows, 1, seed=8))
    assert torch.equal(alternating_coin(rows[[5, 77]], 1, 7), first[[5, 77]])


def test_elastic_field_is_smooth_and_as_strong_as_asked():
    field = elastic_field(200, 32, 32, 2.0, 5, Draws("cpu", 0)) * 16  # grid units to pixels
    assert 1.0 < field.std() < 2.5
    assert (field[:, 1:] - field[:, :-1]).abs().max() < 3.0
