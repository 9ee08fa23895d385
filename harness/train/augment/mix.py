"""Two images, their labels and their weights made one: mixup and cutmix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.competition.recipe import AugmentSpec
from harness.models.tabular.columns import WithColumns
from harness.train.augment.draws import Draws, per_image
from harness.train.augment.occlusion import inside_boxes


def mix(
    x: Any, y: Tensor, n_classes: int, spec: AugmentSpec, draws: Draws, rows: Tensor | None = None
) -> tuple[Any, Tensor, Tensor | None]:
    """Mix every image with a partner of the same batch, by mixup or by cutmix.

    Each image is mixed with probability `mix_probability`; where a recipe has both, each takes one half of them.

    Parameters
    ----------
    x : float (B, C, H, W), or `WithColumns`, whose columns are mixed by the same share (of cutmix: of the area)
    y : int64 (B,), or float (B, n_classes) where a row has several labels or numbers
    rows : float (B,), weight of each row in the loss, or None

    Returns
    -------
    images; targets: y itself where the recipe mixes nothing, else float (B, n_classes), rows of classes sum to one; weights (B,) or None
    """
    if not spec.mixup and not spec.cutmix:
        return x, y, rows
    columns = x.columns if isinstance(x, WithColumns) else None
    x = x.images if isinstance(x, WithColumns) else x
    n = len(x)
    partner = draws.to_device(draws.host.permutation(n))
    mixed = draws.host.random(n) < spec.mix_probability
    by_cutmix = mixed & (draws.host.random(n) < 0.5) if spec.mixup and spec.cutmix else mixed & bool(spec.cutmix)
    keep = np.ones(n, dtype=np.float32)
    other, targets = x[partner], F.one_hot(y, n_classes).float() if y.ndim == 1 else y
    if by_cutmix.any():
        share = np.where(by_cutmix, draws.host.beta(spec.cutmix, spec.cutmix, n), 1.0)
        x, kept = cutmix(x, other, draws.to_device(share), draws.uniform(0, 1, n), draws.uniform(0, 1, n))
    else:
        kept = draws.to_device(keep)
    if spec.mixup:
        share = np.where(mixed & ~by_cutmix, draws.host.beta(spec.mixup, spec.mixup, n), 1.0)
        weight = draws.to_device(share)
        x, kept = mixup(x, other, weight), kept * weight
    if columns is not None:
        part = kept.view(-1, 1)
        x = WithColumns(x, part * columns + (1 - part) * columns[partner])
    if rows is None:
        kept = kept.view(-1, 1)
        return x, kept * targets + (1 - kept) * targets[partner], None
    return x, *_weighted_mixture(targets, targets[partner], rows, rows[partner], kept)


def _weighted_mixture(y: Tensor, other: Tensor, weight: Tensor, others: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Targets (B, K) and weights (B,) of mixtures; each target counts by its share and its row's weight.

    So the loss of a mixture is what its two rows' weighted losses come to, w_a s L(y_a) + w_b (1 - s) L(y_b), where L is cross-entropy
    (and, but for a constant, squared error); a row that weighs nothing gives its pixels only.
    """
    mine, theirs = kept * weight, (1 - kept) * others
    mixed = mine + theirs
    share = torch.where(mixed > 0, mine / mixed.clamp(min=torch.finfo(mixed.dtype).tiny), kept).view(-1, 1)
    return share * y + (1 - share) * other, mixed


def mixup(x: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """weight (B,) * x + (1 - weight) * other (Zhang and others 2017)."""
    return torch.lerp(other, x, per_image(weight))


def cutmix(x: Tensor, other: Tensor, share: Tensor, centre_y: Tensor, centre_x: Tensor) -> tuple[Tensor, Tensor]:
    """Lay a box of `other` over x (Yun and others 2019).

    Parameters
    ----------
    share : (B,), of the image that x should keep; the box's sides are sqrt(1 - share) of the image's
    centre_y, centre_x : (B,), of the box, as fractions of the sides; what lies outside the image is cut off

    Returns
    -------
    images, and the share (B,) that x kept, counted in pixels
    """
    height, width = x.shape[2:]
    side = torch.sqrt(1 - share)
    tall, wide = side * height, side * width
    box = inside_boxes(x, centre_y * height - tall / 2, centre_x * width - wide / 2, tall, wide)
    return torch.where(box, other, x), 1 - box.float().mean(dim=(1, 2, 3))
