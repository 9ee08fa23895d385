"""Whatever Kaggle answers at any step, and wherever we are killed: one session, nothing lost, the same command ends it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from tests.conftest import kill_from_a_thread, start_forked
from tests.kernels.field import THERE, Field
from tests.kernels.server import Recorded
from tests.submit import servers
from tests.submit.servers import FAULTS

SECRETS = ("that-nobody-may-see",)
CASES = [
    ("GetDataset", "500"),
    ("StartBlobUpload", "429"),
    ("put", "reset"),
    ("CreateDataset", "lost"),
    ("CreateDataset", "403"),
    ("GetDatasetStatus", "404"),
    ("SaveKernel", "lost"),
    ("SaveKernel", "500"),
    ("SaveKernel", "409"),
    ("GetKernelSessionStatus", "401"),
    ("GetKernelSessionStatus", "500"),
    ("log", "reset"),
    ("ListKernelSessionOutput", "garbage"),
    ("ListKernelSessionOutput", "empty"),
    ("output", "garbage"),
    ("output", "cut"),
    ("output", "404"),
]
MORE = {
    "409": servers.Fault("status", 409, '{"error": {"message": "title in use"}}'),
    "cut": servers.Fault("cut"),
    "empty": servers.Fault("status", 200, "{}"),
}


@pytest.fixture(scope="module")
def patient(played: Field):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CALL_SECONDS", "2")
        yield


def end_it(field: Field, times: int = 4) -> list[str]:
    """The same command, as often as it takes; what it said each time."""
    said = []
    for _ in range(times):
        done = field.cv()
        said.append(done.stderr)
        assert done.returncode in (0, 2) and "Traceback" not in done.stderr, done.stderr
        if done.returncode == 0:
            break
    assert done.returncode == 0 and field.run.is_dir(), said
    assert len(field.kaggle.sessions) == 1, said
    assert not any(secret in text for secret in SECRETS for text in said)
    return said


@pytest.mark.parametrize(("step", "fault"), CASES)
def test_one_session_and_nothing_lost(field: Field, patient, step: str, fault: str):
    field.kaggle.faults = {step: [{**FAULTS, **MORE}[fault]]}
    assert len(end_it(field)) <= 2


@pytest.mark.parametrize("fault", ["400", "403", "429", "500"])
def test_a_no_to_the_push_after_it_was_taken_is_found_out(field: Field, patient, fault: str):
    field.kaggle.faults = {"SaveKernel": [replace(FAULTS[fault], kind="after")]}
    assert len(end_it(field)) == 1


def test_where_nobody_can_tell_nothing_is_pushed_again(field: Field, patient):
    field.kaggle.faults = {"SaveKernel": [FAULTS["lost"]], "GetKernel": [FAULTS["500"]] * 4}
    first = field.cv()
    assert first.returncode == 2 and "the same command" in first.stderr
    assert len(end_it(field)) == 1 and field.kaggle.calls.count("SaveKernel") == 1


def test_a_notebook_that_is_listed_and_not_shown_is_not_pushed_again(field: Field, patient):
    field.kaggle.faults = {"SaveKernel": [FAULTS["lost"]], "GetKernel": [FAULTS["404"]]}
    assert field.cv().returncode == 2
    assert len(end_it(field)) == 1 and field.kaggle.calls.count("SaveKernel") == 1


@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("CreateDataset", "after"),
        ("SaveKernel", "before"),
        ("SaveKernel", "after"),
        ("ListKernelSessionOutput", "after"),
    ],
)
def test_killed_at_any_step(field: Field, step: str, when: str):
    def kill(now: str) -> None:
        if now == when:
            kill_from_a_thread(process.pid)

    field.kaggle.hooks = {step: kill}
    process = start_forked("harness.cv", *THERE, cwd=field.project, env=dict(os.environ))
    process.join(60)
    assert process.exitcode == -9
    field.kaggle.hooks = {}
    end_it(field)


def test_ctrl_c_leaves_it_running_and_attach_follows_it(field: Field, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*told):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("harness.kernels.pushing.follow", interrupt)
        stopped = field.cv()
    assert stopped.returncode == 130 and "--attach" in stopped.stderr and "goes on" in stopped.stderr
    assert field.cv(*THERE, "--attach").returncode == 0
    assert field.run.is_dir() and len(field.kaggle.sessions) == 1


def test_attach_starts_nothing(field: Field):
    told = field.cv(*THERE, "--attach")
    assert told.returncode == 2 and "no session" in told.stderr and not field.kaggle.sessions


def test_a_fresh_start_waits_for_the_session_that_runs(field: Field):
    field.kaggle.recorded = {field.key: [Recorded(field.files, "RUNNING")]}
    field.kaggle.faults = {"GetKernelSessionStatus": [FAULTS["401"]]}
    assert field.cv().returncode == 2
    told = field.cv(*THERE, "--fresh")
    assert told.returncode == 2 and "runs already" in told.stderr and len(field.kaggle.sessions) == 1


def test_a_notebook_that_was_deleted_there_is_pushed_anew(field: Field):
    field.kaggle.faults = {"GetKernelSessionStatus": [FAULTS["401"]]}
    assert field.cv().returncode == 2
    field.kaggle.kernels.clear()
    told = field.cv()
    assert told.returncode == 2 and "not on Kaggle any more" in told.stderr
    end_it(field)


def test_hours_of_gpu_used_up(field: Field):
    field.kaggle.quota = 0.0
    words = tuple(word if word != "none" else "NvidiaTeslaT4" for word in THERE)
    told = field.cv(*words)
    assert told.returncode == 2 and "used up" in told.stderr and not field.kaggle.sessions
    field.kaggle.quota, field.kaggle.error = 30.0, "Maximum weekly GPU quota of 30.00 hours reached."
    told = field.cv(*words)
    assert told.returncode == 2 and "wait for the new week" in told.stderr and not field.kaggle.sessions


def test_rules_that_are_not_accepted_are_said(field: Field):
    there, field.kaggle.competition = field.kaggle.competition, None
    field.kaggle.recorded = {}
    told = field.cv()
    field.kaggle.competition = there
    assert told.returncode == 2 and "accept its rules" in told.stderr and "no data" in told.stderr


def test_a_foreign_data_set_of_that_name_is_not_written_over(field: Field):
    field.kaggle.data_sets["harness-shapes"] = [{"files": {}, "subtitle": "my holiday photographs", "notes": "first"}]
    told = field.cv()
    assert told.returncode == 2 and "not written over" in told.stderr
    assert len(field.kaggle.data_sets["harness-shapes"]) == 1 and not field.kaggle.sessions


def test_names_from_the_platform_never_leave_the_folder(field: Field):
    run = f"oof/shapes/{field.first.name}"
    names = (
        "../../../evil.txt",
        "/tmp/evil-of-the-test.txt",
        f"{run}/evil.pkl",
        f"{run}/../evil.txt",
        "a\\..\\evil.txt",
        "\x1b[31m.txt",
    )
    field.kaggle.odd_names = dict.fromkeys(names, b"evil")
    end_it(field)
    assert not [*field.project.rglob("*evil*"), *field.project.parent.glob("*evil*")]


def report_of(field: Field, **changes) -> Recorded:
    report = json.loads(field.files["harness-session.json"])
    return Recorded({**field.files, "harness-session.json": json.dumps({**report, **changes}).encode()})


def test_a_report_that_names_a_file_outside_is_refused(field: Field):
    files = json.loads(field.files["harness-session.json"])["files"]
    field.kaggle.recorded = {
        field.key: [report_of(field, files={**files, "../../evil.txt": {"sha256": "0" * 64, "bytes": 4}})]
    }
    told = field.cv()
    assert told.returncode == 2 and "leave its folder" in told.stderr and not field.run.exists()


@pytest.mark.parametrize("name", ["oof.parquet", "fold-0.npz", "environment.json"])
def test_what_is_not_as_it_was_written_is_not_put_in_place(field: Field, name: str):
    whole = f"oof/shapes/{field.first.name}/{name}"
    field.kaggle.recorded = {field.key: [Recorded({**field.files, whole: field.files[whole][:-7] + b"\0" * 7})]}
    told = field.cv()
    assert told.returncode == 2 and "not what was written" in told.stderr and not field.run.exists()
    field.kaggle.kernels[f"harness-shapes-{field.key}-1"][-1]["session"] = Recorded(field.files)
    end_it(field)


def test_another_version_of_the_harness_is_refused(field: Field):
    field.kaggle.recorded = {field.key: [report_of(field, harness="9.9.9")]}
    told = field.cv()
    assert told.returncode == 2 and "trained by harness" in told.stderr and not field.run.exists()


def test_an_endless_log_is_left(field: Field, monkeypatch: pytest.MonkeyPatch):
    recorded = Recorded(field.files)
    recorded.events = [{"data": f"line {n}\n"} for n in range(3000)]
    field.kaggle.recorded = {field.key: [recorded]}
    monkeypatch.setattr("harness.kernels.kaggle.account._MOST_PIECES", 1000)
    [said] = end_it(field)
    assert "too long" in said and "line 999" in said and "line 1000" not in said
    shutil.rmtree(field.run)
