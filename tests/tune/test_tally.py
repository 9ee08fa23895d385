"""Trials counted by a look at a study's journal: as Optuna counts them, and whatever else stands there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.tune.storage import STATES, open_storage, tally

optuna = pytest.importorskip("optuna")


def test_it_counts_as_optuna_does(tmp_path: Path):
    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="s")
    states = optuna.trial.TrialState
    for state in (states.COMPLETE, states.COMPLETE, states.PRUNED, states.FAIL):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.report(0.5, 1)
        study.tell(trial, 0.5 if state == states.COMPLETE else None, state=state)
    study.ask()
    study.enqueue_trial({"x": 0.5})
    study.enqueue_trial({"x": 0.6})
    study.ask()  # takes one that waits
    counted = Counter(trial.state.name for trial in study.get_trials(deepcopy=False))
    found = tally(tmp_path / "study.journal")
    assert found == {"running": 2, "complete": 2, "pruned": 1, "failed": 1, "waiting": 1}
    assert list(found.values()) == [counted[state.name] for state in sorted(states, key=lambda s: s.value)]
    assert [state.name.lower()[:4] for state in sorted(states, key=lambda s: s.value)] == [name[:4] for name in STATES]


def test_what_is_no_line_of_optunas_is_passed_over(tmp_path: Path):
    path = tmp_path / "study.journal"
    path.write_bytes(
        b'{"op_code": 4}\n[]\n3\n{"op_code": 6, "trial_id": "x", "state": 1}\n{"op_code": 6}\n\xff\n{"op_code": 6, "tr'
    )
    assert tally(path) == {"running": 1, "complete": 0, "pruned": 0, "failed": 0, "waiting": 0}
    with pytest.raises(OSError):
        tally(tmp_path / "none")
