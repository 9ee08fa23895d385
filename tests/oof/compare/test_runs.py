"""Runs side by side: by what the rows differ that a run is scored on, and tables that say so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.competition import Competition, find_competition
from harness.oof.compare.runs import comparison, comparison_table, rows_legend
from tests.conftest import FAST, FOLDER_TOML, PINNED, REPOSITORY, write_digits

TINY = ("harness.cv", "shapes", "--recipe", "tiny", "--workers", "1", "--set", "train.epochs=1", *PINNED)


@pytest.fixture
def pets(tmp_path: Path) -> Competition:
    folder = tmp_path / "competitions" / "pets"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FOLDER_TOML)
    return find_competition(folder)


def test_a_run_on_other_rows_says_which(run_command, shapes: Path):
    for change in (
        ("cv.folds=2",),
        ("cv.folds=2", "--set", "seed=1"),
        ("cv.folds=3", "--set", "seed=2"),
        ("cv.folds=2", "--set", "cv.seed=1"),
        ("cv.folds=2", "--set", "seed=3", "--folds", "1"),
        ("cv.folds=4", "--set", "seed=4", "--folds", "0-2"),
    ):
        done = run_command(*TINY, "--set", *change, cwd=shapes)
        assert done.returncode == 0, done.stderr
    told = json.loads(run_command("harness.oof", "compare", "shapes", "--json", cwd=shapes).stdout)["runs"]
    said = sorted((line["differ"], line["rows"], line["complete"], line["trained"]) for line in told)
    assert said == [
        ("", "same", False, [1]),
        ("", "same", True, [0, 1]),
        ("", "same", True, [0, 1]),
        ("3-fold split", "other", True, [0, 1, 2]),
        ("4-fold split", "other", False, [0, 1, 2]),
        ("another split", "other", True, [0, 1]),
    ]
    shown = run_command("harness.oof", "compare", "shapes", cwd=shapes).stdout
    for note in (
        "(3-fold split)",
        "(4-fold split) (rows of folds 0,1,2 of 4)",
        "(rows of fold 1 of 2)",
        "(another split)",
    ):
        assert note in shown
    assert "In brackets: a run that is scored on other rows" in shown


def test_runs_of_the_sample_or_of_a_data_set_alone(run_command, tmp_path: Path):
    folder = tmp_path / "competitions" / "digit-recognizer"
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", folder)
    write_digits(tmp_path / "data" / "digit-recognizer")
    fast = ("digit-recognizer", *FAST, "--set", "cv.folds=2", "--workers", "1")
    for more in ((), ("--sample",)):
        done = run_command("harness.cv", *fast, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    every, of_sample = (
        json.loads(run_command("harness.oof", "compare", "digit-recognizer", "--json", *more, cwd=tmp_path).stdout)
        for more in ((), ("--sample",))
    )
    assert [line["sample"] for line in of_sample["runs"]] == [True] and len(every["runs"]) == 2
    shutil.rmtree(tmp_path / "oof" / "digit-recognizer" / of_sample["runs"][0]["run"])
    none = run_command("harness.oof", "compare", "digit-recognizer", "--sample", cwd=tmp_path)
    assert none.returncode == 2 and "no finished run of 'digit-recognizer' of the embedded sample" in none.stderr
    assert "python -m harness.cv digit-recognizer --sample" in none.stderr
    other = run_command("harness.oof", "compare", "digit-recognizer", "--data-set", "x", cwd=tmp_path)
    assert other.returncode == 2 and "data.set = 'x'" in other.stderr


def line(**changes: Any) -> dict[str, Any]:
    score = {"pooled": 0.5, "low": 0.4, "high": 0.6, "mean": 0.5, "std": 0.1}
    return {
        "recipe": "tiny",
        "run": "tiny-1",
        "about": {"name": "", "note": "", "tags": []},
        "differ": "",
        "rows": "same",
        "complete": True,
        "k": 5,
        "trained": [0, 1, 2, 3, 4],
        "metrics": {"accuracy": score},
        "camera": None,
        "seconds": 1,
        **changes,
    }


@pytest.mark.parametrize(("named", "scored"), [(False, 0), (True, 1), (False, 1)])
def test_a_run_without_a_score_by_the_metric_is_never_left_out_in_silence(
    pets, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: bool, scored: int
):
    loss = line(run="tiny-2", metrics={"log_loss": {"pooled": 0.5, "greater_is_better": False}})
    ours = line(metrics={"accuracy": {"pooled": 0.5, "greater_is_better": True}}, of=["data", "", "folds"])
    monkeypatch.setattr("harness.oof.compare.runs.comparison_lines", lambda *_: [loss, *[ours] * scored])
    told = "scored by another metric than competition.toml's 'accuracy': tiny-2. The same harness.cv command scores"
    if named or not scored:
        with pytest.raises(UserError, match=told):
            comparison(pets, Path(), ["tiny-2"] if named else [])
    else:
        assert [found["run"] for found in comparison(pets, Path())] == ["tiny-1"]
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, ""),
        ({"differ": "other data", "rows": "other"}, " (other data)"),
        ({"complete": False, "trained": [0, 1, 2]}, " (rows of folds 0,1,2 of 5)"),
        ({"complete": False, "trained": [3]}, " (rows of fold 3 of 5)"),
    ],
)
def test_the_table_and_its_legend(changes: dict[str, Any], note: str):
    lines = [line(**changes)]
    assert comparison_table(lines, ["accuracy"])[1][0][1] == f"tiny-1{note}"
    assert bool(rows_legend(lines)) == bool(note)
