"""Parts of an image taken away: cutout and random erasing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.train.augment.draws import Draws, per_image


def inside_boxes(x: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """bool (B, 1, H, W): pixels whose centre lies in each image's box; all (B,), in pixels, may be fractions."""
    rows = torch.arange(x.shape[2], device=x.device).view(1, 1, -1, 1) + 0.5
    columns = torch.arange(x.shape[3], device=x.device).view(1, 1, 1, -1) + 0.5
    top, left, height, width = map(per_image, (top, left, height, width))
    return (rows > top) & (rows < top + height) & (columns > left) & (columns < left + width)


def cutout(x: Tensor, fraction: float, draws: Draws) -> Tensor:
    """Black out one square per image, its side `fraction` of the shorter one, its centre anywhere (DeVries, Taylor 2017)."""
    height, width = x.shape[2:]
    side = x.new_full((len(x),), fraction * min(height, width))
    top = draws.uniform(0, height, len(x)) - side / 2
    left = draws.uniform(0, width, len(x)) - side / 2
    return x.masked_fill(inside_boxes(x, top, left, side, side), 0.0)


def random_erasing(x: Tensor, probability: float, area: tuple[float, float], draws: Draws) -> Tensor:
    """With `probability` fill one box per image with uniform noise (Zhong and others 2017).

    The box takes a share of the image uniform in `area`, its height / width is log-uniform in [0.3, 3.3], and it lies
    within the image (a side that would be longer than the image's is cut to it).
    """
    n, (height, width) = len(x), x.shape[2:]
    share = draws.uniform(*area, n) * height * width
    aspect = torch.exp(draws.uniform(math.log(0.3), math.log(3.3), n))
    tall = torch.sqrt(share * aspect).clamp(max=height)
    wide = torch.sqrt(share / aspect).clamp(max=width)
    top, left = draws.uniform(0, 1, n) * (height - tall), draws.uniform(0, 1, n) * (width - wide)
    chosen = per_image(draws.chance(probability, n)) & inside_boxes(x, top, left, tall, wide)
    return torch.where(chosen, draws.uniform(0, 1, *x.shape), x)
