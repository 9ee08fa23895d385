"""Names, notes and tags of a run: kept beside it, none of it, whatever stands in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.report.about import About, read_about, save_about
from harness.runs import load_run
from harness.runs.notes.label import Label
from tests.runs.test_run import make_run


def test_a_run_is_named_and_stays_the_run_that_it_is(tmp_path: Path):
    folder = make_run(tmp_path / "one")
    about = Label("first try", None, ("cnn", "cnn", "night")).write(folder.path)
    assert about == About("first try", "", ("cnn", "night")) and about.line() == "first try #cnn #night"
    assert read_about(folder.path) == about and not folder.faults() and load_run(folder.path).name == "one"
    changed = about.changed(note="too few epochs", tags=[""])
    assert changed == About("first try", "too few epochs")
    save_about(folder.path, changed.changed(name="", note="", tags=[""]))
    assert read_about(folder.path) == About() and not (folder.path / "about.json").exists()


def test_what_is_not_given_stays(tmp_path: Path):
    assert Label().write(tmp_path) == About() and not list(tmp_path.iterdir())
    Label("a", "b", ("c",)).write(tmp_path)
    assert Label().write(tmp_path) == Label(tags=("c",)).write(tmp_path) == About("a", "b", ("c",))
    assert Label(note="").write(tmp_path) == About("a", "", ("c",))
    assert About("a").changed() == About("a") and About(tags=("a",)).changed(tags=[""]).tags == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "x" * 81}, "--name: has 81 characters, 80"),
        ({"note": "a\nb"}, "--note .*one line"),
        ({"tags": ["\x1b[31m"]}, "--tag .*one line"),
        ({"tags": [str(i) for i in range(21)]}, "--tag: 21 tags"),
    ],
)
def test_what_would_not_be_shown_is_refused(given: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        About().changed(**given)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said):
        Label(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    ["", "[", "[]", "3", json.dumps({"name": 3, "note": {"a": 1}, "tags": "abc"}), json.dumps({"tags": [1, None]})],
)
def test_whatever_stands_in_the_file(tmp_path: Path, content: str):
    (tmp_path / "about.json").write_text(content)
    assert read_about(tmp_path) == About()
    (tmp_path / "about.json").write_text(json.dumps({"name": "a\x1b[2Jb" * 99}) + " " * 2**17)
    assert read_about(tmp_path) == About()
