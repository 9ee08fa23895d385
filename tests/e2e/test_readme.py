"""What the README says can be done as it says: its commands exist, its sixth competition works word by word."""

from __future__ import annotations

import inspect
import itertools
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.models.backbone import timm_model
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
COMPETITION_READMES = "\n".join(p.read_text() for p in (REPOSITORY / "competitions").glob("*/README.md"))
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README + COMPETITION_READMES, flags=re.S)


def commands() -> list[list[str]]:
    lines = [line.split("  #")[0].strip() for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line]


def test_it_opens_with_the_two_commands():
    assert [c[:2] for c in commands()[:2]] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("target", sorted({c[1] for c in commands() if c[0] == "make"}))
def test_make_targets_exist(target: str):
    assert re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text(), flags=re.M)


def module_of(call: list[str]) -> tuple[str, ...]:
    """The module of a `python -m` call, with its sub-command where it has one."""
    return tuple(call[2:4]) if call[3:4] in (["preview"], ["init"], ["compare"], ["ensemble"]) else tuple(call[2:3])


@pytest.mark.parametrize("module", sorted({module_of(c) for c in commands() if c[:2] == ["python", "-m"]}))
def test_commands_exist_with_the_options_that_are_shown(module: tuple[str, ...], run_command):
    done = run_command(*module, "--help")
    assert done.returncode == 0, done.stderr
    shown = {word for c in commands() if module_of(c) == module for word in c[3:] if word.startswith("--")}
    assert all(option.split("=")[0] in done.stdout for option in shown), shown


@pytest.mark.parametrize(
    "call", [c for c in commands() if c[2:3] == ["harness.cv"] and "leaves" not in c[3]], ids=" ".join
)
def test_recipes_and_overrides_that_are_shown_are_valid(call: list[str]):
    from harness.competition import find_competition, load_recipe

    competition = find_competition(REPOSITORY / "competitions" / Path(call[3]).name)
    options = list(itertools.pairwise(call))
    recipe = next((value for name, value in options if name == "--recipe"), "quick")
    load_recipe(competition.folder, recipe, [value for name, value in options if name == "--set"])


def test_every_command_of_the_table_is_one_of_harness():
    from harness.__main__ import COMMANDS

    assert set(COMMANDS) <= {c[2] for c in commands() if c[:2] == ["python", "-m"]} | {"harness"}


def test_the_recipe_of_transfer_learning_is_one():
    from harness.competition import Recipe
    from harness.competition.schema import validate
    from harness.train.frozen_features import check_features

    (text,) = [text for kind, text in BLOCKS if kind == "toml" and "[features]" in text]
    recipe = validate(Recipe, {**tomllib.loads(text), "name": "x"}, "README.md")
    check_features(recipe)
    known = inspect.signature(timm_model).parameters
    assert set(recipe.model.args) <= set(known) and recipe.features.views == 4


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (REPOSITORY / target).exists(), target


def test_the_sixth_competition_word_by_word(tmp_path: Path, run_command):
    """`init` on a zip, then the same by hand."""
    toml = [text for kind, text in BLOCKS if kind == "toml" and text.startswith("# competitions/leaves/")]
    assert len(toml) == 2 and len([line for line in toml[0].splitlines() if line]) <= 20
    rng = np.random.default_rng(0)
    for i in range(40):
        name = ("beech", "oak")[i % 2]
        folder = tmp_path / "leaves" / ("test" if i >= 32 else f"train/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        leaf = rng.integers(0, 80, (20, 24, 3), dtype=np.uint8)
        leaf[..., i % 2] += 120  # beeches are red, oaks green
        Image.fromarray(leaf).save(folder / f"leaf{i}.png")
    (tmp_path / "downloads").mkdir()
    shutil.make_archive(str(tmp_path / "downloads" / "leaves"), "zip", tmp_path / "leaves")
    calls = [c for c in commands() if "leaves" in " ".join(c)]
    by_hand = next(place for place, call in enumerate(calls) if "mine" in call)
    for place, call in enumerate(calls):
        if place == by_hand:
            for text in toml:
                (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
        fast = ("--set", "train.epochs=2", "--set", "cv.folds=2") if call[2] == "harness.cv" and place < by_hand else ()
        words = ["0.003" if word == "1" and call[place - 1] == "--hours" else word for place, word in enumerate(call)]
        done = run_command(call[2], *words[3:], *fast, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    paths = list((tmp_path / "submissions" / "leaves").glob("*.csv"))
    assert len(paths) >= 3  # of play's shares and run, of the recipes
    for path in paths:
        sent = pd.read_csv(path)
        assert sent["id"].tolist() == [f"leaf{i}" for i in range(32, 40)]
        assert set(sent.iloc[:, 1]) <= {"beech", "oak"}
