"""Recipes: strict, documented, overridable; every mistake is named with file, key and the nearest key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.competition import Recipe, load_recipe
from harness.competition.schema import dotted_keys
from tests.conftest import REPOSITORY, TINY_RECIPE

DIGITS = REPOSITORY / "competitions" / "digit-recognizer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.toml").write_text(TINY_RECIPE)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "recipes" / "tiny.toml").write_text(text)


@pytest.mark.parametrize("name", [p.stem for p in (DIGITS / "recipes").glob("*.toml")])
def test_every_recipe_of_digit_recognizer_is_valid_and_says_what_it_answers_to(name: str):
    recipe = load_recipe(DIGITS, name)
    assert recipe.name == name
    assert recipe.description and recipe.answers_to


def test_overrides_are_parsed_as_toml_and_bare_words_as_strings(folder: Path):
    recipe = load_recipe(
        folder,
        "tiny",
        ["train.epochs=3", "predict.tta=['identity','hflip']", "train.optimizer=sgd", "model.args.kernel=5"],
    )
    assert recipe.train.epochs == 3
    assert recipe.predict.tta == ("identity", "hflip")
    assert recipe.train.optimizer == "sgd"
    assert recipe.model.args == {"stages": [[4]], "batch_norm": True, "kernel": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nepoch = 3\n", r"train\.epoch: unknown key \(did you mean 'train\.epochs'\?\)"),
        ("[trian]\nepochs = 3\n", r"trian: unknown key \(did you mean 'train'\?\)"),
        ("epochs = 3\n", r"epochs: unknown key \(did you mean 'train\.epochs'\?\)"),
        ("[train]\nepochs = '3'\n", r"train\.epochs = '3': input should be a valid integer"),
        ("[train]\nepochs = 2.5\n", r"train\.epochs = 2\.5"),
        ("[train]\nlr = -0.1\n", r"train\.lr = -0\.1: input should be greater than 0"),
        ("[cv]\nfolds = 1\n", r"cv\.folds = 1: input should be greater than or equal to 2"),
        ("[train]\noptimizer = 'adamm'\n", r"train\.optimizer = 'adamm': input should be 'adam', 'adamw', 'sgd'"),
        ("[train]\npatience = 2\nswa = 0.5\n", r"tiny.toml: \[train\] patience keeps the best epoch's weights, swa"),
        ("[train]\nema = 0.9\nswa = 0.5\n", r"ema and swa both replace"),
        ("[train]\nfreeze_layers = 1\nfreeze_blocks = 1\n", r"freeze_layers and freeze_blocks are two ways"),
        ("[train]\nunfreeze_epoch = 2\n", r"unfreeze_epoch needs freeze_layers or freeze_blocks"),
        ("[augment]\nalternating_flip = true\nhorizontal_flip = 0.5\n", r"two ways of the same"),
        ("[augment]\nerasing_area = [0.3, 0.1]\n", r"give the smaller share first"),
        ("[augment]\nalbumentations = [{p = 0.5}]\n", r"transform 1: 'name' is missing"),
        ("[train\n", r"not valid TOML.*line 1"),
        ("name = 'x'\n", r"name: unknown key; a recipe is named after its file"),
    ],
)
def test_mistakes_in_the_file_name_file_key_value_and_cure(folder: Path, text: str, said: str):
    write(folder, text + ("" if text == "[train\n" else "[model]\nname = 'cnn'\n"))
    with pytest.raises(UserError, match=said) as error:
        load_recipe(folder, "tiny")
    assert "tiny.toml" in str(error.value)


def test_all_mistakes_are_said_at_once(folder: Path):
    write(folder, "[model]\nname = 'cnn'\n[train]\nepoch = 3\nlr = -1\n")
    with pytest.raises(
        UserError, match=r"(?s)train\.lr = -1.*train\.epoch: unknown|train\.epoch: unknown.*train\.lr = -1"
    ):
        load_recipe(folder, "tiny")


def test_a_wrong_override_is_blamed_on_the_command_line(folder: Path):
    with pytest.raises(
        UserError, match=r"--set train\.epoch=3: train\.epoch: unknown key \(did you mean 'train\.epochs'"
    ):
        load_recipe(folder, "tiny", ["train.epoch=3"])
    with pytest.raises(UserError, match="write it as KEY=VALUE"):
        load_recipe(folder, "tiny", ["train.epochs"])
    with pytest.raises(UserError, match="'name' is a value, not a table"):
        load_recipe(folder, "tiny", ["model.name.x=1"])


def test_an_unknown_recipe_lists_those_there_are(folder: Path):
    with pytest.raises(UserError, match=r"no such recipe .*Recipes of .*: tiny; built in: quick"):
        load_recipe(folder, "tinny")


def test_a_recipe_is_frozen_and_its_digest_follows_the_content_not_the_name(folder: Path):
    recipe = load_recipe(folder, "tiny")
    with pytest.raises(Exception, match="frozen"):
        recipe.name = "other"
    (folder / "recipes" / "copy.toml").write_text("description = 'another text'\n" + TINY_RECIPE)
    assert load_recipe(folder, "copy").digest() == recipe.digest()
    assert load_recipe(folder, "tiny", ["train.epochs=3"]).digest() != recipe.digest()


def test_every_key_of_a_recipe_is_documented():
    def undocumented(schema, prefix=""):
        for name, field in schema.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                yield from undocumented(field.annotation, f"{prefix}{name}.")
            elif not field.description:
                yield prefix + name

    assert list(undocumented(Recipe)) == []
    assert "train.epochs" in set(dotted_keys(Recipe))


def test_resolved_json_reads_back_as_the_same_recipe(folder: Path):
    recipe = load_recipe(folder, "tiny")
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_a_number_of_thousands_of_digits_is_told(tmp_path: Path):
    path = tmp_path / "recipes" / "one.toml"
    path.parent.mkdir()
    path.write_text("seed = 0x" + "f" * 5_000 + '\n[model]\nname = "cnn"\n')
    with pytest.raises(UserError, match=r"seed = a number of thousands of digits"):
        load_recipe(tmp_path, "one")


def test_a_recipe_that_takes_rows_as_they_come_keeps_its_name(folder: Path):
    recipe = load_recipe(folder, "tiny")
    content = recipe.model_dump(
        mode="json", exclude={"name", "description", "answers_to", "tune", "pseudo", "clusters", "text", "image"}
    )
    content["train"]["loss"] = "cross_entropy"
    assert not {"row_weights", "sampling", "logit_adjustment"} & content["train"].keys()
    old = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    assert recipe.digest() == old != load_recipe(folder, "tiny", ["train.row_weights=false"]).digest()


def test_a_table_that_is_none_is_told_by_its_keys(tmp_path: Path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "a.toml").write_text('[model]\nname = "cnn"\n[tune]\n"train.batch_size" = [32, 64]\n')
    with pytest.raises(
        UserError,
        match=r"tune\.train\.batch_size = \[32, 64\]: write a table in braces, of the keys low, high, .*choices",
    ):
        load_recipe(tmp_path, "a")
    (tmp_path / "recipes" / "a.toml").write_text('model = "cnn"\n')
    with pytest.raises(UserError, match="model = 'cnn': write a table in braces, of the keys name, args"):
        load_recipe(tmp_path, "a")
