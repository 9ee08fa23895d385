"""All competitions, by family."""

from __future__ import annotations

from benchmarks.coverage import (
    by_columns,
    file_names,
    folders,
    grades,
    labels,
    many_classes,
    nested,
    numbers,
    one_class,
    probabilities,
    ranks,
    unplayable,
)
from benchmarks.coverage.kit import Fixture

FAMILIES = (
    one_class,
    by_columns,
    folders,
    file_names,
    many_classes,
    ranks,
    probabilities,
    labels,
    grades,
    nested,
    numbers,
    unplayable,
)


def all_fixtures() -> dict[str, Fixture]:
    """By name, in the order of their families."""
    return {fixture.name: fixture for module in FAMILIES for fixture in module.family.fixtures}
