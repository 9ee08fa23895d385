"""JPEG as a batched operation on the device: what a compressed image loses, with a quality per image.

The baseline of ITU-T T.81 without its lossless part: YCbCr, colour halved in both directions, 8x8 DCT, the tables of
Annex K scaled by the quality as libjpeg scales them, rounding, and back. Pillow's JPEG agrees (tests).
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.train.augment.draws import constant

_LUMA = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
_CHROMA = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # 99 everywhere else


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """Compress and read again: float (B, C, H, W) in [0, 1], quality (B,) from 1 to 100."""
    height, width = x.shape[2:]
    padded = F.pad(x.float() * 255, (0, -width % 16, 0, -height % 16), mode="replicate")
    if x.shape[1] != 3:
        back = _lossy(padded - 128, _table(_LUMA, quality)) + 128
    else:
        luma, chroma = _to_ycc(padded.round())
        luma = _lossy(luma - 128, _table(_LUMA, quality)) + 128
        small = _lossy(F.avg_pool2d(chroma, 2), _table(_full_chroma(), quality))
        chroma = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
        back = _from_ycc(luma, chroma)
    return back[:, :, :height, :width].round_().clamp_(0, 255).div_(255).to(x.dtype)


def _full_chroma() -> list[list[int]]:
    table = [[99] * 8 for _ in range(8)]
    for row, values in enumerate(_CHROMA):
        table[row][:4] = values
    return table


def _table(table: list[list[int]], quality: Tensor) -> Tensor:
    """(B, 8, 8): divisors at each quality, libjpeg's way."""
    quality = quality.clamp(1, 100)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).view(-1, 1, 1)
    base = constant(tuple(map(tuple, table)), quality.device)
    return ((base * scale + 50) / 100).floor().clamp(1, 255)


def _lossy(planes: Tensor, table: Tensor) -> Tensor:
    """Round the DCT of each 8x8 block of planes (B, C, H, W) to multiples of table (B, 8, 8)."""
    b, c, height, width = planes.shape
    d = _dct_matrix(planes.device)
    blocks = planes.reshape(b, c, height // 8, 8, width // 8, 8).transpose(3, 4)  # (B, C, h, w, 8, 8)
    table = table.view(b, 1, 1, 1, 8, 8)
    rounded = (d @ blocks @ d.T / table).round_() * table
    return (d.T @ rounded @ d).transpose(3, 4).reshape(b, c, height, width)


@functools.lru_cache(maxsize=8)
def _dct_matrix(device: torch.device) -> Tensor:
    """Orthonormal DCT-II (8, 8)."""
    k, x = torch.arange(8).view(-1, 1), torch.arange(8)
    matrix = torch.cos(math.pi * k * (2 * x + 1) / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)


def _to_ycc(x: Tensor) -> tuple[Tensor, Tensor]:
    """Y (B, 1, H, W), and Cb and Cr about zero (B, 2, H, W), of RGB in [0, 255]."""
    red, green, blue = x.split(1, dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma, torch.cat([(blue - luma) / 1.772, (red - luma) / 1.402], dim=1)


def _from_ycc(luma: Tensor, chroma: Tensor) -> Tensor:
    cb, cr = chroma.split(1, dim=1)
    return torch.cat([luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb], dim=1)
