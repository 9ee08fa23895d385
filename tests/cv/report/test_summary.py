"""What is offered next after a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.competition import Competition, find_competition
from harness.competition.recipe import BOOSTING, ModelSpec
from harness.cv.report.summary import again, offered
from harness.runs import Run, load_run
from tests.conftest import FOLDER_TOML
from tests.runs.test_run import make_run


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Competition, Run]:
    folder = tmp_path / "competitions" / "pets"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FOLDER_TOML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cv", "pets"])
    return find_competition(folder), load_run(make_run(tmp_path / "oof" / "pets" / "one").path)


def test_a_hidden_test_is_offered_a_bundle(pets: tuple[Competition, Run]):
    contest, run = pets
    assert offered(contest, run, False)[-1] == "python -m harness.submit pets --run one --dry-run"
    hidden = offered(contest, replace(run, test=None, test_ids=None), True)
    assert hidden[-1] == "python -m harness.submit pets --run one --bundle --dry-run --sample"


def test_trees_on_columns_are_not_offered_the_noise_suite(pets: tuple[Competition, Run]):
    contest, run = pets
    assert "python -m harness.cv pets --noise" in offered(contest, run, False)
    trees = run.recipe.model_copy(update={"model": ModelSpec(name=BOOSTING)})
    commands = offered(contest, replace(run, recipe=trees), False)
    assert [words.split()[2] for words in commands] == ["harness.oof", "harness.submit"]


@pytest.mark.parametrize("word", ["--fresh", "--resume", "--attach"])
def test_words_that_begin_anew_or_only_follow_are_not_offered_again(monkeypatch, word: str):
    monkeypatch.setattr(sys, "argv", ["cv", "leaves", "--on", "kaggle", word, "--folds", "0"])
    assert again() == "python -m harness.cv leaves --on kaggle --folds 0 --resume"
    assert again(all_folds=True) == "python -m harness.cv leaves --on kaggle --resume"
