"""Every operation of the policies agrees with torchvision's policy at the same level; images draw on their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as v2
import torchvision.transforms.v2.functional as tv

from harness.competition.augment_spec import AugMixSpec, RandAugmentSpec
from harness.train.augment import Draws
from harness.train.augment.policies import (
    AUGMIX,
    OPERATIONS,
    RANDAUGMENT,
    TRIVIAL_WIDE,
    augmix,
    operate,
    randaugment,
    trivial_augment,
)
from tests.train.augment.test_geometry import smooth_images

TORCHVISION = {
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "saturation": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}


def test_the_spaces_hold_torchvisions_operations():
    assert set(TORCHVISION.values()) | {"Identity"} == set(v2.RandAugment._AUGMENTATION_SPACE)
    assert set(OPERATIONS) == {"identity", *TORCHVISION}


@pytest.mark.parametrize(
    "name", [n for n in TORCHVISION if n not in ("shear_x", "shear_y", "autocontrast", "equalize")]
)
@pytest.mark.parametrize("level", [0.32, 1.0])
def test_an_operation_is_as_strong_as_torchvisions(name: str, level: float):
    """At bin `level` of torchvision's own table of magnitudes, through torchvision's own transform."""
    x = smooth_images(1, 24, 24, 3)
    bins = 101
    magnitudes, _signed = v2.RandAugment._AUGMENTATION_SPACE[TORCHVISION[name]]
    table = magnitudes(bins, 24, 24)
    magnitude = float(table[round(level * (bins - 1))])
    policy = v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR)
    pixels = (x[0] * 255).round().byte()
    source = pixels if name in ("posterize", "solarize") else x[0]
    theirs = policy._apply_image_or_video_transform(
        source, TORCHVISION[name], magnitude, interpolation=v2.InterpolationMode.BILINEAR, fill={}
    )
    theirs = theirs.float() / 255 if theirs.dtype == torch.uint8 else theirs
    # torchvision cuts a translation to whole pixels
    if name.startswith("translate"):
        level = int(magnitude) / 24 / RANDAUGMENT.translate
    given = (pixels.float() / 255)[None] if source is pixels else x
    ours = OPERATIONS[name](given, torch.tensor([level]), RANDAUGMENT, "black")[0]
    inner = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(ours[inner], theirs[inner], atol=0.03, rtol=0)


def test_shears_agree_with_torchvision_about_the_centre():
    x = smooth_images(1, 24, 24, 3)
    degrees = math.degrees(math.atan(0.5 * RANDAUGMENT.shear))
    for name, shear in (("shear_x", [degrees, 0.0]), ("shear_y", [0.0, degrees])):
        theirs = tv.affine(x, 0.0, [0, 0], 1.0, shear, interpolation=tv.InterpolationMode.BILINEAR)
        ours = OPERATIONS[name](x, torch.tensor([0.5]), RANDAUGMENT, "black")
        torch.testing.assert_close(ours[..., 5:-5, 5:-5], theirs[..., 5:-5, 5:-5], atol=0.03, rtol=0)


def test_the_widest_and_the_smallest_spaces_are_torchvisions():
    wide, mixed = v2.TrivialAugmentWide._AUGMENTATION_SPACE, v2.AugMix._AUGMENTATION_SPACE
    assert float(wide["Rotate"][0](31, 224, 224)[-1]) == TRIVIAL_WIDE.rotate
    assert float(wide["TranslateX"][0](31, 224, 224)[-1]) == pytest.approx(TRIVIAL_WIDE.translate * 224)
    assert float(wide["ShearX"][0](31, 224, 224)[-1]) == pytest.approx(TRIVIAL_WIDE.shear)
    assert [int(b) for b in wide["Posterize"][0](31, 224, 224)[[0, -1]]] == [8, TRIVIAL_WIDE.least_bits]
    assert float(mixed["TranslateX"][0](10, 224, 224)[-1]) == pytest.approx(AUGMIX.translate * 224)
    assert [int(b) for b in mixed["Posterize"][0](10, 224, 224)[[0, -1]]] == [AUGMIX.most_bits, AUGMIX.least_bits]


def test_operate_touches_only_the_images_that_drew_an_operation():
    x = smooth_images(3, 16, 16, 3)
    number = list(OPERATIONS).index("solarize")
    changed = operate(x, np.array([0, number, 0]), torch.ones(3), RANDAUGMENT, "black", Draws("cpu", 0))
    assert torch.equal(changed[[0, 2]], x[[0, 2]])
    assert torch.equal(changed[1], 1 - x[1])


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 20)])
@pytest.mark.parametrize("fill", ["black", "reflect"])
def test_operate_is_each_operation_on_its_images(height: int, width: int, fill: str):
    rng = np.random.default_rng(3)
    for n in (1, 7, 40):
        x, choice = smooth_images(n, height, width, 3), rng.integers(len(OPERATIONS), size=n)
        level = torch.from_numpy(rng.uniform(-1, 1, n).astype(np.float32))
        together = operate(x, choice, level, RANDAUGMENT, fill, Draws("cpu", 0))
        for image, number in enumerate(choice):
            one = slice(image, image + 1)
            alone = list(OPERATIONS.values())[number](x[one], level[one], RANDAUGMENT, fill)
            torch.testing.assert_close(together[one], alone, atol=2e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "policy",
    [
        lambda x, draws: randaugment(x, RandAugmentSpec(operations=5, magnitude=0.32), "black", draws),
        lambda x, draws: trivial_augment(x, "reflect", draws),
        lambda x, draws: augmix(x, AugMixSpec(), "edge", draws),
    ],
    ids=["randaugment", "trivial_augment", "augmix"],
)
def test_a_policy_draws_per_image_by_its_seed_and_stays_in_range(channels: int, policy):
    x = smooth_images(1, 16, 16, channels).expand(32, channels, 16, 16).contiguous()
    kept = x.clone()
    first, again, other = policy(x, Draws("cpu", 1)), policy(x, Draws("cpu", 1)), policy(x, Draws("cpu", 2))
    assert torch.equal(first, again) and not torch.equal(first, other) and torch.equal(x, kept)
    assert len({tuple(image.flatten().tolist()) for image in first}) > 16
    assert first.shape == x.shape and first.min() >= 0 and first.max() <= 1


def test_augmix_of_no_strength_is_nearly_the_image():
    x = smooth_images(8, 16, 16, 3)
    mixed = [augmix(x, AugMixSpec(severity=s, depth=1), "edge", Draws("cpu", 3)) for s in (0.05, 1.0)]
    near, far = ((m - x).abs().mean() for m in mixed)
    assert near < far


@pytest.mark.parametrize("name", list(OPERATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_operations_do_not_care_about_the_memory_format(name: str, channels: int):
    x = smooth_images(6, 16, 16, channels)
    choice, level = np.full(6, list(OPERATIONS).index(name)), torch.linspace(-1, 1, 6)
    found = [
        operate(images, choice, level, RANDAUGMENT, "black", Draws(torch.device("cpu"), 0))
        for images in (x, x.contiguous(memory_format=torch.channels_last))
    ]
    torch.testing.assert_close(*found, atol=1e-5, rtol=0)
