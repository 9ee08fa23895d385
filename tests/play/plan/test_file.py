"""play.toml: written, edited, read again."""

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.play.journal import DONE, StepRecord
from harness.play.plan.file import read_plan, write_plan

RECIPE = '[model]\nname = "cnn"\n'


def test_a_plan_is_read_as_it_was_written(tmp_path: Path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "one.toml").write_text(RECIPE)
    steps = [StepRecord("prior", state=DONE), StepRecord("train/one", what="one", why='it\'s "good"', state=DONE)]
    path = tmp_path / "play.toml"
    write_plan(path, "shapes", steps, {"train/one": "recipes/one.toml"})
    assert [r.name for r in read_plan(path, tmp_path / "competition")] == ["one"]


def test_recipes_are_on_the_data_set_that_is_played(tmp_path: Path):
    (tmp_path / "any.toml").write_text(RECIPE)
    (tmp_path / "small.toml").write_text(RECIPE + '[data]\nset = "small"\n')
    path = tmp_path / "play.toml"
    path.write_text('[[step]]\nrecipe = "any.toml"\n[[step]]\nrecipe = "small.toml"\n')
    assert [recipe.data.set for recipe in read_plan(path, tmp_path, "small")] == ["small", "small"]
    with pytest.raises(UserError, match="step 2: recipe 'small.toml' is of data set 'small', the play of 'other'"):
        read_plan(path, tmp_path, "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"no \[\[step\]\] in it"),
        ('[[step]]\nwhat = "noise"\n', "none of its 1 steps has a recipe"),
        ("[[step]]\nrecipe = 3\n", "step 1: recipe = 3"),
        ('[[step]]\nrecipe = "recipes/gone.toml"\n', "gone.toml: no such recipe"),
        ("[[step\n", "play.toml"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path: Path, text: str, said: str):
    path = tmp_path / "play.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_plan(path, tmp_path)
