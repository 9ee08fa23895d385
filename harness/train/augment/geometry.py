"""Where pixels go: affine, elastic, pad and crop, mirrors, quarter turns. Images are float (B, C, H, W) in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.train.augment.draws import Draws, constant, per_image

FILLS = {"black": "zeros", "edge": "border", "reflect": "reflection"}
"""What stands outside an image: a recipe's word and grid_sample's."""


def affine_matrices(
    angle: Tensor, shear: Tensor, zoom_x: Tensor, zoom_y: Tensor, shift_x: Tensor, shift_y: Tensor, aspect: float = 1.0
) -> Tensor:
    """Matrices (B, 2, 3) for `affine_grid`, which map output to input coordinates (each of them in [-1, 1]).

    angle in radians, counter-clockwise as seen on the screen; shear in radians along x, with torchvision's sign;
    zoom > 1 enlarges; shift as a fraction of the side, positive = right / down; aspect = width / height, so that a
    rotation stays a rotation on an oblong image.
    The image is zoomed, then sheared, then rotated about its centre, then shifted; the inverse is written out below.
    """
    cos, sin, tan = torch.cos(angle), torch.sin(angle), torch.tan(shear)
    # inverse of R(angle) @ S(shear) @ Z(zoom), in pixels with y pointing down
    a, b = (cos + tan * sin) / zoom_x, (-sin + tan * cos) / zoom_x
    d, e = sin / zoom_y, cos / zoom_y
    b, d = b / aspect, d * aspect  # pixels to [-1, 1] coordinates
    tx, ty = 2 * shift_x, 2 * shift_y
    rows = torch.stack([a, b, -(a * tx + b * ty), d, e, -(d * tx + e * ty)], dim=1)
    return rows.view(-1, 2, 3)


def elastic_field(n: int, height: int, width: int, pixels: float, cells: int, draws: Draws) -> Tensor:
    """Smooth random displacements (n, H, W, 2) in grid units: normal draws on a coarse lattice, interpolated.

    The elastic distortion of Simard, Steinkraus, Platt (2003), with a coarse lattice in place of their Gaussian filter:
    the same smooth field for a fraction of the cost. `pixels` is the standard deviation at a lattice point.
    """
    coarse = draws.normal(n, 2, cells, cells)
    field = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    scale = constant((2 * pixels / width, 2 * pixels / height), coarse.device)
    return field.permute(0, 2, 3, 1) * scale


def affine(x: Tensor, theta: Tensor, fill: str = "black", displacement: Tensor | None = None) -> Tensor:
    """Resample (B, C, H, W) by matrices (B, 2, 3) and displacements (B, H, W, 2), once, bilinear.

    fill : what stands outside the image: "black", "edge" or "reflect"
    """
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (B, H, W, 2)
    if displacement is not None:
        grid = grid + displacement
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=FILLS[fill], align_corners=False)


def mirror(x: Tensor, chosen: Tensor, dim: int) -> Tensor:
    """Mirror the chosen images (bool (B,)) along `dim`: 3 = left-right, 2 = up-down."""
    return torch.where(per_image(chosen), x.flip(dim), x)


def alternating_coin(rows: Tensor, epoch: int | Tensor, seed: int) -> Tensor:
    """bool (B,): the side of a fair coin that belongs to each row, turned over every epoch.

    Airbench's alternating flip (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"): over two epochs a row is seen both
    ways, where independent flips would show a quarter of all rows the same way twice.

    rows : int64 (B,), the images' numbers in the data set
    """
    mixed = (rows + 1_000_003 * (seed % 1_000_003)) * 0x9E3779B1 & 0xFFFFFFFF
    mixed = (mixed ^ (mixed >> 15)) * 0x85EBCA77 & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 13)) + epoch) % 2 == 0


def pad_and_crop(x: Tensor, top: Tensor, left: Tensor, pixels: int, fill: str = "reflect") -> Tensor:
    """Pad every side by `pixels`, then cut the old size out at (top, left), int64 (B,), each in [0, 2 * pixels].

    The same as a shift by (pixels - left, pixels - top) without interpolation.
    """
    b, _c, height, width = x.shape
    mode = {"black": "constant", "edge": "replicate", "reflect": "reflect"}[fill]
    padded = F.pad(x, (pixels,) * 4, mode=mode)
    rows = top.view(-1, 1) + torch.arange(height, device=x.device)  # (B, H)
    columns = left.view(-1, 1) + torch.arange(width, device=x.device)  # (B, W)
    image = torch.arange(b, device=x.device).view(-1, 1, 1)
    cut = padded.permute(0, 2, 3, 1)[image, rows.unsqueeze(2), columns.unsqueeze(1)]  # (B, H, W, C)
    return cut.permute(0, 3, 1, 2)


def quarter_turns(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each image counter-clockwise by turns (int64 (B,), 0 to 3) x 90 degrees; images must be square."""
    for k in (1, 2, 3):
        x = torch.where(per_image(turns == k), x.rot90(k, (2, 3)), x)
    return x
