"""What a tracker of experiments has to do, and which there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from harness.base.errors import UserError, nearest, needs
from harness.base.secrets import redact

TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""Names that --log takes (modules of this folder), and the packages that they need."""


@dataclass(frozen=True)
class Subject:
    """The run that a tracker is told of.

    Attributes
    ----------
    path : its folder; competition : slug
    name : what a person calls it, or the folder's name; note, tags : of its label
    recipe : keys with dots and their values, as far as they differ from the defaults
    """

    path: Path
    competition: str
    name: str
    note: str
    tags: tuple[str, ...]
    recipe: dict[str, str]


class Tracker(Protocol):
    """Told of one run, from its begin to its end; made with its `Subject`, which begins it."""

    def epoch(self, fold: int, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """An epoch has ended: loss, lr, and where they were measured valid_loss, valid_score, train_score, watched_loss."""
        ...

    def end(self, scores: Mapping[str, float]) -> None:
        """The run has ended: pooled scores by metric; {} where it was stopped."""
        ...


def open_tracker(name: str, subject: Subject) -> Tracker:
    """Begin a run with a tracker.

    Raises
    ------
    UserError
        If there is no such tracker, its package is not installed, or it cannot begin (no login, no server).
    """
    check_tracker(name)
    module = import_module(f"harness.cv.tracking.{name}_log")
    try:
        opened: Tracker = module.open_log(subject)
    except Exception as error:  # whatever the tracker's own package raises
        raise UserError(f"--log {name}: cannot begin ({type(error).__name__}: {redact(str(error))[:300]})") from error
    return opened


def check_tracker(name: str) -> None:
    """Refuse a tracker that is none, or whose package is missing (UserError)."""
    if name not in TRACKERS:
        raise UserError(f"--log {name}: no such tracker{nearest(name, TRACKERS)}; there are: {', '.join(TRACKERS)}")
    with needs(f"--log {name}", TRACKERS[name]):
        import_module(TRACKERS[name])


def curve(fold: int, seed: int) -> str:
    """What the curves of a fold and seed are called."""
    return f"fold-{fold}" + (f"-seed-{seed}" if seed else "")
