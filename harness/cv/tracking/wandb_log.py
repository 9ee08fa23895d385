"""Weights & Biases: a run of the project that is named after the competition; login, server and offline mode are its own (`wandb login`, WANDB_MODE)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from harness.cv.tracking.tracker import Subject, curve


def open_log(subject: Subject) -> WandbLog:
    """Begin; what it is told goes to the server that wandb is logged in to."""
    return WandbLog(subject)


class WandbLog:
    """See `Tracker`."""

    def __init__(self, subject: Subject) -> None:
        wandb: Any = import_module("wandb")
        self._run: Any = wandb.init(
            project=subject.competition,
            name=subject.name,
            notes=subject.note or None,
            tags=list(subject.tags) or None,
            config={**subject.recipe, "run": subject.path.name},
            dir=str(subject.path),
        )
        self._curves: set[str] = set()

    def epoch(self, fold: int, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Each fold has an axis of epochs of its own."""
        name = curve(fold, seed)
        if name not in self._curves:
            self._curves.add(name)
            self._run.define_metric(f"{name}/epoch")
            self._run.define_metric(f"{name}/*", step_metric=f"{name}/epoch")
        self._run.log({f"{name}/epoch": epoch, **{f"{name}/{key}": value for key, value in values.items()}})

    def end(self, scores: Mapping[str, float]) -> None:
        """The pooled scores as summary; a run that was stopped counts as failed."""
        for name, value in scores.items():
            self._run.summary[f"OOF/{name}"] = value
        self._run.finish(exit_code=0 if scores else 1)
