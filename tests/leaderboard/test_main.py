"""The command over a ledger whose competitions are here, elsewhere, or gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.ledger import State, open_ledger
from tests.conftest import FOLDER_TOML, run_inside
from tests.ledger.test_ledger import INTENT


def test_a_competition_that_is_gone_is_left_out_of_the_plan(tmp_path: Path):
    folder = tmp_path / "elsewhere" / "shapes"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(FOLDER_TOML.replace("accuracy", "log_loss"))
    own = tmp_path / "competitions" / "letters"
    own.mkdir(parents=True)
    (own / "competition.toml").write_text(FOLDER_TOML.replace("accuracy", "custom"))
    ledger = open_ledger(tmp_path)
    for slug, where in (("shapes", folder), ("digits", tmp_path / "gone" / "digits"), ("letters", own)):
        entry = ledger.add(replace(INTENT, competition=slug, folder=str(where)))
        ledger.record(entry, State.COMPLETE, public=0.5)
        ledger.add_snapshot(slug, "kaggle", [{"team": "a", "score": 0.4}])
    done = run_inside("harness.leaderboard", "--plan", cwd=tmp_path)
    assert done.returncode == 0 and "note: digits is left out of the plan" in done.stderr, done.stderr
    assert "note: letters is left out of the plan: metric = 'custom' needs score(labels, proba)" in done.stderr
    assert "shapes: nothing to plan" in done.stdout and "digits: nothing" not in done.stdout
    assert "2 of 1" in done.stdout and "1 of 1" in done.stdout  # less is better in the one that can be read
