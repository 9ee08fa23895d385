"""What a camera, a scanner or a careless hand does to an image: corruptions in five severities, the same for every run.

After Hendrycks and Dietterich 2019 ("Benchmarking neural network robustness"), for images of any size: strengths that
are lengths are fractions of the side. What is drawn for an image depends on the suite's seed, the corruption and the row
only, so that every run, fold, batch and machine sees the same images (up to rounding between devices).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.train.augment import color, geometry
from harness.train.transfer import to_device

SEVERITIES = (1, 2, 3, 4, 5)

Corruption = Callable[[Tensor, int, "RowDraws"], Tensor]
"""(float (B, C, H, W) in [0, 1], severity 1 to 5, draws) -> the same shape."""


class RowDraws:
    """Random numbers that belong to rows: the same whatever batch a row comes in.

    Parameters
    ----------
    rows : int64 (B,), the images' numbers in the data set
    name : of the corruption
    """

    def __init__(self, rows: np.ndarray, name: str, device: torch.device, seed: int = 0) -> None:
        self.device = device
        self._generators = [np.random.default_rng([seed, zlib.crc32(name.encode()), int(row)]) for row in rows]

    def uniform(self, low: float, high: float) -> Tensor:
        """(B,) uniform in [low, high)."""
        return self._tensor([g.uniform(low, high) for g in self._generators])

    def sign(self) -> Tensor:
        """(B,) of -1 and 1."""
        return self._tensor([1.0 if g.random() < 0.5 else -1.0 for g in self._generators])

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) standard normal."""
        drawn = np.stack([g.standard_normal(shape, dtype=np.float32) for g in self._generators])
        return to_device(torch.from_numpy(drawn), self.device)

    def _tensor(self, values: list[float]) -> Tensor:
        return to_device(torch.tensor(values, dtype=torch.float32), self.device)


def corrupt(pixels: Tensor, rows: np.ndarray, name: str, severity: int, seed: int = 0) -> Tensor:
    """uint8 (B, H, W, C) of some rows, corrupted; on the pixels' device.

    Raises
    ------
    KeyError
        If there is no such corruption.
    """
    x = pixels.permute(0, 3, 1, 2).float().div(255)
    changed = CORRUPTIONS[name](x, severity, RowDraws(rows, name, x.device, seed))
    return changed.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _of(severity: int, *strengths: float) -> float:
    return strengths[severity - 1]


def white_noise(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Gaussian noise, drawn per pixel and channel."""
    return x + _of(severity, 0.03, 0.06, 0.10, 0.15, 0.22) * draws.normal(*x.shape[1:])


def blur(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """A Gaussian blur whose width grows with the image's side."""
    by_side, at_least = _of(severity, 0.004, 0.008, 0.013, 0.02, 0.03), _of(severity, 0.4, 0.5, 0.6, 0.75, 0.95)
    sigma = max(by_side * min(x.shape[2:]), at_least)
    return _blurred(x, draws.uniform(0.9, 1.1) * sigma, 1.1 * sigma)


def brightness(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Brighter or darker."""
    return color.brightness(x, _either_way(draws, _of(severity, 0.1, 0.2, 0.3, 0.4, 0.5)))


def contrast(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """More or less contrast, about the mean."""
    return color.contrast(x, _either_way(draws, _of(severity, 0.15, 0.3, 0.45, 0.6, 0.75)))


def hue(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """All hues turned, one way or the other."""
    return color.hue(x, draws.sign() * _of(severity, 0.02, 0.04, 0.06, 0.09, 0.13))


def saturation(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """More or less colour."""
    return color.saturation(x, _either_way(draws, _of(severity, 0.2, 0.4, 0.6, 0.8, 0.95)))


def jpeg(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Compressed and read again, by Pillow, in threads."""
    from PIL import Image

    quality = int(_of(severity, 70, 45, 30, 18, 10))
    pixels = x.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def compress(image: np.ndarray) -> np.ndarray:
        if image.shape[-1] not in (1, 3):  # each channel for itself
            return np.concatenate([compress(band) for band in np.split(image, image.shape[-1], axis=2)], axis=2)
        buffer = io.BytesIO()
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer)).reshape(image.shape)

    with ThreadPoolExecutor() as pool:
        read = np.stack(list(pool.map(compress, pixels)))
    return to_device(torch.from_numpy(read), x.device).permute(0, 3, 1, 2).float().div(255)


