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

_HEAD = """# The plan as it went. Edit it and play it again: python -m harness.play {named} --hours H --plan {path} --fresh
# Of each [[step]] with a recipe its run is trained, in this order, as far as the budget goes; the other steps are told only.
"""


def write_plan(path: Path, named: str, steps: Iterable[StepRecord], recipes: dict[str, str]) -> None:
    """Write the steps; recipes : file of the recipe by the key of the step that trained it."""
    told: list[dict[str, Any]] = []
    for step in steps:
        line: dict[str, Any] = {"key": step.key, "what": step.what, "why": step.why, "state": step.state}
        line |= {"predicted": round(step.predicted, 1), "spent_seconds": round(step.spent, 1)}
        if step.key in recipes:
            line["recipe"] = recipes[step.key]
        told.append(line)
    write_text(path, _HEAD.format(named=named, path=path) + dump_toml({"step": told}))


def read_plan(path: Path, competition: Path) -> list[Recipe]:
    """The recipes of a plan, in order; files are looked up beside it.

    Raises
    ------
    UserError
        If the file, a key or a recipe is wrong.
    """
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
        recipes.append(load_recipe(competition, str(beside) if named.endswith(".toml") else named))
    if not recipes:
        raise UserError(f"{path}: none of its {len(steps)} steps has a recipe, so there is nothing to train")
    return recipes
