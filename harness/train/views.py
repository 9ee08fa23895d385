"""Views of an image that are scored beside it: test-time augmentation by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError, nearest
from harness.competition import Competition
from harness.competition.recipe import PredictSpec

View = Callable[[Tensor], Tensor]
"""float (B, C, H, W) -> the same shape."""

_TURNS: dict[str, View] = {
    "hflip": lambda x: x.flip(3),
    "vflip": lambda x: x.flip(2),
    "rot90": lambda x: x.rot90(1, (2, 3)),
    "rot180": lambda x: x.rot90(2, (2, 3)),
    "rot270": lambda x: x.rot90(3, (2, 3)),
}
_NUMBERED = ("shiftN", "diagonalN", "scaleP", "brightnessP")
_CROP = 0.875  # the usual share of the side, 224 of 256


@dataclass(frozen=True)
class WeightedView:
    """A view and its share in the mean; the shares of all views add up to one."""

    view: View
    weight: float


def weighted_views(spec: PredictSpec) -> list[WeightedView]:
    """The functions behind `predict.tta` with their weights: an entry's weight is shared by its views.

    Raises
    ------
    UserError
        If a name is unknown, or there is none.
    """
    entries = [views_of(name) for name in spec.tta]
    if not entries:
        raise UserError("predict.tta: is empty; it needs one view or more, e.g. ['identity']")
    weights = spec.weights or tuple(float(len(entry)) for entry in entries)  # every view the same
    pairs = [(view, w / len(entry)) for entry, w in zip(entries, weights, strict=True) for view in entry]
    total = sum(weight for _, weight in pairs)
    return [WeightedView(view, weight / total) for view, weight in pairs]


def views_of(name: str) -> list[View]:
    """The views that one entry of `predict.tta` stands for."""
    if name == "identity":
        return [lambda x: x]
    if name == "five_crop":
        return [_cropped(y, x) for y, x in [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)]]
    if name in _TURNS:
        return [_TURNS[name]]
    found = re.fullmatch(r"(shift|diagonal|scale|brightness)([1-9]\d{0,2})", name)
    if not found:
        known = ("identity", *_TURNS, "five_crop", *_NUMBERED)
        raise UserError(f"predict.tta: unknown view '{name}'{nearest(name, known)}; known: {', '.join(known)}")
    kind, number = found[1], int(found[2])
    if kind == "scale":
        return [_scaled(number / 100)]
    if kind == "brightness":
        return [lambda x: (x * (number / 100)).clamp(0, 1)]
    p = number
    straight, diagonal = [(0, p), (0, -p), (p, 0), (-p, 0)], [(p, p), (p, -p), (-p, p), (-p, -p)]
    return [_shifted(dx, dy) for dx, dy in (straight if kind == "shift" else diagonal)]


def doubtful_views(names: tuple[str, ...], competition: Competition) -> list[str]:
    """Views that turn or mirror although the competition does not say that this keeps the label (a 6 becomes a 9)."""
    return [n for n in names if n in _TURNS and n not in competition.symmetries]


def _shifted(dx: int, dy: int) -> View:
    """Move the image by (dx, dy) pixels, right and down; the border is repeated."""
    pad = max(abs(dx), abs(dy))

    def view(x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        return padded[:, :, pad - dy : pad - dy + height, pad - dx : pad - dx + width]

    return view


def _cropped(y: float, x: float) -> View:
    """A crop of 87.5 % of the sides, brought back to full size; (0, 0) = top left, (1, 1) = bottom right."""

    def view(batch: Tensor) -> Tensor:
        height, width = batch.shape[2:]
        h, w = max(round(_CROP * height), 1), max(round(_CROP * width), 1)
        top, left = round(y * (height - h)), round(x * (width - w))
        return _resize(batch[:, :, top : top + h, left : left + w], height, width)

    return view


def _scaled(factor: float) -> View:
    """Zoom about the centre: above 1 the border is cut off, below 1 it is filled with the border's pixels."""

    def view(x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        h, w = max(round(factor * height), 1), max(round(factor * width), 1)
        zoomed = _resize(x, h, w)
        if factor >= 1:
            top, left = (h - height) // 2, (w - width) // 2
            return zoomed[:, :, top : top + height, left : left + width]
        top, left = (height - h) // 2, (width - w) // 2
        return F.pad(zoomed, (left, width - w - left, top, height - h - top), mode="replicate")

    return view


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
