"""The order in which a recipe's changes are made to a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.base.errors import UserError
from harness.base.python import registered
from harness.competition.augment_spec import AugmentSpec
from harness.train.augment import color, geometry, occlusion, policies
from harness.train.augment.compression import jpeg
from harness.train.augment.draws import Draws, per_image

_COLORED = ("saturation", "hue", "grayscale")


def check_augment(spec: AugmentSpec, height: int, width: int, channels: int) -> None:
    """Refuse what cannot be done to, or does nothing for, images of this size.

    Raises
    ------
    UserError
        Names the key.
    """
    if channels != 3:
        for name in _COLORED:
            if getattr(spec, name):
                what = "are grey" if channels == 1 else f"have {channels} channels, no colours"
                raise UserError(f"augment.{name} = {getattr(spec, name)}: these images {what}; take it out")
    if spec.quarter_turns and height != width:
        raise UserError(f"augment.quarter_turns = true: needs square images, these are {height}x{width}")
    if spec.pad_crop >= min(height, width):
        raise UserError(f"augment.pad_crop = {spec.pad_crop}: must be less than the shorter side, {min(height, width)}")
    if _blur_radius(spec) >= min(height, width):
        raise UserError(
            f"augment.blur = {spec.blur}: too wide for images of {height}x{width}; take a third of the side"
        )


def augment(
    x: Tensor, spec: AugmentSpec, draws: Draws, rows: Tensor | None = None, epoch: int | Tensor = 0, seed: int = 0
) -> Tensor:
    """Randomly change every image of a batch, each in its own way.

    Geometry first, so that an image is resampled before its values are changed; then the mirrors, a policy, values,
    and last what hides parts of it. Nothing asked for returns `x` itself.

    Parameters
    ----------
    x : float tensor (B, C, H, W), values in [0, 1], on the device of `draws`
    spec : which changes and how strong (see `AugmentSpec`)
    rows : int64 (B,), the images' numbers in the data set, for flip = "alternating"
    epoch, seed : for the same; an epoch may be int64 (B,), one for each image

    Returns
    -------
    float tensor (B, C, H, W), values in [0, 1]
    """
    x = _own(x, spec, draws)
    x = _move(x, spec, draws)
    x = _mirror(x, spec, draws, rows, epoch, seed)
    if spec.randaugment:
        x = policies.randaugment(x, spec.randaugment, spec.fill, draws)
    if spec.trivial_augment:
        x = policies.trivial_augment(x, spec.fill, draws)
    if spec.augmix:
        x = policies.augmix(x, spec.augmix, spec.fill, draws)
    moved = x
    x = _recolor(x, spec, draws)
    x = _blur_and_noise(x, spec, draws)
    if spec.jpeg:
        x = jpeg(x, draws.uniform(100 * (1 - spec.jpeg), 100, len(x)))
    if spec.untouched:
        x = torch.where(per_image(draws.chance(spec.untouched, len(x))), moved, x)
    if spec.cutout:
        x = occlusion.cutout(x, spec.cutout, draws)
    if spec.erasing:
        x = occlusion.random_erasing(x, spec.erasing, spec.erasing_area, draws)
    return x


def _own(x: Tensor, spec: AugmentSpec, draws: Draws) -> Tensor:
    """The changes that a script registered."""
    for name in spec.own:
        told = registered.find("augmentation", name)
        assert told is not None  # `check_digests` saw to that
        changed = told.value(x, draws)
        if not isinstance(changed, Tensor) or changed.shape != x.shape:
            got = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise UserError(
                f"augment.own: '{name}' makes {got} of images {tuple(x.shape)}; return a tensor of the same shape"
            )
        x = changed
    return x


def _move(x: Tensor, spec: AugmentSpec, draws: Draws) -> Tensor:
    """One resampling for rotation, shift, shear, zoom and the elastic field together; pad and crop needs none."""
    n, _, height, width = x.shape
    if spec.pad_crop:
        top, left = draws.integers(2 * spec.pad_crop + 1, 2, n)
        x = geometry.pad_and_crop(x, draws.to_device(top), draws.to_device(left), spec.pad_crop, spec.fill)
    if not spec.warps:
        return x
    theta = geometry.affine_matrices(
        angle=draws.symmetric(math.radians(spec.rotation), n),
        shear=draws.symmetric(math.radians(spec.shear), n),
        zoom_x=1 + draws.symmetric(spec.zoom, n),
        zoom_y=1 + draws.symmetric(spec.zoom, n),
        shift_x=draws.symmetric(spec.shift, n),
        shift_y=draws.symmetric(spec.shift, n),
        aspect=width / height,
    )
    field = geometry.elastic_field(n, height, width, spec.elastic, spec.elastic_cells, draws) if spec.elastic else None
    return geometry.affine(x, theta, spec.fill, field)


def _mirror(x: Tensor, spec: AugmentSpec, draws: Draws, rows: Tensor | None, epoch: int | Tensor, seed: int) -> Tensor:
    if spec.alternating_flip:
        assert rows is not None  # the training loop always gives them
        x = geometry.mirror(x, geometry.alternating_coin(rows, epoch, seed), dim=3)
    if spec.horizontal_flip:
        x = geometry.mirror(x, draws.chance(spec.horizontal_flip, len(x)), dim=3)
    if spec.vertical_flip:
        x = geometry.mirror(x, draws.chance(spec.vertical_flip, len(x)), dim=2)
    if spec.quarter_turns:
        x = geometry.quarter_turns(x, draws.to_device(draws.integers(4, len(x))))
    return x


def _recolor(x: Tensor, spec: AugmentSpec, draws: Draws) -> Tensor:
    n = len(x)
    if spec.brightness:
        x = color.brightness(x, 1 + draws.symmetric(spec.brightness, n))
    if spec.contrast:
        x = color.contrast(x, 1 + draws.symmetric(spec.contrast, n))
    if spec.saturation:
        x = color.saturation(x, 1 + draws.symmetric(spec.saturation, n))
    if spec.hue:
        x = color.hue(x, draws.symmetric(spec.hue, n))
    if spec.channel_shift:
        x = color.channel_shift(x, draws.uniform(-spec.channel_shift, spec.channel_shift, n, x.shape[1]))
    if spec.grayscale:
        x = color.saturation(x, 1 - draws.chance(spec.grayscale, n).to(x.dtype))
    if spec.scale_abs:
        x = color.scale_abs(x, spec.scale_abs.alpha, spec.scale_abs.beta)
    return x


def _blur_and_noise(x: Tensor, spec: AugmentSpec, draws: Draws) -> Tensor:
    if spec.blur:
        x = color.gaussian_blur(x, draws.uniform(0, spec.blur, len(x)), _blur_radius(spec))
    if spec.noise:
        x = color.add_noise(x, draws.normal(*x.shape), draws.uniform(0, spec.noise, len(x)))
    return x


def _blur_radius(spec: AugmentSpec) -> int:
    """Three standard deviations hold all but a thousandth of the weight."""
    return math.ceil(3 * spec.blur)
