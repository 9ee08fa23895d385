"""All competitions, by family."""

from __future__ import annotations

from benchmarks.coverage import (
    folders,
    grades,
    labels,
    many_classes,
    nested,
    numbers,
    one_class,
    probabilities,
    unplayable,
)
from benchmarks.coverage.kit import Fixture

FAMILIES = (one_class, folders, many_classes, probabilities, labels, grades, nested, numbers, unplayable)


def all_fixtures() -> dict[str, Fixture]:
    """By name, in the order of their families."""
    return {fixture.name: fixture for module in FAMILIES for fixture in module.family.fixtures}
