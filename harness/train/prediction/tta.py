"""Views of an image by name, and one distribution out of those of its views.

Needs nothing but torch, since code submissions carry this file's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

View = Callable[[Tensor], Tensor]
"""float (B, C, H, W) -> the same shape."""

TURNS: dict[str, View] = {
    "hflip": lambda x: x.flip(3),
    "vflip": lambda x: x.flip(2),
    "rot90": lambda x: x.rot90(1, (2, 3)),
    "rot180": lambda x: x.rot90(2, (2, 3)),
    "rot270": lambda x: x.rot90(3, (2, 3)),
}
_CROP = 0.875  # the usual share of the side, 224 of 256


def functions_of(name: str) -> list[View]:
    """The views that one entry of `predict.tta` stands for; none where the name is unknown."""
    if name == "identity":
        return [lambda x: x]
    if name == "five_crop":
        return [_cropped(y, x) for y, x in [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)]]
    if name in TURNS:
        return [TURNS[name]]
    found = re.fullmatch(r"(shift|diagonal|scale|brightness)([1-9]\d{0,2})", name)
    if not found:
        return []
    kind, p = found[1], int(found[2])
    if kind == "scale":
        return [_scaled(p / 100)]
    if kind == "brightness":
        return [lambda x: (x * (p / 100)).clamp(0, 1)]
    straight, diagonal = [(0, p), (0, -p), (p, 0), (-p, 0)], [(p, p), (p, -p), (-p, p), (-p, -p)]
    return [_shifted(dx, dy) for dx, dy in (straight if kind == "shift" else diagonal)]


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


def combine(logits: Tensor, weights: Tensor, how: str, activation: str = "softmax") -> Tensor:
    """One output per row and class from the logits (V, m, C) of its views, by weights (V, 1, 1) that sum to one.

    activation : "softmax"; "sigmoid", where classes do not exclude each other; "identity", where logits are numbers

    probability : mean of the softmax; logit : softmax of the mean logits
    max : for each class its largest probability in any view, scaled to sum to one (weights play no part)
    rank : mean of each class's rank among the m rows, in (0, 1], scaled to sum to one; it depends on which rows are
        predicted together, and suits metrics that only order the rows (AUC)
    """
    if activation == "identity":
        return (logits * weights).sum(dim=0)
    if how == "logit":
        mean = (logits * weights).sum(dim=0)
        return mean.softmax(dim=1) if activation == "softmax" else mean.sigmoid()
    proba = logits.softmax(dim=2) if activation == "softmax" else logits.sigmoid()
    if how == "probability":
        return (proba * weights).sum(dim=0)
    if how == "max":
        proba = proba.amax(dim=0)
    else:
        ranks = proba.argsort(dim=1).argsort(dim=1).float().add_(1).div_(proba.shape[1])
        proba = (ranks * weights).sum(dim=0)
    return proba / proba.sum(dim=1, keepdim=True) if activation == "softmax" else proba
