"""What the parameters of metrics may be; some must fit the number of classes, which may be known only once the data are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from harness.base.errors import nearest

Wanted = Callable[[Any, int | None], str | None]
"""(value, number of classes, labels or columns, None while it is not known) -> what is wanted instead, in words; None where it fits."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a metric.

    Attributes
    ----------
    default : its value unless competition.toml says otherwise; None where that is no value
    wanted : see `Wanted`; a default of None is not asked for
    required : whether competition.toml must give it
    """

    default: Any
    wanted: Wanted
    required: bool = False

    def wrong(self, value: Any, n: int | None) -> str | None:
        """What is wanted instead of a value, in words; None where it fits."""
        if value is None:
            return self.wanted(value, n) if self.required else None
        return self.wanted(value, n)


def at_least(default: float, least: float) -> Parameter:
    """A finite number from `least` on."""
    return Parameter(default, lambda v, n: None if _is_number(v) and v >= least else f"a number of {least} or more")


def between(default: float, low: float, high: float, with_low: bool = False) -> Parameter:
    """A number below `high` and above `low`, or from it on."""
    words = f"a number {'from' if with_low else 'above'} {low:g}{' on' if with_low else ''} and below {high:g}"

    def fits(value: Any) -> bool:
        return _is_number(value) and (low < value < high or (with_low and value == low))

    return Parameter(default, lambda v, n: None if fits(v) else words)


def whole(default: int, least: int) -> Parameter:
    """A whole number from `least` on."""

    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return Parameter(default, lambda v, n: None if fits(v) else f"a whole number of {least} or more")


def one_of(default: str, *names: str) -> Parameter:
    """One of these names."""

    def wanted(value: Any, n: int | None) -> str | None:
        return None if value in names else f"one of {', '.join(names)}{nearest(str(value), names)}"

    return Parameter(default, wanted)


def weight_of_each(what: str) -> Parameter:
    """A list of weights, one for each class or label, from 0 on and not all 0; what : they, in words."""

    def wanted(value: Any, n: int | None) -> str | None:
        if not isinstance(value, list) or not all(_is_number(v) and v >= 0 for v in value) or not any(value):
            return f"a list of numbers from 0 on, not all 0: one for each of the {what}, in their order"
        return None if n in (None, len(value)) else f"{n} numbers, one for each of the {what}; these are {len(value)}"

    return Parameter(None, wanted)


def prices() -> Parameter:
    """A square table of numbers, with a row for each true class and a column for each predicted one."""

    def wanted(value: Any, n: int | None) -> str | None:
        rows = value if isinstance(value, list) and all(isinstance(row, list) for row in value) else []
        if not rows or not all(len(row) == len(rows) and all(map(_is_number, row)) for row in rows):
            return "a square list of lists of numbers, a row for each true class: [[0, 1], [10, 0]]"
        return None if n in (None, len(rows)) else f"{n} rows of {n} numbers, one for each class; these are {len(rows)}"

    return Parameter(None, wanted, required=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
