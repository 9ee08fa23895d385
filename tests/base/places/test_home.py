"""The project's folder: looked up from the current one upwards, or named; a competition by its path or slug."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from harness.base.command import data_root, out_root
from harness.base.errors import UserError
from harness.base.places.competitions import competition_folder
from harness.base.places.home import from_here, project_home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "competitions" / "shapes" / "recipes").mkdir(parents=True)
    (tmp_path / "project" / "competitions" / "shapes" / "competition.toml").write_text("")
    return tmp_path / "project"


def home_from(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        return project_home()


def test_it_is_the_nearest_folder_upwards_that_holds_competitions(project: Path):
    assert home_from(project) == Path()  # so that paths are shown as they always were
    assert home_from(project / "competitions" / "shapes" / "recipes") == project.resolve()
    assert home_from(project / "oof" / "shapes") == project.resolve()
    inner = project / "data" / "another"
    assert home_from(inner) == project.resolve()
    (inner / "competitions").mkdir()
    assert home_from(inner) == Path() and home_from(inner / "deeper") == inner.resolve()


def test_a_path_is_named_from_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch):
    page = project.resolve() / "oof" / "board.html"
    monkeypatch.chdir(project / "competitions")
    assert from_here(page) == page
    monkeypatch.chdir(project)
    assert from_here(page) == from_here(str(page)) == from_here(Path("oof/board.html")) == Path("oof/board.html")


def test_without_competitions_it_is_the_current_folder(tmp_path: Path):
    assert home_from(tmp_path / "empty") == Path()
    (tmp_path / "competitions").write_text("a file")
    assert home_from(tmp_path / "empty") == Path()


def test_it_may_be_named(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_HOME", "project")
    assert project_home() == project.resolve()
    monkeypatch.setenv("HARNESS_HOME", str(project))
    assert home_from(tmp_path / "elsewhere") == project.resolve() and home_from(project) == Path()
    for wrong in ("nowhere", "project/competitions/shapes/competition.toml"):
        monkeypatch.setenv("HARNESS_HOME", wrong)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError, match=f"HARNESS_HOME = '{wrong}': no such folder"):
            project_home()
    monkeypatch.setenv("HARNESS_HOME", "")
    assert project_home() == Path()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
def test_a_strangers_folder_further_up_is_not_taken(project: Path, monkeypatch: pytest.MonkeyPatch):
    below = project / "work"
    assert home_from(below) == project.resolve()
    monkeypatch.setattr(os, "getuid", lambda: project.stat().st_uid + 1)
    assert home_from(below) == Path()
    assert home_from(project) == Path()  # the current folder is chosen by whom it was entered by


def test_options_and_variables_stay_relative_to_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.chdir(project / "competitions")
    home = project.resolve()
    assert (out_root(None), data_root(None)) == (home, home / "data")
    assert (out_root(Path()), data_root(Path("d"))) == (Path(), Path("d"))
    monkeypatch.setenv("HARNESS_DATA", "elsewhere")
    assert data_root(None) == Path("elsewhere")
    monkeypatch.chdir(project)
    monkeypatch.delenv("HARNESS_DATA")
    assert (out_root(None), data_root(None)) == (Path(), Path("data"))


@pytest.mark.parametrize("here", [".", "competitions", "competitions/shapes", "competitions/shapes/recipes", "oof"])
@pytest.mark.parametrize("name", ["shapes", "competitions/shapes", "competitions/shapes/"])
def test_a_competition_is_found_from_everywhere_below(project: Path, here: str, name: str):
    (project / here).mkdir(exist_ok=True)
    with contextlib.chdir(project / here):
        assert competition_folder(Path(name)).resolve() == (project / "competitions" / "shapes").resolve()


def test_a_path_is_taken_from_the_current_folder_first(project: Path):
    own = project / "work" / "shapes"
    own.mkdir(parents=True)
    (own / "competition.toml").write_text("")
    with contextlib.chdir(project / "work"):
        assert competition_folder(Path("shapes")) == Path("shapes")
    with contextlib.chdir(own):
        assert competition_folder(Path()) == Path()


def test_what_is_not_there_says_how_to_get_it(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    with pytest.raises(
        UserError, match=r"there is no competitions/shape/competition.toml \(did you mean 'shapes'\?\)"
    ) as told:
        competition_folder(Path("shape"))
    assert "of the current folder" in str(told.value) and "init" not in str(told.value)
    with pytest.raises(UserError, match="comes with the harness.*harness.data init --like digit-recognizer"):
        competition_folder(Path("competitions/digit-recognizer"))
    monkeypatch.chdir(project / "competitions")
    with pytest.raises(UserError, match=rf"looked up in competitions/ of {project.resolve()}\)"):
        competition_folder(Path("leaves"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match=r"(?s)Known here: none.*init FOLDER_OR_ZIP.*init --like SLUG \(bloodcells, "):
        competition_folder(Path("leaves"))
