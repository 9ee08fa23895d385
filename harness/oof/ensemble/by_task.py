"""Which ways to combine fit a task: those of its outputs; where grades are ordered, a vote is for the median one."""

from __future__ import annotations

from dataclasses import replace

from harness.competition.scoring.registry import CLASSES, LABELS, NUMBERS
from harness.competition.tasks import Task
from harness.oof.ensemble.label_methods import LABEL_METHODS
from harness.oof.ensemble.methods import METHODS, Method
from harness.oof.ensemble.number_methods import NUMBER_METHODS

_OF = {CLASSES: METHODS, LABELS: LABEL_METHODS, NUMBERS: NUMBER_METHODS}
EVERY = {name for methods in _OF.values() for name in methods}
"""Names of all ways for any task."""


def methods_of(task: Task) -> dict[str, Method]:
    """By name, the plain mean first."""
    found = dict(_OF[task.of])
    if task.ordered:
        vote = replace(found["vote"], says="the median grade", apply=lambda proba, fitted: task.vote(list(proba)))
        found["vote"] = vote
    return found
