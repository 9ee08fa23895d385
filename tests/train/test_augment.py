"""Batched augmentation agrees with torchvision on fixed parameters, draws per image, and is seeded."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as tv

from harness.competition.recipe import AugmentSpec
from harness.train.augment import affine_matrices, augment, cutout, elastic_field, flip, warp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth_images(n: int, height: int, width: int) -> torch.Tensor:
    """Smooth pictures: two resamplers then differ by rounding only, not by where an edge falls."""
    noise = torch.rand(n, 1, 5, 5, generator=generator())
    return F.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)


def warped(x: torch.Tensor, **changes: float) -> torch.Tensor:
    neutral = {"angle": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0, "shift_x": 0.0, "shift_y": 0.0}
    parameters = {name: torch.full((len(x),), value) for name, value in (neutral | changes).items()}
    theta = affine_matrices(**parameters, aspect=x.shape[3] / x.shape[2])
    return warp(x, F.affine_grid(theta, list(x.shape), align_corners=False))


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


def test_quarter_turn_is_exact():
    x = smooth_images(2, 16, 16)
    torch.testing.assert_close(warped(x, angle=math.pi / 2), x.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_every_image_is_drawn_on_its_own_and_the_seed_decides():
    x = smooth_images(1, 28, 28).expand(8, 1, 28, 28)
    spec = AugmentSpec(rotation=20.0, shift=0.1, elastic=0.5, horizontal_flip=0.5, cutout=0.3)
    first, again, other = (augment(x, spec, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert len({tuple(image.flatten().tolist()) for image in first}) == 8


def test_no_change_asked_for_gives_the_very_same_tensor():
    x = smooth_images(2, 8, 8)
    assert augment(x, AugmentSpec(), generator()) is x


def test_augmentation_does_not_touch_the_global_generator():
    x, state = smooth_images(4, 8, 8), torch.get_rng_state()
    augment(x, AugmentSpec(rotation=10.0, elastic=1.0, cutout=0.5, vertical_flip=0.5), generator())
    assert torch.equal(torch.get_rng_state(), state)


def test_flips_mirror_the_chosen_share():
    x = smooth_images(1, 8, 8).expand(2000, 1, 8, 8)
    flipped = flip(x, 0.3, generator(), dim=3)
    mirrored = (flipped == x.flip(3)).flatten(1).all(dim=1)
    assert ((flipped == x).flatten(1).all(dim=1) | mirrored).all()
    assert 0.26 < mirrored.float().mean() < 0.34


def test_cutout_blackens_at_most_the_square_and_only_that():
    x = torch.ones(200, 3, 20, 20)
    black = cutout(x, 0.5, generator()) == 0
    assert torch.equal(black[:, 0], black[:, 2])
    area = black[:, 0].flatten(1).sum(dim=1)
    assert area.max() <= 100 and area.max() >= 81 and area.min() >= 16  # a quarter of it where the centre is a corner


def test_elastic_field_has_the_asked_for_strength():
    field = elastic_field(500, 28, 28, pixels=2.0, cells=5, generator=generator())  # in units of half the side
    assert field.shape == (500, 28, 28, 2)
    assert field[:, 0, 0].std() * 14 == pytest.approx(2.0, rel=0.1)  # a corner is a lattice point
