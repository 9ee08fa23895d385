"""What commands offer to do next can be typed as it is printed: by a slug, and by the path of a competition that no slug finds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.made import commands as made
from tests.conftest import PINNED, make_shapes

Run = Callable[..., subprocess.CompletedProcess[str]]
TINY = ("--recipe", "tiny", "--set", "cv.folds=2", "--set", "train.epochs=1", "--workers", "1", *PINNED)
TUNED = """
[tune]
"train.lr" = {low = 0.001, high = 0.1, log = true}
"""


def offered(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The commands of the lines from "next:" on; each is taken by its command's parser."""
    assert done.returncode == 0, done.stderr
    begin = re.search(r"^next:", done.stdout, flags=re.M)
    assert begin, done.stdout
    lines = [line.removeprefix("next:").strip() for line in done.stdout[begin.start() :].splitlines()]
    commands = [shlex.split(line, comments=False) for line in lines if line.startswith("python ")]
    assert commands and all(line.startswith("python ") or line.endswith(":") for line in lines), lines
    for words in commands:
        name, arguments = made.named_in(words[2:])
        made.commands()[name].make_context(name, list(arguments))
        assert not {"(", ")", ";", "|"} & set("".join(words)), words
    return commands


def modules(commands: list[list[str]]) -> list[str]:
    return [made.named_in(words[2:])[0] for words in commands]


def follow(run_command: Run, commands: list[list[str]], cwd: Path) -> None:
    """Run them in their order."""
    for words in commands:
        done = run_command(*words[2:], cwd=cwd)
        assert done.returncode == 0, (words, done.stderr)


@pytest.fixture(params=["shapes", "far away/shapes", "/shapes"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """The folder where commands are given, and how the competition is named: by its slug, below that folder, and by a whole path."""
    make_shapes(tmp_path / "made", per_class=12)
    home = tmp_path / "home"
    (home / "competitions").mkdir(parents=True)
    named = request.param
    folder = tmp_path / "else where" / "shapes" if named.startswith("/") else home / named
    folder = home / "competitions" / "shapes" if named == "shapes" else folder
    shutil.copytree(tmp_path / "made" / "competitions" / "shapes", folder)
    shutil.copytree(tmp_path / "made" / "data", home / "data")
    return home, str(folder) if named.startswith("/") else named


def test_some_folds_then_the_others_or_a_partial_submission(run_command: Run, project: tuple[Path, str]):
    home, named = project
    commands = offered(run_command("harness.cv", named, *TINY, "--folds", "0", cwd=home))
    assert modules(commands) == ["harness.cv", "harness.submit"]
    follow(run_command, commands[::-1], home)  # what was offered of the partial run, while it is partial


def test_a_run_then_its_suite_its_forecast_and_a_submission(run_command: Run, project: tuple[Path, str]):
    home, named = project
    (home / "other data").mkdir()
    shutil.move(home / "data" / "shapes", home / "other data" / "shapes")
    where = ("--data", "other data", "--out", "results of mine", "--noise-rows", "8")
    commands = offered(run_command("harness.cv", named, *TINY, *where, cwd=home))
    assert modules(commands) == ["harness.cv", "harness.oof forecast", "harness.submit"]
    follow(run_command, commands, home)


def test_verdicts_then_training_by_them(run_command: Run, project: tuple[Path, str]):
    home, named = project
    commands = offered(run_command("harness.clean", named, cwd=home))
    assert modules(commands) == ["harness.cv"] and "tiny" in commands[0]


def test_an_ensemble_then_its_submission(run_command: Run, project: tuple[Path, str]):
    home, named = project
    for seed in "12":
        assert run_command("harness.cv", named, *TINY, "--set", f"seed={seed}", cwd=home).returncode == 0
    commands = offered(run_command("harness.oof", "ensemble", named, cwd=home))
    assert modules(commands) == ["harness.submit"]
    follow(run_command, commands, home)


def test_a_study_then_a_run_of_its_recipe(run_command: Run, project: tuple[Path, str]):
    home, named = project
    tiny = (home / "competitions" / "shapes" if named == "shapes" else home / named) / "recipes" / "tiny.toml"
    tiny.write_text(tiny.read_text().replace("epochs = 2", "epochs = 1") + TUNED)
    asked = ("--recipe", "tiny", "--set", "cv.folds=2", "--trials", "1", "--no-nested")
    commands = offered(run_command("harness.tune", named, *asked, cwd=home))
    assert modules(commands) == ["harness.cv"] and "tiny-tuned" in commands[0]


def test_files_then_a_look_a_run_or_a_play(run_command: Run, tmp_path: Path):
    make_shapes(tmp_path / "made", per_class=12)
    files = tmp_path / "made" / "data" / "shapes"
    shutil.move(files, tmp_path / "down loads" / "shapes")
    commands = offered(run_command("harness.data", "init", "down loads/shapes", "--slug", "mine", cwd=tmp_path))
    assert modules(commands) == ["harness.data", "harness.cv", "harness.play"]
    follow(run_command, commands[:1], tmp_path)


def test_a_copied_competition_then_its_sample(run_command: Run, tmp_path: Path):
    commands = offered(run_command("harness.data", "init", "--like", "digit-recognizer", cwd=tmp_path))
    assert modules(commands) == ["harness.cv", "harness.data"]