def shift(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Moved in a random direction, by a share of the side."""
    far, angle = _of(severity, 0.04, 0.08, 0.12, 0.16, 0.2), draws.uniform(0, 2 * np.pi)
    return _moved(x, shift_x=far * torch.cos(angle), shift_y=far * torch.sin(angle))


def rotation(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Turned about the centre, one way or the other."""
    return _moved(x, angle=draws.sign() * float(np.deg2rad(_of(severity, 5, 10, 18, 30, 45))))


def zoom(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Enlarged or made smaller."""
    return _moved(x, zoom=_either_way(draws, _of(severity, 0.05, 0.1, 0.16, 0.23, 0.3)))


def flips(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """A growing share of the images, mirrored left-right or up-down."""
    chosen, sideways = draws.uniform(0, 1) < severity / 5, draws.sign() > 0
    return geometry.mirror(geometry.mirror(x, chosen & sideways, 3), chosen & ~sideways, 2)


def occlusion(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """A square of the image's mean colour."""
    height, width = x.shape[2:]
    side = max(round(_of(severity, 0.15, 0.22, 0.3, 0.38, 0.46) * min(height, width)), 1)
    top = (draws.uniform(0, 1) * (height - side + 1)).floor().view(-1, 1, 1, 1)
    left = (draws.uniform(0, 1) * (width - side + 1)).floor().view(-1, 1, 1, 1)
    row = torch.arange(height, device=x.device).view(1, 1, -1, 1)
    column = torch.arange(width, device=x.device).view(1, 1, 1, -1)
    inside = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
    return torch.where(inside, x.mean(dim=(2, 3), keepdim=True), x)


def pixelate(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Reduced to fewer pixels, and enlarged again."""
    height, width = x.shape[2:]
    share = _of(severity, 0.75, 0.6, 0.45, 0.35, 0.25)
    small = F.interpolate(x, size=(max(round(share * height), 1), max(round(share * width), 1)), mode="area")
    return F.interpolate(small, size=(height, width), mode="nearest")


def camera(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """Another lamp, lens and sensor at once: tint, brightness, contrast, saturation, blur, noise and JPEG, each at a strength
    of the image's own up to the severity's."""
    most = severity / 5
    x = x * (1 + 0.2 * most * _symmetric(draws, x.shape[1]))
    x = color.brightness(x, 1 + 0.35 * most * draws.uniform(-1, 1))
    x = color.contrast(x, 1 + 0.4 * most * draws.uniform(-1, 1))
    x = color.saturation(x, 1 + 0.5 * most * draws.uniform(-1, 1))
    widest = 0.015 * most * min(x.shape[2:])
    x = _blurred(x, draws.uniform(0, 1) * widest, widest)
    x = x + 0.08 * most * draws.uniform(0, 1).view(-1, 1, 1, 1) * draws.normal(*x.shape[1:])
    return jpeg(x, (severity + 1) // 2, draws)


def handheld(x: Tensor, severity: int, draws: RowDraws) -> Tensor:
    """The camera mix on an image that is also turned, zoomed and shifted a little."""
    most = severity / 5
    moved = _moved(
        x,
        angle=0.25 * most * draws.uniform(-1, 1),
        zoom=1 + 0.15 * most * draws.uniform(-1, 1),
        shift_x=0.08 * most * draws.uniform(-1, 1),
        shift_y=0.08 * most * draws.uniform(-1, 1),
    )
    return camera(moved, severity, draws)


CORRUPTIONS: dict[str, Corruption] = {
    f.__name__: f
    for f in (white_noise, blur, brightness, contrast, hue, saturation, jpeg, shift, rotation, zoom, flips, occlusion,
              pixelate, camera, handheld)
}  # fmt: skip
"""Every corruption by its name; camera and handheld are mixes of several."""

COLOURED = ("hue", "saturation")
"""What leaves a grey image as it is."""


def _either_way(draws: RowDraws, strength: float) -> Tensor:
    return 1 + draws.sign() * strength


def _symmetric(draws: RowDraws, channels: int) -> Tensor:
    """(B, C, 1, 1) uniform in [-1, 1); one value per image where there is one channel."""
    return torch.stack([draws.uniform(-1, 1) for _ in range(channels)], dim=1).view(-1, channels, 1, 1)


def _blurred(x: Tensor, sigma: Tensor, widest: float) -> Tensor:
    """widest : pixels that no sigma (B,) is above; the kernel's size hangs on it, not on what else is in the batch"""
    radius = min(max(int(np.ceil(3 * widest)), 1), min(x.shape[2:]) - 1)
    return color.gaussian_blur(x.clamp(0, 1), sigma, radius)


def _moved(
    x: Tensor,
    angle: Tensor | None = None,
    zoom: Tensor | None = None,
    shift_x: Tensor | None = None,
    shift_y: Tensor | None = None,
) -> Tensor:
    nothing = torch.zeros(len(x), device=x.device)
    zoom = nothing + 1 if zoom is None else zoom
    angle, shift_x, shift_y = (nothing if v is None else v for v in (angle, shift_x, shift_y))
    theta = geometry.affine_matrices(angle, nothing, zoom, zoom, shift_x, shift_y, x.shape[3] / x.shape[2])
    return geometry.affine(x, theta, "edge")
