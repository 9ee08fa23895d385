"""A recipe that may help: what all candidates are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.competition import Recipe
from harness.competition.recipe import recipe_of

Values = dict[str, Any]
"""A recipe's keys, as a recipe file has them."""


@dataclass(frozen=True)
class Candidate:
    """A recipe that may help.

    Attributes
    ----------
    recipe : in full, with its natural number of epochs
    why : in words
    least, most : epochs that it is worth training for
    """

    recipe: Recipe
    why: str
    least: int
    most: int

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name


def candidate(name: str, values: Values, why: str) -> Candidate:
    """Of a recipe's values: worth a quarter of its epochs at least, three times as many at most."""
    recipe = recipe_of(name, without_none(values), None, f"the plan's recipe '{name}'")
    epochs = recipe.train.epochs
    return Candidate(recipe, why, max(3, epochs // 4), min(max(3 * epochs, 20), 150))


def without_none(values: Values) -> Values:
    """Values without what is None: a recipe file has no such value."""
    return {
        key: without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def on_data_set(recipe: Recipe, name: str) -> Recipe:
    """The recipe on one of the competition's data sets, so that it trains the same wherever it is played; "" = its own [data]."""
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"set": name})})
