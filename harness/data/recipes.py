"""The recipe that is played with the data that it chose: a competition's own file, or a built-in one by facts of the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.storage.toml_text import dump_toml
from harness.competition import Competition, Recipe
from harness.competition.builtin.rules import NAMES, built_in
from harness.competition.recipe import recipe_of, recipe_path
from harness.data.cache import Dataset
from harness.data.chosen import load_chosen


@dataclass(frozen=True)
class Played:
    """A recipe with the competition's data that it is played on."""

    competition: Competition
    recipe: Recipe
    dataset: Dataset


def is_built_in(competition: Competition, name: str) -> bool:
    """Whether a name stands for a built-in recipe: the competition has no file of that name."""
    return name in NAMES and not recipe_path(competition.folder, name).is_file()


def load_built_in(
    competition: Competition,
    name: str,
    overrides: list[str] | None,
    where: DataOptions,
    watcher: LineWatcher,
    elsewhere: bool | None = None,
) -> Played:
    """Open the data and make the built-in recipe for them.

    elsewhere : whether the other machine that it is made for has a GPU; pretrained weights come there from the hub. None: for this one

    Raises
    ------
    UserError
        If the data are missing or wrong, or an override is.
    """
    from harness.competition.builtin.facts import facts_of

    contest, dataset = load_chosen(competition, where, watcher)
    labels = dataset.train.labels
    assert labels is not None  # training rows always have labels
    columns = dataset.train.columns
    n_columns = len(columns.names) if columns is not None else 0
    gpu = _has_gpu() if elsewhere is None else elsewhere
    facts = facts_of(contest, dataset.train.images.shape, labels, gpu, n_columns)
    values = built_in(name, facts if elsewhere is None else dataclasses.replace(facts, weights=""))
    recipe = recipe_of(name, values, overrides, f"the built-in recipe '{name}'")
    return Played(contest, recipe, dataset)


def _has_gpu() -> bool:
    """Whether there is a GPU, told without importing torch."""
    from pathlib import Path

    return Path("/dev/nvidiactl").exists()


def recipe_text(recipe: Recipe) -> str:
    """A recipe in full as TOML: every key with its value; those that are unset are left out."""
    return dump_toml(_without_none(recipe.model_dump(mode="json", exclude={"name"})))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value
