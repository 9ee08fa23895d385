"""Runs by the names that people give them, and what differs between them: in the table, on the page, on the board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.board.server import Board
from tests.conftest import make_shapes, run_inside

CV = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ by an epoch, one of them named while it was trained."""
    home = tmp_path_factory.mktemp("project")
    make_shapes(home)
    for more in (("--name", "short <b>", "--tag", "night"), ("--set", "train.epochs=3")):
        done = run_inside(*CV, *more, cwd=home)
        assert done.returncode == 0, done.stderr
    return home


def runs(project: Path) -> list[Path]:
    """The named one first."""
    return sorted(
        (p.parent for p in project.glob("oof/shapes/*/scores.json")), key=lambda p: not (p / "about.json").exists()
    )


def test_a_name_is_no_part_of_the_run(project: Path):
    named, other = runs(project)
    assert json.loads((named / "about.json").read_text()) == {"name": "short <b>", "note": "", "tags": ["night"]}
    assert "about.json" not in (named / "manifest.json").read_text() and not (other / "about.json").exists()
    assert "short &lt;b&gt; #night" in (named / "report.html").read_text(encoding="utf-8")


def test_what_differs_is_told(project: Path):
    done = run_inside("harness.oof", "compare", "shapes", cwd=project)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("what differs")[2]
    assert "epochs" in table and "folds" not in table and "short <b> (tiny)" in done.stdout
    page = (project / "oof/shapes/compare.html").read_text(encoding="utf-8")
    assert "What differs between their recipes" in page and "short &lt;b&gt; (tiny)" in page


def test_labels_are_changed_later(project: Path):
    other = runs(project)[1]
    label = ("harness.oof", "label", "shapes", "--run", other.name)
    assert run_inside(*label, cwd=project).stdout == f"{other.name}: no name, note or tag\n"
    done = run_inside(*label, "--note", "longer", "--json", cwd=project)
    assert json.loads(done.stdout) == {"run": other.name, "name": "", "note": "longer", "tags": []}
    assert "longer" in (other / "report.html").read_text(encoding="utf-8")
    assert run_inside(*label, "--note", "", cwd=project).returncode == 0 and not (other / "about.json").exists()
    wrong = run_inside("harness.oof", "label", "shapes", "--run", other.name[:-1], cwd=project)
    assert wrong.returncode == 2 and f"did you mean '{other.name}'" in wrong.stderr
    assert run_inside(*label, "--name", "x" * 99, cwd=project).returncode == 2


def test_the_board_compares_runs_that_are_ticked(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    html = Board(project).comparison("shapes", [run.name for run in runs(project)])
    assert "What differs between their recipes" in html and "Two by two, on the same rows" in html
    assert 'href="' + runs(project)[0].name + '/report.html"' in html
    assert not (project / "oof/shapes/compare-runs.html").exists()
