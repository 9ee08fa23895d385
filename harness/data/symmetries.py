"""Do mirrored and turned images look like the others, and mean the same? Asked of nearest neighbours, before anything is trained.

Two questions of each change, on 8 x 8 pixels of some rows:

1. Is a row's nearest neighbour of the same class an image as it is, or a changed one? Where images are as often one way round as the
   other it is one half; where they are not, it is more (the nearest-neighbour test of two samples, Schilling 1986, within classes).
2. Does the nearest neighbour of a changed image have its label as often as that of the image itself? Where the label changes with the
   image (6 and 9, left and right), it has not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MOST_ROWS = 1_200
_LEAST_ROWS, _SIDE = 100, 8
_MOST_SHARE = 0.55  # one half, and a little for images that were taken one after the other
_MOST_LOSS = 0.02  # of the agreement of labels
_PLAUSIBLE = 0.4  # of the agreement that has to be left, so that training by it is worth a try
_TELLING = 0.1  # agreement from which neighbours say something of labels and numbers, which the first question does not look at
_Z = 1.96

_CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "hflip": lambda x: x.flip(3),
    "vflip": lambda x: x.flip(2),
    "rot180": lambda x: x.flip(2, 3),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
}


_HALVES = ("hflip", "vflip", "rot180")
"""Two of them, one after the other, are the third."""


@dataclass(frozen=True)
class Evidence:
    """What nearest neighbours say of a change.

    Attributes
    ----------
    share : of rows whose nearest neighbour of the same class is an image as it is; margin : of its 95 % interval
    agreement, changed : how much alike the labels of nearest neighbours are, 0 (as of any two rows) to 1: of images as they are, and of
        changed ones
    loss_margin : of the 95 % interval of agreement - changed
    by_class : the first question was asked within classes
    """

    share: float
    margin: float
    agreement: float
    changed: float
    loss_margin: float
    by_class: bool

    @property
    def holds(self) -> bool:
        """Whether neither question tells changed images apart."""
        loss = self.agreement - self.changed
        alike = self.share - self.margin <= _MOST_SHARE
        telling = self.by_class or self.agreement >= _TELLING
        return alike and telling and (loss <= _MOST_LOSS or loss <= self.loss_margin)

    @property
    def is_plausible(self) -> bool:
        """Whether so many labels are still found that training may tell."""
        return self.agreement > 0 and self.changed >= _PLAUSIBLE * self.agreement


def examine(images: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> dict[str, Evidence]:
    """What some training rows say of each change; {} where they are too few.

    Parameters
    ----------
    images : uint8 (n, H, W, C)
    labels : int64 (n,) classes, or float (n, K) of labels or numbers
    groups : int64 (n,); rows of one group are no neighbours (views of one thing). None: each row is its own
    """
    n = len(images)
    if n < _LEAST_ROWS:
        return {}
    pixels = _small(images)
    plain = _normed(pixels)
    alone = torch.eye(n, dtype=torch.bool)
    if groups is not None:
        alone |= torch.from_numpy(np.equal.outer(groups, groups))
    others = torch.from_numpy(np.not_equal.outer(labels, labels)) if labels.ndim == 1 else torch.zeros_like(alone)
    alike = _likeness(labels)
    near = (plain @ plain.T).masked_fill(alone, -2.0)
    before = alike(near.argmax(dim=1).numpy())
    return {
        name: _evidence(near, plain @ _normed(change(pixels)).T, alone, others, alike, before)
        for name, change in _CHANGES.items()
    }


def _evidence(
    near: Tensor,
    far: Tensor,
    alone: Tensor,
    others: Tensor,
    alike: Callable[[np.ndarray], np.ndarray],
    before: np.ndarray,
) -> Evidence:
    far = far.masked_fill(alone, -2.0)  # [i, j]: image i, and image j changed
    own, changed = near.masked_fill(others, -2.0).amax(dim=1), far.masked_fill(others, -2.0).amax(dim=1)
    there = own > -2.0  # a class of one row has no neighbour
    share = float((own > changed)[there].double().mean()) if bool(there.any()) else 1.0
    after = alike(far.T.argmax(dim=1).numpy())
    lost = before - after
    return Evidence(
        share=share,
        margin=_Z * 0.5 / max(int(there.sum()), 1) ** 0.5,
        agreement=float(before.mean()),
        changed=float(after.mean()),
        loss_margin=_Z * float(lost.std()) / len(lost) ** 0.5,
        by_class=bool(others.any()),
    )


def _likeness(labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Of each row and its neighbour: how much nearer their labels are than those of any two rows; 1 where they are the same."""
    rng = np.random.default_rng(0)
    targets = labels[:, None] if labels.ndim == 1 else labels
    spread = np.ones(1) if labels.ndim == 1 else np.maximum(targets.std(axis=0), 1e-12)

    def apart(neighbours: np.ndarray) -> np.ndarray:
        far = targets != targets[neighbours] if labels.ndim == 1 else np.abs(targets - targets[neighbours]) / spread
        return np.asarray(far.mean(axis=1))

    chance = float(apart(rng.permutation(len(labels))).mean())
    return lambda neighbours: 1.0 - apart(neighbours) / max(chance, 1e-12)


def declared(evidence: dict[str, Evidence]) -> tuple[str, ...]:
    """The symmetries, as competition.toml names them, that the evidence bears; of two that hold, what they give together holds too."""
    held = {name for name, found in evidence.items() if found.holds}
    if len(held & set(_HALVES)) == 2:
        held |= set(_HALVES)
    quarters = ("rot90", "rot180", "rot270") if {"rot90", "rot180"} <= held else ("rot180",) if "rot180" in held else ()
    return (*(name for name in ("hflip", "vflip") if name in held), *quarters)


def plausible(evidence: dict[str, Evidence]) -> tuple[str, ...]:
    """Which changes training may be tried with: names of `examine`."""
    return tuple(name for name, found in evidence.items() if found.is_plausible)


def _small(images: np.ndarray) -> Tensor:
    """float32 (n, C, 8, 8)."""
    parts = [
        F.adaptive_avg_pool2d(
            torch.from_numpy(np.ascontiguousarray(images[i : i + 64])).permute(0, 3, 1, 2).float(), _SIDE
        )
        for i in range(0, len(images), 64)
    ]
    return torch.cat(parts)


def _normed(pixels: Tensor) -> Tensor:
    """float32 (n, C * 64) of length one: light and contrast do not count."""
    flat = pixels.flatten(1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    return flat / (flat.norm(dim=1, keepdim=True) + 1e-6)
