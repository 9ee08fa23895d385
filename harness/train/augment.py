"""Batched augmentation: tensor operations that draw per image, on the device, from a seeded generator.

A transform library draws per call: on a batch it would turn every image by the same angle, and image by image it costs
a Python call each. Here one call draws B independent parameters and resamples the whole batch once: rotation, shift,
shear, zoom and the elastic field are composed into a single sampling grid, so an image is interpolated once, not five
times.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.competition.recipe import AugmentSpec


def augment(x: Tensor, spec: AugmentSpec, generator: torch.Generator) -> Tensor:
    """Randomly change every image of a batch, each in its own way.

    Parameters
    ----------
    x : float tensor (B, C, H, W), values in [0, 1], on any device
    spec : which changes and how strong (see `AugmentSpec`); all zero returns `x` itself
    generator : source of every random draw; must live on the device of `x`

    Returns
    -------
    float tensor (B, C, H, W)
    """
    if spec.warps:
        x = warp(x, warp_grid(x, spec, generator))
    if spec.horizontal_flip:
        x = flip(x, spec.horizontal_flip, generator, dim=3)
    if spec.vertical_flip:
        x = flip(x, spec.vertical_flip, generator, dim=2)
    if spec.cutout:
        x = cutout(x, spec.cutout, generator)
    return x


def warp_grid(x: Tensor, spec: AugmentSpec, generator: torch.Generator) -> Tensor:
    """Draw one sampling grid (B, H, W, 2) per image: affine, plus the elastic displacement where asked for."""
    height, width = x.shape[2:]
    theta = affine_matrices(
        angle=math.radians(spec.rotation) * _symmetric(len(x), x.device, generator),
        shear=math.radians(spec.shear) * _symmetric(len(x), x.device, generator),
        zoom_x=1 + spec.zoom * _symmetric(len(x), x.device, generator),
        zoom_y=1 + spec.zoom * _symmetric(len(x), x.device, generator),
        shift_x=spec.shift * _symmetric(len(x), x.device, generator),
        shift_y=spec.shift * _symmetric(len(x), x.device, generator),
        aspect=width / height,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (B, H, W, 2)
    if spec.elastic:
        grid = grid + elastic_field(len(x), height, width, spec.elastic, spec.elastic_cells, generator)
    return grid


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


def elastic_field(n: int, height: int, width: int, pixels: float, cells: int, generator: torch.Generator) -> Tensor:
    """Smooth random displacements (n, H, W, 2) in grid units: normal draws on a coarse lattice, interpolated.

    The elastic distortion of Simard, Steinkraus, Platt (2003), with a coarse lattice in place of their Gaussian filter:
    the same smooth field for a fraction of the cost. `pixels` is the standard deviation at a lattice point.
    """
    coarse = torch.randn(n, 2, cells, cells, generator=generator, device=generator.device)
    field = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    scale = torch.tensor([2 * pixels / width, 2 * pixels / height], device=generator.device)
    return field.permute(0, 2, 3, 1) * scale


def warp(x: Tensor, grid: Tensor) -> Tensor:
    """Resample (B, C, H, W) at grid (B, H, W, 2), bilinear; what lies outside the image is black."""
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def flip(x: Tensor, probability: float, generator: torch.Generator, dim: int) -> Tensor:
    """Mirror each image along `dim` (3 = left-right, 2 = up-down) with the given probability."""
    chosen = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < probability
    return torch.where(chosen, x.flip(dim), x)


def cutout(x: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Black out one square per image, its side `fraction` of the shorter one, its centre anywhere (DeVries, Taylor 2017)."""
    height, width = x.shape[2:]
    half = fraction * min(height, width) / 2
    centre_y = height * torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device)
    centre_x = width * torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device)
    rows = torch.arange(height, device=x.device).view(1, 1, -1, 1) + 0.5
    columns = torch.arange(width, device=x.device).view(1, 1, 1, -1) + 0.5
    inside = ((rows - centre_y).abs() < half) & ((columns - centre_x).abs() < half)
    return x.masked_fill(inside, 0.0)


def _symmetric(n: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """n uniform draws in [-1, 1]."""
    return torch.rand(n, generator=generator, device=device) * 2 - 1
