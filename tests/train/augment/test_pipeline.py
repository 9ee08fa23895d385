"""The whole pipeline: per image, seeded, in range; what would do nothing is refused."""

from __future__ import annotations

import pytest
import torch

from harness.base.errors import UserError
from harness.competition.augment_spec import AugmentSpec, AugMixSpec, RandAugmentSpec, ScaleAbsSpec
from harness.train.augment import Draws, augment, check_augment
from harness.train.augment.occlusion import cutout, random_erasing
from tests.train.augment.test_geometry import smooth_images

EVERYTHING = AugmentSpec(
    pad_crop=2,
    rotation=20.0,
    shift=0.1,
    shear=5.0,
    zoom=0.1,
    elastic=0.5,
    alternating_flip=True,
    vertical_flip=0.5,
    quarter_turns=True,
    randaugment=RandAugmentSpec(),
    trivial_augment=True,
    augmix=AugMixSpec(),
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=0.1,
    channel_shift=0.1,
    grayscale=0.2,
    scale_abs=ScaleAbsSpec(),
    blur=0.5,
    noise=0.05,
    cutout=0.3,
    erasing=0.5,
)


def changed(x: torch.Tensor, spec: AugmentSpec, seed: int = 1) -> torch.Tensor:
    return augment(x, spec, Draws("cpu", seed), torch.arange(len(x)), epoch=1, seed=seed)


def test_every_image_is_drawn_on_its_own_and_the_seed_decides():
    x = smooth_images(1, 28, 28, 3).expand(8, 3, 28, 28).contiguous()
    kept = x.clone()
    first, again, other = (changed(x, EVERYTHING, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other) and torch.equal(x, kept)
    assert len({tuple(image.flatten().tolist()) for image in first}) == 8
    assert first.shape == x.shape and first.min() >= 0 and first.max() <= 1


@pytest.mark.parametrize(
    "name", [n for n in AugmentSpec.model_fields if getattr(EVERYTHING, n) != getattr(AugmentSpec(), n)]
)
def test_every_change_changes_something_alone(name: str):
    x = smooth_images(16, 24, 24, 3)
    alone = changed(x, AugmentSpec(**{name: getattr(EVERYTHING, name)}))
    assert alone.shape == x.shape and not torch.equal(alone, x)
    assert alone.min() >= 0 and alone.max() <= 1


def test_no_change_asked_for_gives_the_very_same_tensor():
    x = smooth_images(2, 8, 8)
    assert augment(x, AugmentSpec(), Draws("cpu", 0)) is x


def test_the_global_generators_are_left_alone():
    x, state = smooth_images(4, 28, 28, 3), torch.get_rng_state()
    changed(x, EVERYTHING)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("spec", "size", "said"),
    [
        ({"hue": 0.1}, (28, 28, 1), "augment.hue = 0.1: these images are grey"),
        ({"quarter_turns": True}, (20, 28, 3), "needs square images, these are 20x28"),
        ({"pad_crop": 30}, (28, 28, 3), "must be less than the shorter side, 28"),
        ({"blur": 10.0}, (28, 28, 3), "too wide for images of 28x28"),
    ],
)
def test_what_cannot_be_done_or_does_nothing_is_refused(spec: dict, size: tuple[int, int, int], said: str):
    with pytest.raises(UserError, match=said):
        check_augment(AugmentSpec(**spec), *size)


def test_cutout_blacks_out_one_square():
    x = torch.ones(200, 1, 20, 30)
    holes = (cutout(x, 0.5, Draws("cpu", 0)) == 0).sum(dim=(1, 2, 3))
    assert holes.max() == 100 and holes.min() >= 20


def test_random_erasing_takes_the_share_it_was_asked_for():
    x = torch.full((2000, 1, 32, 32), 2.0)  # noise is below 1: what is erased shows
    erased = random_erasing(x, 0.5, (0.1, 0.2), Draws("cpu", 0))
    share = (erased < 2).float().mean(dim=(1, 2, 3))
    assert 0.46 < (share > 0).float().mean() < 0.54
    hit = share[share > 0]
    assert hit.min() > 0.08 and hit.max() < 0.23


def test_the_memory_format_changes_no_pixel():
    spec = AugmentSpec(
        rotation=20.0, shift=0.1, zoom=0.1, blur=1.0, noise=0.05, jpeg=0.5, hue=0.1, saturation=0.3, cutout=0.3
    )
    x = smooth_images(8, 32, 32, 3)
    found = [
        augment(images, spec, Draws(torch.device("cpu"), 3))
        for images in (x, x.contiguous(memory_format=torch.channels_last))
    ]
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)
