"""What the ledger's lines make of runs: sent, on their way, or to be sent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.competition import Competition, find_competition
from harness.leaderboard import candidates
from harness.leaderboard.candidates import plan_for


class Rows:
    """A task whose answers are what is kept, all of them right."""

    def answers(self, test: np.ndarray) -> np.ndarray:
        return test

    def judged(self, *told: Any) -> None: ...

    def row_errors(self, labels: np.ndarray, answered: None) -> np.ndarray:
        return np.zeros(len(labels))


def run_of(path: Path) -> Any:
    """A run of log loss 0.1, whose test rows are its own."""
    test = np.random.default_rng(sum(path.name.encode())).integers(0, 10, 100)
    scores = {"metrics": {"log_loss": {"pooled": 0.1, "low": 0.09, "high": 0.11}}}
    return SimpleNamespace(
        name=path.name, test=test, oof=None, labels=test, folds=SimpleNamespace(fold=None), scores=scores, task=Rows()
    )


@pytest.fixture
def contest(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Competition:
    """By log loss, with the runs a, b and c."""
    about = {"data": {"is_sample": False}}
    monkeypatch.setattr(candidates, "ranked_runs", lambda out, competition: [(out / name, about) for name in "abc"])
    monkeypatch.setattr(candidates, "rows_of", lambda about: "the same")
    monkeypatch.setattr(candidates, "load_run", run_of)
    return find_competition(shapes / "competitions" / "shapes").model_copy(update={"metric": "log_loss"})


def line(run: str, metric: str, cv: float, public: float | None) -> dict[str, Any]:
    return {
        "run": run,
        "metric": metric,
        "cv": cv,
        "public": public,
        "state": "pending" if public is None else "complete",
    }


def test_scores_of_before_the_metric_was_corrected_move_no_plan(tmp_path: Path, contest: Competition):
    plan = plan_for(contest, tmp_path, [line(run, "accuracy", 0.97, 0.12) for run in "ab"], None)
    assert plan is not None and [advice.name for advice in plan.send] == ["c"]
    assert "expected at" not in plan.send[0].why


def test_what_waits_for_its_score_is_neither_sent_nor_weighed(tmp_path: Path, contest: Competition):
    lines = [line("a", "log_loss", 0.1, None), line("b", "log_loss", 0.1, 0.12)]
    plan = plan_for(contest, tmp_path, lines, None)
    assert plan is not None and [advice.name for advice in plan.send] == ["c"]
    assert "expected at 0.12000" in plan.send[0].why and [advice.name for advice in plan.final] == ["b"]
