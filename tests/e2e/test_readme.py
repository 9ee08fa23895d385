"""The README is short, opens with its two commands, and has every command; what it shows is run by test_documents.py."""

from __future__ import annotations

import inspect
import itertools
import tomllib
from pathlib import Path

import pytest

from harness.models.backbone import timm_model
from tests.conftest import REPOSITORY
from tests.e2e.snippets import blocks, shown_calls

README = REPOSITORY / "README.md"


def test_it_opens_with_the_two_commands():
    assert blocks(README)[0].calls == [["make", "demo"], ["make", "test"]]


def test_it_is_short():
    lines = README.read_text().splitlines()
    assert len(lines) <= 150 and all(len(line) <= 120 for line in lines if not line.startswith(("|", "make", "!")))


def test_it_has_every_command():
    from docs.made.commands import commands, named_in

    shown = {
        named_in(words[2:])[0]
        for page, words in shown_calls()
        if page == "README.md" and words[2:3] and words[2].startswith("harness.")
    }
    assert shown == set(commands())


RECIPES = [
    (page, c) for page, c in shown_calls() if c[2:3] == ["harness.cv"] and c[3:4] and c[3] not in ("leaves", "COMP")
]


@pytest.mark.parametrize("call", [call for _, call in RECIPES], ids=" ".join)
def test_recipes_and_overrides_that_are_shown_are_valid(call: list[str]):
    from harness.competition import find_competition, load_recipe

    competition = find_competition(REPOSITORY / "competitions" / Path(call[3]).name)
    options = list(itertools.pairwise(call))
    recipe = next((value for name, value in options if name == "--recipe"), "quick")
    load_recipe(competition.folder, recipe, [value for name, value in options if name == "--set"])


def test_the_recipe_of_transfer_learning_is_one():
    from harness.competition import Recipe
    from harness.competition.schema import validate
    from harness.train.frozen_features import check_features

    (text,) = [b.text for b in blocks() if b.kind == "toml" and "[features]" in b.text]
    recipe = validate(Recipe, {**tomllib.loads(text), "name": "x"}, "recipes.md")
    check_features(recipe)
    known = inspect.signature(timm_model).parameters
    assert set(recipe.model.args) <= set(known) and recipe.features.views == 4
