"""init --like: a competition that comes with the harness, copied; nothing is written over."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from harness.base.places.templates import SHIPPED, templates
from harness.competition import find_competition
from tests.conftest import REPOSITORY

INIT = ("harness.data", "init", "--like")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.suffix in (".toml", ".md", ".py", ".txt")
    }


@pytest.mark.parametrize("slug", SHIPPED)
def test_it_is_copied_byte_by_byte_and_its_next_command_is_one(slug: str, run_command, tmp_path: Path):
    done = run_command(*INIT, slug, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "competitions" / slug
    assert files_of(folder) == files_of(REPOSITORY / "competitions" / slug)
    assert done.stdout.count("written:  competitions/") == len(templates()[slug])
    command = shlex.split(done.stdout.partition("next:")[2].splitlines()[0])
    assert command[:2] == ["python", "-m"] and command[3] == slug and "note:" not in done.stdout
    if "--recipe" in command:
        assert command[command.index("--recipe") + 1] in find_competition(folder).recipes
    assert ("--sample" in command) == (folder / "competition.py").exists()


def test_nothing_is_written_over_and_a_copy_broken_off_is_gone_on_with(run_command, tmp_path: Path):
    mine = tmp_path / "competitions" / "pneumonia" / "recipes" / "best.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# mine\n")
    done = run_command(*INIT, "pneumonia", cwd=tmp_path)
    assert done.returncode == 0 and "best.toml" not in done.stdout and mine.read_text() == "# mine\n"
    again = run_command(*INIT, "pneumonia", cwd=tmp_path)
    assert again.returncode == 2 and "competition.toml: stands already, and is not written over" in again.stderr


def test_under_another_name_it_says_what_that_means(run_command, tmp_path: Path):
    done = run_command(*INIT, "cifar-10", "--slug", "small", cwd=tmp_path)
    assert done.returncode == 0 and "note:     kaggle is asked by the folder's name" in done.stdout
    assert "next:     python -m harness.cv small --sample\n" in done.stdout
    told = run_command(*INIT, "bloodcells", "--json", cwd=tmp_path / "competitions" / "small" / "recipes")
    assert json.loads(told.stdout)["folder"] == str((tmp_path / "competitions" / "bloodcells").resolve())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("digit-recogniser",), r"--like digit-recogniser: no competition of that name comes with the harness (did you mean 'digit-recognizer'?)"),
        (("pneumonia", "--slug", "../out"), "--slug ../out: give letters"),
        (("pneumonia", "downloads", "--title", "x"), "leave out FOLDER_OR_ZIP, --title"),
        (("..",), "--like ..: no competition of that name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(words: tuple[str, ...], said: str, run_command, tmp_path: Path):
    done = run_command(*INIT, *words, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "competitions").exists()


def test_nothing_named_says_both_ways(run_command, tmp_path: Path):
    done = run_command("harness.data", "init", cwd=tmp_path)
    assert done.returncode == 2 and "FOLDER_OR_ZIP" in done.stderr and "--like SLUG" in done.stderr
