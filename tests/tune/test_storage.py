"""Several machines open an empty database at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.tune.storage import open_storage
from tests.postgresql import server, why_not

pytest.importorskip("optuna")


def test_six_that_begin_at_once_share_one_schema(tmp_path: Path):
    if why_not():
        pytest.skip(why_not())
    with server() as url, ThreadPoolExecutor(6) as pool:
        storages = list(pool.map(lambda _: open_storage(url, tmp_path), range(6)))
        assert all(storage.get_all_studies() == [] for storage in storages)


def test_a_server_that_is_down_is_said_without_the_password(tmp_path: Path):
    pytest.importorskip("psycopg")
    with pytest.raises(UserError) as raised:
        open_storage("postgresql+psycopg://me:hunter2@127.0.0.1:1/none", tmp_path)
    assert "cannot be used" in str(raised.value) and "hunter2" not in str(raised.value)


def study_with(folder: Path, trials: int = 3):
    import optuna

    storage = open_storage(None, folder)
    study = optuna.create_study(storage=storage, study_name="s")
    for _ in range(trials):
        study.tell(study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}), 0.5)
    return folder / "study.journal"


@pytest.mark.parametrize("left", [b'{"op_code": 4, "wor', b"\0" * 64, b"garbage", b'{"op_code": 4'])
def test_a_half_line_is_cut_out_said_and_the_study_goes_on(tmp_path: Path, left: bytes):
    import optuna

    journal, told = study_with(tmp_path), []
    whole = journal.read_bytes()
    journal.write_bytes(whole + left)
    storage = open_storage(None, tmp_path, told.append)
    assert len(told) == 1 and "half-written line was cut out" in told[0] and journal.read_bytes() == whole
    study = optuna.load_study(study_name="s", storage=storage)
    study.tell(study.ask(), 0.1)
    assert len(study.trials) == 4
    open_storage(None, tmp_path, told.append)
    assert len(told) == 1


def test_a_line_that_was_appended_to_a_half_one_is_kept(tmp_path: Path):
    import optuna

    journal, told = study_with(tmp_path), []
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([*lines[:-1], b'{"op_code": 8, "trial' + lines[-1]]) + b"\n")
    storage = open_storage(None, tmp_path, told.append)
    assert told and len(optuna.load_study(study_name="s", storage=storage).trials) == 3
    assert optuna.load_study(study_name="s", storage=storage).best_value == 0.5


@pytest.mark.parametrize("wrong", [b"garbage", b"{}", b"[1, 2]", b"\xff\xfe"])
def test_damage_in_the_middle_is_refused_with_the_line(tmp_path: Path, wrong: bytes):
    journal = study_with(tmp_path)
    lines = journal.read_bytes().splitlines()
    lines[2] = wrong
    journal.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(UserError, match=r"study\.journal: line 3 of the study's journal is damaged.*--study NAME"):
        open_storage(None, tmp_path)


def dead(study, params: dict | None = None, **attrs):
    """A trial whose process is gone."""
    import optuna

    trial = study.ask()
    if params:
        for name, value in params.items():
            trial.suggest_float(name, value, value + 1)
    for name, value in {"worker": "elsewhere:1", "beat": 0.0, **attrs}.items():
        study._storage.set_trial_user_attr(trial._trial_id, name, value)
    assert study.trials[trial.number].state == optuna.trial.TrialState.RUNNING
    return trial.number


def test_a_third_death_ends_a_trial_and_is_said(tmp_path: Path):
    import optuna

    from harness.tune.storage import requeue_dead_trials

    study, told = optuna.create_study(storage=open_storage(None, tmp_path)), []
    number = dead(study, {"x": 0.2}, tries=2)
    assert requeue_dead_trials(study, say=told.append) == 0
    assert study.trials[number].state.name == "FAIL" and "died 3 times" in study.trials[number].user_attrs["mistake"]
    assert f"trial {number}: its process died 3 times; it is given up" in told[0]


def test_the_recipe_as_it_is_stays_the_first_trial_however_early_it_died(tmp_path: Path):
    import optuna

    from harness.tune.storage import requeue_dead_trials

    study = optuna.create_study(storage=open_storage(None, tmp_path))
    own = {"lr": 0.03}
    assert dead(study) == 0  # before any parameter was drawn
    assert (
        requeue_dead_trials(
            study, lambda trial: own if trial.user_attrs.get("first", trial.number) == 0 else dict(trial.params)
        )
        == 1
    )
    again = study.ask()
    assert again.suggest_float("lr", 0.01, 0.1) == 0.03 and again.user_attrs["first"] == 0
