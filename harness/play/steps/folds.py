"""How many folds the data bear: as many as the rules say, fewer where groups leave a fold without a class."""

from __future__ import annotations

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.cv.opening import open_run
from harness.play.spending.budget import silent
from harness.play.steps.table import Table

_FEWER = (3, 2)


def usable_folds(table: Table, recipe: Recipe) -> int:
    """The recipe's folds, or the largest smaller number with which folds can be made.

    Raises
    ------
    UserError
        If two folds cannot be made either: as harness.cv says it.
    """
    wanted = recipe.cv.folds
    for k in (wanted, *(k for k in _FEWER if k < wanted)):
        try:
            open_run(table.competition, in_folds(recipe, k), table.dataset, table.options(recipe), silent())
            return k
        except UserError as error:
            why = error
    raise why


def in_folds(recipe: Recipe, k: int) -> Recipe:
    """The recipe with another number of folds."""
    return recipe.model_copy(update={"cv": recipe.cv.model_copy(update={"folds": k})})
