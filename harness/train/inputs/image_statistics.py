"""What can be said of an image without knowing what it shows: light, colour, sharpness, noise, place. Each has a name.

Two sets of images that differ in how they were taken differ here; a domain classifier on these numbers says in words
what gives them away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STATISTICS = (
    "brightness",
    "contrast",
    "darkest pixels",
    "brightest pixels",
    "asymmetry of the histogram",
    "saturation",
    "red against green",
    "blue against green",
    "sharpness",
    "noise",
    "coarse edges",
    "edges along 8x8 blocks",
    "flat neighbours",
    "border against the rest",
    "place of the subject, across",
    "place of the subject, down",
    "size of the subject",
    "horizontal against vertical edges",
    "left against right",
    "top against bottom",
)
"""Names of the columns of `image_statistics`."""

_AT_ONCE = 256
_PIXELS = 8192
_FAINT = 1e-4  # keeps logarithms finite; far below one grey level (0.0039)


def image_statistics(pixels: Tensor) -> Tensor:
    """float32 (B, len(STATISTICS)) of uint8 (B, H, W, C), on the pixels' device; grey images have no colour (zeros).

    Lengths are shares of the side and intensities shares of full scale, so that images of any size may be compared.
    """
    if len(pixels) > _AT_ONCE:  # a quantile of too many numbers at once is refused by torch
        return torch.cat([image_statistics(part) for part in pixels.split(_AT_ONCE)])
    x = pixels.permute(0, 3, 1, 2).float().div(255)
    grey = x.mean(dim=1)  # (B, H, W)
    flat = grey.flatten(1)
    some = flat[:, :: -(-flat.shape[1] // _PIXELS)]  # enough pixels for a quantile
    dark, middle, bright = torch.quantile(some, torch.tensor([0.02, 0.5, 0.98], device=x.device), dim=1)
    mean = flat.mean(dim=1)
    columns = [mean, flat.std(dim=1, correction=0), dark, bright, mean - middle]
    columns += [*_colour(x), *_detail(grey), *_place(grey)]
    return torch.stack(columns, dim=1).nan_to_num_(0.0)  # images of one pixel's width have no halves


def describe_images(
    images: np.ndarray, rows: np.ndarray, tick: Callable[[int, int], None] = lambda done, total: None
) -> np.ndarray:
    """float32 (len(rows), len(STATISTICS)) of some rows of uint8 (n, H, W, C), which may be a memory map."""
    parts = [np.zeros((0, len(STATISTICS)), dtype=np.float32)]
    for start in range(0, len(rows), _AT_ONCE):
        some = np.ascontiguousarray(images[rows[start : start + _AT_ONCE]])
        parts.append(image_statistics(torch.from_numpy(some)).numpy())
        tick(start + len(some), len(rows))
    return np.concatenate(parts)


def _colour(x: Tensor) -> list[Tensor]:
    """Saturation, red - green, blue - green, each (B,)."""
    if x.shape[1] != 3:
        return [x.new_zeros(len(x))] * 3
    red, green, blue = x.flatten(2).mean(dim=2).unbind(dim=1)
    return [(x.amax(dim=1) - x.amin(dim=1)).flatten(1).mean(dim=1), red - green, blue - green]


def _detail(grey: Tensor) -> list[Tensor]:
    """Sharpness, noise, coarse edges, blocks, flat neighbours, each (B,).

    Noise is Immerkaer's mask (1996): what is left of an image when lines and edges are taken out.
    """
    across, down = grey[:, :, 1:] - grey[:, :, :-1], grey[:, 1:] - grey[:, :-1]
    across_size = across.abs().mean(dim=(1, 2))
    mask = grey.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])[None, None]
    padded = F.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")
    noise = F.conv2d(padded, mask).abs().flatten(1).mean(dim=1)
    coarse = F.adaptive_avg_pool2d(grey[:, None], 7)[:, 0]
    coarse_edges = (coarse[:, :, 1:] - coarse[:, :, :-1]).abs().mean(dim=(1, 2))
    step = across.abs().mean(dim=1)  # (B, W - 1): mean difference at each column
    blocks = step[:, 7::8].mean(dim=1) / (across_size + _FAINT) if step.shape[1] >= 15 else across_size * 0
    still = (across.abs() < 0.5 / 255).float().mean(dim=(1, 2))
    sharpness = (across_size + down.abs().mean(dim=(1, 2)) + _FAINT).log()
    return [sharpness, (noise + _FAINT).log(), (coarse_edges + _FAINT).log(), blocks, still]


def _place(grey: Tensor) -> list[Tensor]:
    """Border against the rest, where the subject is and how large, direction of edges, halves, each (B,)."""
    height, width = grey.shape[1:]
    edge = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    border = edge.median(dim=1).values
    weight = (grey - border[:, None, None]).abs() + 1e-6
    weight = weight / weight.sum(dim=(1, 2), keepdim=True)
    y = torch.linspace(-0.5, 0.5, height, device=grey.device)[None, :, None]
    x = torch.linspace(-0.5, 0.5, width, device=grey.device)[None, None, :]
    centre_x, centre_y = (weight * x).sum(dim=(1, 2)), (weight * y).sum(dim=(1, 2))
    size = ((weight * (x**2 + y**2)).sum(dim=(1, 2)) - centre_x**2 - centre_y**2).clamp(min=0).sqrt()
    across = (grey[:, :, 1:] - grey[:, :, :-1]).abs().mean(dim=(1, 2))
    down = (grey[:, 1:] - grey[:, :-1]).abs().mean(dim=(1, 2))
    turned = ((across + _FAINT) / (down + _FAINT)).log()
    left, right = grey[:, :, : width // 2].mean(dim=(1, 2)), grey[:, :, -(width // 2) :].mean(dim=(1, 2))
    top, bottom = grey[:, : height // 2].mean(dim=(1, 2)), grey[:, -(height // 2) :].mean(dim=(1, 2))
    return [border - grey.mean(dim=(1, 2)), centre_x, centre_y, size, turned, left - right, top - bottom]
