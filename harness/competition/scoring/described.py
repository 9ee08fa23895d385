"""Every metric in words, from the registry: parameters, direction, range, meaning."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.competition.metrics import METRICS
from harness.competition.scoring.meanings import MEANINGS
from harness.competition.scoring.registry import (
    CLASSES,
    FAMILIES,
    LABELS,
    NUMBERS,
    metric_names,
    needs_two_classes,
)

TARGETS = {CLASSES: "One of several classes", LABELS: "Any of several labels", NUMBERS: "Numbers"}
"""What a row's target may be, in words."""


@dataclass(frozen=True)
class Described:
    """A metric.

    Attributes
    ----------
    of : what targets it is for, a key of `TARGETS`; name : as competition.toml has it
    parameters : "beta = 1.0", or the name alone where there is no default
    greater_is_better : its direction; least, most : its range, infinities where it has no end
    what : its meaning
    """

    of: str
    name: str
    parameters: tuple[str, ...]
    greater_is_better: bool
    least: float
    most: float
    what: str


def described_metrics(of: str) -> list[Described]:
    """All that are for such targets, by name."""
    return [_described(of, name) for name in metric_names(of)]


def _described(of: str, name: str) -> Described:
    family = FAMILIES.get((of, name))
    parameters = family.defaults if family else {}
    shown = [f"{key} = {json.dumps(value)}" for key, value in parameters.items() if value is not None]
    shown += [key for key, value in parameters.items() if value is None]
    metric = family.make(parameters | ({"matrix": [[0.0]]} if name == "cost" else {})) if family else METRICS[name]
    least, most = (family.least, metric.bounds[1]) if family else metric.bounds
    two = "Two classes only, of the second. " if of == CLASSES and needs_two_classes(name) else ""
    return Described(of, name, tuple(shown), metric.greater_is_better, least, most, two + MEANINGS[of, name])
