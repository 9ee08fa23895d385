"""What values pixels have. Every function takes float images (B, C, H, W) in [0, 1] and parameters (B,) per image.

Definitions are torchvision's (`torchvision.transforms.v2.functional`) and, for `scale_abs`, OpenCV's; the tests hold
each of them against those on fixed parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.train.augment.draws import constant, per_image

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision rounds it
_SMOOTH = ((1, 1, 1), (1, 5, 1), (1, 1, 1))  # thirteenths


def grey(x: Tensor) -> Tensor:
    """Luma (B, 1, H, W); an image of one channel is its own, of other channels than colours it is their mean."""
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    weights = constant(_LUMA, x.device, x.dtype).view(1, 3, 1, 1)
    return (x * weights).sum(dim=1, keepdim=True)


def blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """factor * x + (1 - factor) * other, clipped to [0, 1]; factor (B,)."""
    return torch.lerp(other.expand_as(x), x, per_image(factor).to(x.dtype)).clamp_(0, 1)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """0 is black, 1 the image itself, 2 twice as bright."""
    return (x * per_image(factor)).clamp_(0, 1)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """0 is one grey (the image's mean luma), 1 the image itself."""
    return blend(x, grey(x).mean(dim=(1, 2, 3), keepdim=True), factor)


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """0 is grey, 1 the image itself. A grey image stays as it is."""
    return x if x.shape[1] == 1 else blend(x, grey(x), factor)


def hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turn hues by `turn` of the colour circle, in [-0.5, 0.5]. A grey image stays as it is."""
    if x.shape[1] == 1:
        return x
    h, s, v = _to_hsv(x)
    return _from_hsv(torch.remainder(h + turn.view(-1, 1, 1), 1.0), s, v)


def channel_shift(x: Tensor, shift: Tensor) -> Tensor:
    """Add shift (B, C) to the channels, clipped (Keras' channel_shift_range)."""
    return (x + shift.view(*shift.shape, 1, 1)).clamp_(0, 1)


def scale_abs(x: Tensor, alpha: float, beta: float) -> Tensor:
    """|alpha * x + beta|, saturating, rounded to 8 bits: OpenCV's convertScaleAbs; beta in units of a byte.

    The blood-cell team's augmentation with alpha 1.5: bright parts burn out. It gave 90 % at home and 31 % on the
    leaderboard.
    """
    return (alpha * x * 255 + beta).abs_().round_().clamp_(0, 255).div_(255)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Keep the first `bits` (int (B,), 0 to 8) of each byte."""
    step = per_image(torch.pow(2.0, 8 - bits.float()))
    return (torch.floor((x * 255).round_() / step) * step).div_(255)


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """Invert pixels at or above the threshold, in [0, 1]."""
    return torch.where(x >= per_image(threshold), 1 - x, x)


def autocontrast(x: Tensor) -> Tensor:
    """Stretch every channel of every image to [0, 1]; a channel of one value stays."""
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (x - low) / spread.clamp(min=1e-12), x).clamp_(0, 1)


def equalize(x: Tensor) -> Tensor:
    """Flatten the histogram of every channel of every image, as Pillow and torchvision do on bytes."""
    b, c, height, width = x.shape
    levels = (x * 255).round_().long().reshape(b * c, -1)  # (BC, HW)
    histogram = torch.zeros(b * c, 256, dtype=torch.long, device=x.device)
    histogram.scatter_add_(1, levels, torch.ones_like(levels))
    last = levels.amax(dim=1, keepdim=True)
    step = (height * width - histogram.gather(1, last)) // 255  # (BC, 1)
    table = (histogram.cumsum(dim=1) + step // 2) // step.clamp(min=1)
    table = F.pad(table[:, :-1], (1, 0)).clamp_(0, 255)
    equal = table.gather(1, levels)
    return torch.where(step == 0, levels, equal).reshape(b, c, height, width).to(x.dtype).div_(255)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """0 is smoothed, 1 the image itself, 2 sharpened; the border of one pixel stays as it is."""
    if min(x.shape[2:]) <= 2:
        return x
    kernel = constant(_SMOOTH, x.device, x.dtype).div(13).expand(x.shape[1], 1, 3, 3)
    smooth = x.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(x, kernel, groups=x.shape[1])
    return blend(x, smooth, factor)


def add_noise(x: Tensor, noise: Tensor, strength: Tensor) -> Tensor:
    """x + strength (B,) * noise (B, C, H, W), clipped."""
    return torch.addcmul(x, noise, per_image(strength)).clamp_(0, 1)


def gaussian_blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Gaussian of standard deviation sigma (B,) pixels, cut off at `radius`; borders are reflected."""
    b, c, height, width = x.shape
    offsets = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3).view(-1, 1)) ** 2)  # (B, K)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(c, dim=0)  # (BC, K)
    planes = F.pad(x.reshape(1, b * c, height, width), (radius,) * 4, mode="reflect")
    planes = F.conv2d(planes, kernel.view(b * c, 1, 1, -1), groups=b * c)
    planes = F.conv2d(planes, kernel.view(b * c, 1, -1, 1), groups=b * c)
    return planes.reshape(b, c, height, width).clamp_(0, 1)  # rounding can step over 1


def _to_hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation, value, each (B, H, W) in [0, 1]."""
    red, green, blue = x.unbind(dim=1)
    high, low = x.amax(dim=1), x.amin(dim=1)
    spread = high - low
    safe = torch.where(spread == 0, torch.ones_like(spread), spread)
    sixth = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    saturated = spread / torch.where(high == 0, torch.ones_like(high), high)
    return torch.remainder(sixth / 6, 1.0), saturated, high


def _from_hsv(h: Tensor, s: Tensor, v: Tensor) -> Tensor:
    """(B, 3, H, W) from hue, saturation, value: channel k is v - v * s * max(0, min(a, 4 - a, 1)), a = (k + 6h) mod 6."""
    channels = []
    for k in (5.0, 3.0, 1.0):
        a = torch.remainder(k + 6 * h, 6.0)
        channels.append(v - v * s * torch.minimum(a, 4 - a).clamp_(0, 1))
    return torch.stack(channels, dim=1)
