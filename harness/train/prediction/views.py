"""Views of an image that are scored beside it: test-time augmentation by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from harness.base.errors import UserError, nearest
from harness.competition import Competition
from harness.competition.recipe import PredictSpec
from harness.train.prediction.tta import TURNS, View, functions_of

_NUMBERED = ("shiftN", "diagonalN", "scaleP", "brightnessP")


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


def check_views(spec: PredictSpec, height: int, width: int) -> None:
    """Refuse views that give images of this size another: networks are made for the one, and some take the other without a word.

    Raises
    ------
    UserError
        Names the view.
    """
    weighted_views(spec)
    image = torch.zeros(1, 1, height, width)
    for name in spec.tta:
        if any(view(image).shape != image.shape for view in views_of(name)):
            raise UserError(f"predict.tta: view '{name}' needs square images, these are {height}x{width}. Take it out.")


def views_of(name: str) -> list[View]:
    """The views that one entry of `predict.tta` stands for."""
    found = functions_of(name)
    if not found:
        known = ("identity", *TURNS, "five_crop", *_NUMBERED)
        raise UserError(f"predict.tta: unknown view '{name}'{nearest(name, known)}; known: {', '.join(known)}")
    return found


def doubtful_views(names: tuple[str, ...], competition: Competition) -> list[str]:
    """Views that turn or mirror although the competition does not say that this keeps the label (a 6 becomes a 9)."""
    return [n for n in names if n in TURNS and n not in competition.symmetries]
