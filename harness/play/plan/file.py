"""play.toml: the plan as it went, to be read, edited and played again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_text
from harness.base.storage.toml_text import dump_toml
from harness.competition import Recipe
from harness.competition.recipe import load_recipe
from harness.competition.schema import read_toml
from harness.play.journal import StepRecord
from harness.play.plan.candidate import on_data_set

_HEAD = """# The plan as it went. Edit it and play it again: python -m harness.play {called} --hours H --plan {path} --fresh
# Of each [[step]] with a recipe its run is trained, in this order, as far as the budget goes; the other steps are told only.
"""


def write_plan(path: Path, called: str, steps: Iterable[StepRecord], recipes: dict[str, str]) -> None:
    """Write the steps.

    called : the competition on its data, as a command line names them; recipes : file of the recipe by the key of the step that trained it
    """
    told: list[dict[str, Any]] = []
    for step in steps:
        line: dict[str, Any] = {"key": step.key, "what": step.what, "why": step.why, "state": step.state}
        line |= {"predicted": round(step.predicted, 1), "spent_seconds": round(step.spent, 1)}
        if step.key in recipes:
            line["recipe"] = recipes[step.key]
        told.append(line)
    write_text(path, _HEAD.format(called=called, path=path) + dump_toml({"step": told}))


def read_plan(path: Path, competition: Path, data_set: str = "") -> list[Recipe]:
    """The recipes of a plan, in order; files are looked up beside it.

    data_set : of the competition's data sets the one that is played; recipes that name none are on it

    Raises
    ------
    UserError
        If the file, a key or a recipe is wrong, or a recipe is of another data set.
    """
    if not path.is_file():
        what = "is a folder; name the play.toml in it" if path.is_dir() else "not there"
        raise UserError(
            f"--plan {path}: {what}. A play writes its plan as oof/<slug>/play/play.toml; without --plan it makes its own"
        )
    values = read_toml(path)
    steps = values.get("step")
    if not isinstance(steps, list) or not steps:
        raise UserError(f"{path}: no [[step]] in it; play.toml of a play has them")
    recipes = []
    for number, step in enumerate(steps, 1):
        named = step.get("recipe") if isinstance(step, dict) else None
        if named is None:
            continue
        if not isinstance(named, str):
            raise UserError(f"{path}: step {number}: recipe = {named!r}: give the name of a recipe or of its .toml")
        beside = path.parent / named
        recipe = load_recipe(competition, str(beside) if named.endswith(".toml") else named)
        if recipe.data.set not in ("", data_set):
            raise UserError(
                f"{path}: step {number}: recipe '{named}' is of data set '{recipe.data.set}', the play of {data_set or 'its own [data]'!r}. Give "
                f"--data-set {recipe.data.set}, or change the recipe's data.set"
            )
        recipes.append(on_data_set(recipe, data_set))
    if not recipes:
        raise UserError(f"{path}: none of its {len(steps)} steps has a recipe, so there is nothing to train")
    return recipes
