"""[tune] of a recipe: which values `harness.tune` tries for which key."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.competition.schema import Frozen


class RangeSpec(Frozen):
    """Numbers between two bounds: whole ones where both bounds are."""

    low: int | float
    """Least value."""
    high: int | float
    """Largest value, which may be taken too."""
    log: bool = False
    """Whether each factor is as likely as another, not each difference."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Distance between the values that may be taken; None = any."""

    @model_validator(mode="after")
    def _in_order(self) -> RangeSpec:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        if self.log and (self.low <= 0 or self.step):
            raise ValueError("log = true needs low > 0 and no step")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether values are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)


class SpaceSpec(Frozen):
    """What is tried for one key: a range (low, high), choices, or a list of numbers from a range (each, and how many)."""

    low: int | float | None = None
    """Least value of a range."""
    high: int | float | None = None
    """Largest value of a range."""
    log: bool = False
    """As in a range."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """As in a range."""
    choices: Annotated[tuple[Any, ...], Field(strict=False, min_length=1)] | None = None
    """Values to choose from, of any kind that the key takes."""
    each: RangeSpec | None = None
    """The key is a list, of dense layers' sizes for example: the range of each number in it."""
    length: Annotated[tuple[int, int], Field(strict=False)] | None = None
    """With each: least and largest number of them; parts that are not there are not searched."""
    when: dict[str, Annotated[tuple[Any, ...], Field(strict=False)]] = Field(default={})
    """Searched only where other keys of [tune] have one of these values; elsewhere the recipe's own value stays."""

    @model_validator(mode="after")
    def _one_way(self) -> SpaceSpec:
        given = [self.low is not None or self.high is not None, self.choices is not None, self.each is not None]
        if sum(given) != 1:
            raise ValueError("give one of: low and high; choices; each and length")
        if given[0] and (self.low is None or self.high is None):
            raise ValueError("a range needs both low and high")
        if given[0]:
            self.range  # noqa: B018 - checks the order of the bounds
        if (self.each is None) != (self.length is None):
            raise ValueError("each and length go together")
        if self.length and not 0 <= self.length[0] <= self.length[1] <= 32:
            raise ValueError(f"length = {list(self.length)}: give the least and the largest number, at most 32")
        return self

    @property
    def range(self) -> RangeSpec:
        """The range of low, high, log and step."""
        assert self.low is not None and self.high is not None
        return RangeSpec(low=self.low, high=self.high, log=self.log, step=self.step)
