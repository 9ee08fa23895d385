"""A command that can be played on Kaggle, as it was given here: typed, or called from Python."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import Any

from harness.base.option_groups import words_of

_WITH_VALUE = (
    *("--on", "--accelerator", "--session-hours", "--data", "--out", "--comp", "--recipe"),
    *("--name", "--note", "--tag", "--log"),
)
_ALONE = ("--attach", "--dry-run", "--resume", "--fresh", "--json", "--quiet", "-q")


@dataclass(frozen=True)
class Command:
    """A command of the harness.

    Attributes
    ----------
    module : e.g. "harness.cv"; words : its arguments
    named : the competition's argument as it was given, None where it was not
    """

    module: str
    words: tuple[str, ...]
    named: str | None

    @classmethod
    def typed(cls, module: str, named: str | None) -> Command:
        """The one that runs."""
        return cls(module, tuple(sys.argv[1:]), named)

    @classmethod
    def called(cls, module: str, named: str, *groups: Any) -> Command:
        """What a person would type in place of a call from Python.

        groups : of its options, see `option_group`
        """
        return cls(module, (named, *words_of(*groups)), named)

    def there(self, slug: str, recipe: str = "") -> tuple[str, ...]:
        """Its words without what is for here: where the competition, its recipe, its data and the results lie, how it is followed."""
        kept: list[str] = []
        named, rest = self.named, iter(self.words)
        for word in rest:
            name, equals, _ = word.partition("=")
            if name in _WITH_VALUE:
                if not equals:
                    next(rest, None)
            elif word == named:
                named = None  # just once: an option's value may be the same
            elif word not in _ALONE:
                kept.append(word)
        return (slug, *(("--recipe", recipe) if recipe else ()), *kept)

    def again(self, *more: str) -> str:
        """What a person types to go on with it."""
        kept = [word for word in self.words if word not in (*more, "--fresh", "--dry-run")]
        return shlex.join(["python", "-m", self.module, *kept, *more])
