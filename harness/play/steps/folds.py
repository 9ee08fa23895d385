"""How many folds the data bear: as many as the rules say, fewer where groups leave a fold without a class; none too few."""

from __future__ import annotations

import dataclasses

from harness.base.errors import UserError
from harness.clean.pipeline import clean_folder
from harness.clean.verdicts import read_verdicts, write_verdicts
from harness.competition import Recipe
from harness.cv.opening import open_run
from harness.play.spending.budget import silent
from harness.play.steps.table import Table

_FEWER = (3, 2)


def given_folds(table: Table) -> int | None:
    """How many folds the data give (data.fold); None where they give none."""
    fold = table.dataset.train.fold
    return None if fold is None else int(fold.max()) + 1


def usable_folds(table: Table, recipe: Recipe) -> int:
    """Those that the data give; else the recipe's folds, or the largest smaller number with which folds can be made.

    Raises
    ------
    UserError
        If two folds cannot be made either: as harness.cv says it.
    """
    given, wanted = given_folds(table), recipe.cv.folds
    for k in (wanted, *(k for k in _FEWER if k < wanted)) if given is None else (given,):
        try:
            open_run(table.competition, in_folds(recipe, k), table.dataset, table.options(recipe), silent())
            return k
        except UserError as error:
            why = error
    raise why


def in_folds(recipe: Recipe, k: int) -> Recipe:
    """The recipe with another number of folds."""
    return recipe.model_copy(update={"cv": recipe.cv.model_copy(update={"folds": k})})


def ungroup(table: Table) -> int:
    """Turn the verdicts 'group' into 'keep', where they leave too few groups for two folds; how many rows that were."""
    path = clean_folder(table.out, table.competition, table.sample) / "clean.csv"
    verdicts = read_verdicts(path)
    grouped = sum(verdict.action == "group" for verdict in verdicts)
    if grouped:
        kept = (dataclasses.replace(v, action="keep") if v.action == "group" else v for v in verdicts)
        write_verdicts(path, list(kept))
    return grouped
