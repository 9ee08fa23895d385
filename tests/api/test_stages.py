"""clean, tune, play and submit from Python: what the commands write, and nothing sent unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from tests.api.conftest import FAST


def test_verdicts_are_written_and_gone_by(inside: Path, tmp_path: Path):
    found = harness.clean("shapes", out=tmp_path, quiet=True)
    assert found.path == tmp_path / "oof" / "shapes" / "clean" / "clean.csv" and found.report().path.is_file()
    assert len(found.verdicts) == len(found._found.verdicts) and found.summary["rows"] == 40
    assert "<table>" in found._repr_html_()


def test_a_submission_is_made_and_not_sent(inside: Path, tmp_path: Path):
    run = harness.cv("shapes", "tiny", set=FAST, workers=1, out=tmp_path, quiet=True)
    made = harness.submit("shapes", run, out=tmp_path)
    assert made.path.is_file() and len(made.path.read_text().splitlines()) == 7
    assert made.sent == [] and made.oof is not None and made.oof.value == run.score.value and "not sent" in repr(made)
    assert "<table>" in made._repr_html_()
    with pytest.raises(harness.UserError, match="platform"):
        harness.submit("shapes", run, dry_run=False, out=tmp_path)


def test_a_study_finds_a_recipe(inside: Path, tmp_path: Path):
    folder = inside / "competitions" / "shapes" / "recipes"
    text = (folder / "tiny.toml").read_text()
    (folder / "searched.toml").write_text(text + '\n[tune]\n"train.lr" = { low = 0.001, high = 0.1, log = true }\n')
    tuned = harness.tune(
        "shapes", "searched", trials=2, set=FAST, pruner="none", nested=False, out=tmp_path, quiet=True
    )
    assert tuned.recipe == folder.resolve() / "searched-tuned.toml" and set(tuned.values) == {"train.lr"}
    assert tuned.report().path.is_file() and "<table>" in tuned._repr_html_()


def test_a_play_is_planned_first(inside: Path, tmp_path: Path):
    planned = harness.play("shapes", fold_epochs=12, dry_run=True, workers=1, out=tmp_path, quiet=True)
    assert (
        planned.plan is not None and len(planned.plan) and planned.final is None and "<table>" in planned._repr_html_()
    )
    with pytest.raises(harness.UserError, match="--hours"):
        harness.play("shapes", out=tmp_path, quiet=True)
