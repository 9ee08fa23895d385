"""Chains of random operations: RandAugment, TrivialAugment, AugMix; each image draws its own.

The operations and their ranges are torchvision's (`torchvision.transforms.v2`), but for three things: a geometric
operation resamples bilinearly (torchvision: nearest neighbour), shears are about the centre, and TrivialAugment moves by
a share of the side (torchvision: up to 32 pixels, whatever the size).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.competition.augment_spec import AugMixSpec, RandAugmentSpec
from harness.train.augment import color
from harness.train.augment.draws import Draws, per_image
from harness.train.augment.geometry import affine, affine_matrices


@dataclass(frozen=True)
class Space:
    """What an operation does at level 1: shear as a slope, translation in sides, degrees, factor 1 +- enhance, bits.

    Posterize keeps `most_bits` at level 0 and `least_bits` at level 1; solarize's threshold falls from 1 to 0.
    """

    shear: float
    translate: float
    rotate: float
    enhance: float
    most_bits: int
    least_bits: int


RANDAUGMENT = Space(shear=0.3, translate=150 / 331, rotate=30, enhance=0.9, most_bits=8, least_bits=4)
TRIVIAL_WIDE = Space(shear=0.99, translate=32 / 224, rotate=135, enhance=0.99, most_bits=8, least_bits=2)
AUGMIX = Space(shear=0.3, translate=1 / 3, rotate=30, enhance=0.9, most_bits=4, least_bits=0)

Operation = Callable[[Tensor, Tensor, Space, str], Tensor]
"""(images (b, C, H, W), signed levels (b,) in [-1, 1], space, fill) -> images."""


def operate(x: Tensor, choice: np.ndarray, level: Tensor, space: Space, fill: str, draws: Draws) -> Tensor:
    """Apply to each image the operation that it drew.

    Parameters
    ----------
    choice : int (B,) on the host, index into OPERATIONS; 0 leaves the image as it is
    level : (B,) in [-1, 1]; operations without a sign take its absolute value
    """
    order, counts = np.argsort(choice, kind="stable"), np.bincount(choice, minlength=len(OPERATIONS)).tolist()
    rows = draws.to_device(
        order
    )  # one transfer and one copy, whatever was drawn: images that drew the same lie together
    sizes = [counts[0], sum(counts[1 : 1 + _MOVES]), *counts[1 + _MOVES :]]
    (kept, moved, *others), (_, move, *levels) = x[rows].split(sizes), level[rows].split(sizes)
    done = [kept, _move(moved, move, counts[1 : 1 + _MOVES], space, fill) if len(moved) else moved]
    for operation, part, strength in zip(list(OPERATIONS.values())[1 + _MOVES :], others, levels, strict=True):
        done.append(operation(part, strength, space, fill) if len(part) else part)
    return torch.empty_like(x).index_copy_(0, rows, torch.cat(done))


def _move(x: Tensor, level: Tensor, counts: list[int], space: Space, fill: str) -> Tensor:
    """The first operations, from shear_x to rotate, in one resampling of all images; counts : how many drew each."""
    shear_x, shear_y, left, up, turned = level.split(counts)
    none = torch.zeros_like(level)
    shear, shift_x, shift_y, angle = none.clone(), none.clone(), none.clone(), none.clone()
    at = np.cumsum(counts)
    shear[: at[0]] = torch.atan(shear_x * space.shear)
    shift_x[at[1] : at[2]] = left * space.translate
    shift_y[at[2] : at[3]] = up * space.translate
    angle[at[3] :] = turned * math.radians(space.rotate)
    one, aspect = torch.ones_like(level), x.shape[3] / x.shape[2]
    theta = affine_matrices(angle, shear, one, one, shift_x, shift_y, aspect)
    theta[at[0] : at[1], 1, 0] = torch.tan(torch.atan(shear_y * space.shear)) * aspect
    return affine(x, theta, fill)


def randaugment(x: Tensor, spec: RandAugmentSpec, fill: str, draws: Draws) -> Tensor:
    """`operations` times a random operation of one strength (Cubuk and others 2020); signs are drawn."""
    for _ in range(spec.operations):
        level = draws.normal(len(x)) * spec.magnitude_std + spec.magnitude
        level = level.clamp_(0, 1) * _signs(len(x), draws)
        x = operate(x, draws.integers(len(OPERATIONS), len(x)), level, RANDAUGMENT, fill, draws)
    return x


def trivial_augment(x: Tensor, fill: str, draws: Draws) -> Tensor:
    """One random operation of random strength, from the wide space (Müller, Hutter 2021)."""
    level = draws.uniform(0, 1, len(x)) * _signs(len(x), draws)
    return operate(x, draws.integers(len(OPERATIONS), len(x)), level, TRIVIAL_WIDE, fill, draws)


def augmix(x: Tensor, spec: AugMixSpec, fill: str, draws: Draws) -> Tensor:
    """`width` chains of 1 to `depth` operations, averaged by random weights, mixed with the image (Hendrycks 2020)."""
    n = len(x)
    weights = draws.to_device(draws.host.dirichlet([spec.alpha] * spec.width, n))  # (B, width)
    changed = torch.zeros_like(x)
    for chain in range(spec.width):
        y, length = x, 1 + draws.integers(spec.depth, n)
        for step in range(spec.depth):
            choice = np.where(step < length, draws.integers(len(OPERATIONS), n), 0)
            level = draws.uniform(0.1, 1, n) * spec.severity * _signs(n, draws)
            y = operate(y, choice, level, AUGMIX, fill, draws)
        changed += per_image(weights[:, chain]) * y
    share = draws.to_device(draws.host.beta(spec.alpha, spec.alpha, n))
    return torch.lerp(x, changed, per_image(share)).clamp_(0, 1)


def _signs(n: int, draws: Draws) -> Tensor:
    return draws.to_device(draws.host.choice(np.array([-1.0, 1.0]), n))


def _affine(x: Tensor, fill: str, **changes: Tensor) -> Tensor:
    neutral = x.new_zeros(len(x))
    given = {"angle": neutral, "shear": neutral, "shift_x": neutral, "shift_y": neutral} | changes
    one = torch.ones_like(neutral)
    theta = affine_matrices(**given, zoom_x=one, zoom_y=one, aspect=x.shape[3] / x.shape[2])
    return affine(x, theta, fill)


def _shear_x(x: Tensor, level: Tensor, space: Space, fill: str) -> Tensor:
    return _affine(x, fill, shear=torch.atan(level * space.shear))


def _shear_y(x: Tensor, level: Tensor, space: Space, fill: str) -> Tensor:
    return _shear_x(x.transpose(2, 3), level, space, fill).transpose(2, 3)


def _posterize(x: Tensor, level: Tensor, space: Space, fill: str) -> Tensor:
    return color.posterize(x, space.most_bits - torch.round(level.abs() * (space.most_bits - space.least_bits)))


_MOVES = 5  # of the operations below, after identity: those that resample
OPERATIONS: dict[str, Operation] = {
    "identity": lambda x, level, space, fill: x,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": lambda x, level, space, fill: _affine(x, fill, shift_x=level * space.translate),
    "translate_y": lambda x, level, space, fill: _affine(x, fill, shift_y=level * space.translate),
    "rotate": lambda x, level, space, fill: _affine(x, fill, angle=level * math.radians(space.rotate)),
    "brightness": lambda x, level, space, fill: color.brightness(x, 1 + level * space.enhance),
    "saturation": lambda x, level, space, fill: color.saturation(x, 1 + level * space.enhance),
    "contrast": lambda x, level, space, fill: color.contrast(x, 1 + level * space.enhance),
    "sharpness": lambda x, level, space, fill: color.sharpness(x, 1 + level * space.enhance),
    "posterize": _posterize,
    "solarize": lambda x, level, space, fill: color.solarize(x, 1 - level.abs()),
    "autocontrast": lambda x, level, space, fill: color.autocontrast(x),
    "equalize": lambda x, level, space, fill: color.equalize(x),
}
