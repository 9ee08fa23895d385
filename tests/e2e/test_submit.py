"""harness.submit as a user runs it, against servers on loopback and the real kaggle client: once, followed up, kept, killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from harness.ledger import State, open_ledger
from tests.conftest import REPOSITORY, make_shapes, run_inside, start_forked
from tests.submit import servers
from tests.submit.servers import FAULTS

QUICK = {"HARNESS_RETRY_SECONDS": "0.05", "HARNESS_GRACE_SECONDS": "0.2", "HARNESS_CALL_SECONDS": "2"}
CV = (
    "shapes",
    "--data",
    "data",
    "--recipe",
    "tiny",
    "--workers",
    "1",
    "--set",
    "cv.folds=2",
    "--set",
    "train.epochs=1",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    folder = tmp_path_factory.mktemp("submit")
    make_shapes(folder)
    toml = folder / "competitions" / "shapes" / "competition.toml"
    toml.write_text(
        toml.read_text().replace("metric =", 'platform = "PLATFORM"\nmetric =') + "\n[codabench]\nphase = 9\n"
    )
    toml.write_text(toml.read_text().replace("PLATFORM", "kaggle"))
    done = run_command_module("harness.cv", *CV, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=["kaggle", "codabench"])
def platform(request) -> Iterator[tuple[str, servers.Server]]:
    if request.param == "kaggle":
        servers.skip_without_kaggle()
    server = servers.Kaggle() if request.param == "kaggle" else servers.Codabench()
    yield request.param, server
    server.close()
    assert server.stray == []  # nothing went to the real platform


@pytest.fixture
def copy(project: Path, tmp_path: Path, platform) -> Path:
    shutil.copytree(project, tmp_path / "copy")
    toml = tmp_path / "copy" / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('"kaggle"', f'"{platform[0]}"'))
    lines = [f"{i},{'circle' if i % 2 else 'square'}\n" for i in range(6)]
    (tmp_path / "copy" / "ready.csv").write_text("id,label\n" + "".join(lines))
    return tmp_path / "copy"


def environment(copy: Path, server: servers.Server | None) -> dict[str, str]:
    """A home without credentials of our own, and the server's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAGGLE", "CODABENCH"))}
    return (
        kept
        | {"PYTHONPATH": str(REPOSITORY), "HOME": str(copy), "COLUMNS": "200"}
        | QUICK
        | (server.environment() if server else {})
    )


def submit(copy: Path, server: servers.Server | None, *args: str) -> subprocess.CompletedProcess[str]:
    done = run_inside("harness.submit", *args, cwd=copy, env=environment(copy, server))
    assert "Traceback" not in done.stderr, done.stderr
    everything = done.stdout + done.stderr
    ledger = copy / "submissions" / "ledger.sqlite"
    everything += ledger.read_bytes().decode("latin-1") if ledger.is_file() else ""
    assert "that-nobody-may-see" not in everything
    return done


FILE = ("--comp", "shapes", "--data", "data", "--wait", "5", "--file", "ready.csv")
"""A ready file: no forecast is made, which saves the import of torch."""

NEW = ("--comp", "shapes", "--data", "data", "--wait", "5")


def test_a_submission_is_sent_once_and_followed_to_its_score(copy: Path, platform, run_command):
    name, server = platform
    server.pending_looks = 2
    done = submit(copy, server, *NEW)
    assert done.returncode == 0, done.stderr
    assert "public accuracy 0.91000, CV" in done.stdout and "rank 5 of 10 teams" in done.stdout
    assert len(server.submissions) == 1
    [entry] = open_ledger(copy).entries()
    assert (entry.state, entry.public) == (State.COMPLETE, 0.91)
    if name == "kaggle":
        assert entry.intent.tag in server.submissions[0]["description"]
        sent = next(iter(server.uploads.values()))
        assert sent == Path(entry.intent.file).read_bytes()
    assert open_ledger(copy).snapshot("shapes", entry.intent.platform)[1][0]["score"] == 0.99
    again = submit(copy, server, *NEW)
    assert again.returncode == 2 and "says the same as entry 1" in again.stderr and len(server.submissions) == 1
    forced = submit(copy, server, *NEW, "--force", "--json")
    assert forced.returncode == 0 and json.loads(forced.stdout)["sent"]["state"] == "complete"
    assert len(server.submissions) == 2
    board = run_command("harness.leaderboard", "--comp", "shapes", "--plan", "--export", "sent.csv", cwd=copy)
    assert board.returncode == 0, board.stderr
    assert "+0." in board.stdout or "-0." in board.stdout  # the gap
    assert "5 of 10" in board.stdout and "final 1" in board.stdout
    assert len(pd.read_csv(copy / "sent.csv")) == 2
    assert "CV against the leaderboard" in (copy / "submissions" / "leaderboard.html").read_text()
    nothing = submit(copy, server, "--resume")
    assert nothing.returncode == 0 and "nothing is unfinished" in nothing.stdout


def test_play_sends_its_final_choice_once_and_says_where_it_could_not(copy: Path, platform):
    _, server = platform
    play = ("shapes", "--fold-epochs", "12", "--workers", "1", "--submit", "1")
    offline = run_inside("harness.play", *play, cwd=copy, env=environment(copy, None))
    assert offline.returncode == 0 and ": queued (" in offline.stdout and not server.submissions, offline.stderr
    for _ in range(2):  # what was kept goes first; a second time there is nothing worth another submission
        done = run_inside("harness.play", *play, "--json", cwd=copy, env=environment(copy, server))
        assert done.returncode == 0 and len(server.submissions) == 1, done.stderr
        assert "that-nobody-may-see" not in done.stdout + done.stderr + offline.stdout + offline.stderr
    [entry] = open_ledger(copy).entries()
    assert (entry.state, entry.public, entry.intent.run) == (State.COMPLETE, 0.91, json.loads(done.stdout)["final"])


def test_a_code_competition_takes_a_version_of_a_notebook(copy: Path, platform, run_command):
    name, server = platform
    args = ("--comp", "shapes", "--data", "data", "--wait", "5", "--notebook", "somebody/shapes-net@7")
    if name == "codabench":
        done = submit(copy, server, *args)
        assert done.returncode == 2 and "is for Kaggle" in done.stderr and server.calls == []
        return
    server.notebooks_only = True
    refused = submit(copy, server, *FILE)
    assert refused.returncode == 2 and "--notebook OWNER/NAME@VERSION" in refused.stderr
    run = next(p.name for p in (copy / "oof" / "shapes").iterdir() if (p / "recipe.json").is_file())
    server.faults = {"CreateCodeSubmission": [FAULTS["lost"]]}
    done = submit(copy, server, *args, "--run", run)
    assert done.returncode == 0, done.stderr
    assert "public accuracy 0.91000, CV" in done.stdout
    told = {"competitionName": "shapes", "kernelOwner": "somebody", "kernelSlug": "shapes-net", "kernelVersion": 7}
    assert server.notebooks == [told | {"fileName": "submission.csv"}] and len(server.submissions) == 1
    again = submit(copy, server, *args)
    assert again.returncode == 2 and "says the same as entry 1" in again.stderr
    unlike = submit(copy, server, *args[:-1], "somebody/shapes-net")
    assert unlike.returncode == 2 and "OWNER/NAME@VERSION" in unlike.stderr
    board = run_command("harness.leaderboard", "--export", "all.json", cwd=copy)
    assert board.returncode == 0, board.stderr
    [entry] = json.loads((copy / "all.json").read_text())["submissions"]
    assert entry["file"] == "notebook:somebody/shapes-net@7/submission.csv"


def test_a_dry_run_calls_nobody(copy: Path, platform):
    _, server = platform
    done = submit(copy, server, *NEW, "--dry-run")
    assert done.returncode == 0 and "dry run: nothing was sent" in done.stdout
    assert server.calls == [] and not (copy / "submissions" / "ledger.sqlite").exists()


def test_without_credentials_it_is_kept_and_sent_later(copy: Path, platform):
    name, server = platform
    kept = submit(copy, None, *FILE)
    assert kept.returncode == 6 and f"no {name.capitalize()} credentials" in kept.stdout
    assert "--queued" in kept.stdout and server.calls == []
    twice = submit(copy, None, *FILE)
    assert twice.returncode == 2 and "says the same" in twice.stderr and "--queued sends that one" in twice.stderr
    sent = submit(copy, server, "--queued", "--wait", "5")
    assert sent.returncode == 0, sent.stderr
    assert len(server.submissions) == 1 and open_ledger(copy).entries()[0].public == 0.91


def test_no_quota_keeps_it_and_a_reserve_counts(copy: Path, platform):
    _, server = platform
    server.left = 2
    done = submit(copy, server, *FILE, "--reserve", "2")
    assert done.returncode == 6 and "2 submissions are left today (UTC) and --reserve keeps 2" in done.stdout
    assert server.submissions == []


@pytest.mark.parametrize("fault", ["slow", "lost", "500"])
def test_an_unclear_end_is_cleared_up(copy: Path, platform, fault: str):
    name, server = platform
    server.faults = {"CreateSubmission" if name == "kaggle" else "submit": [FAULTS[fault]]}
    done = submit(copy, server, *FILE)
    if fault == "500":
        assert done.returncode == 4 and "--resume" in done.stdout and server.submissions == []
        done = submit(copy, server, "--resume", "--wait", "5")
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(server.submissions) == 1


STEPS = {
    "kaggle": ("GetSubmissionLimits", "StartSubmissionUpload", "put", "CreateSubmission", "ListSubmissions"),
    "codabench": ("can", "start", "put", "completed", "submit", "look"),
}


@pytest.mark.parametrize("place", range(6))
def test_a_kill_at_any_step_loses_nothing_and_spends_nothing_twice(copy: Path, platform, place: int):
    name, server = platform
    if place >= len(STEPS[name]):
        pytest.skip("this platform has fewer steps")
    step = STEPS[name][place]
    server.faults = {step: [FAULTS["slow"]]}
    process = start_forked(
        "harness.submit", *FILE, cwd=copy, env=environment(copy, server) | {"HARNESS_CALL_SECONDS": "20"}
    )
    ends = time.monotonic() + 90
    while step not in server.calls and time.monotonic() < ends:
        time.sleep(0.02)
    process.kill()
    process.join()
    time.sleep(0.2)
    if open_ledger(copy).entries():
        done = submit(copy, server, "--resume", "--wait", "5")
    else:  # killed before the intent: nothing was begun
        assert server.submissions == []
        done = submit(copy, server, *FILE)
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(server.submissions) == 1
    assert open_ledger(copy).entries()[-1].state == State.COMPLETE


@pytest.mark.parametrize("lost", ["deleted", "emptied", "with its copies"])
def test_a_lost_ledger_is_no_leave_to_send_again(copy: Path, platform, lost: str):
    """The copies of what was sent are asked, and the platform's list."""
    _, server = platform
    assert submit(copy, server, *FILE, "--wait", "5").returncode == 0
    ledger = copy / "submissions" / "ledger.sqlite"
    ledger.unlink()
    if lost == "emptied":
        ledger.touch()
    if lost == "with its copies":
        shutil.rmtree(copy / "submissions" / "shapes" / "sent")
    again = submit(copy, server, *FILE)
    assert again.returncode == 2 and "was the ledger lost?" in again.stderr and len(server.submissions) == 1
    forced = submit(copy, server, *FILE, "--force", "--wait", "5")
    assert forced.returncode == 0 and len(server.submissions) == 2, forced.stderr


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_ledger_in_memory_is_refused(copy: Path, platform, monkeypatch: pytest.MonkeyPatch, url: str):
    _, server = platform
    monkeypatch.setenv("HARNESS_LEDGER", url)
    done = submit(copy, server, *FILE)
    assert done.returncode == 2 and "a database in memory" in done.stderr and server.submissions == []


def test_a_ready_file_is_taken_in_any_order_with_bom_and_crlf(copy: Path, platform):
    _, server = platform
    rows = pd.DataFrame({"id": [f"{i}" for i in (3, 1, 0, 2, 5, 4)], "label": ["circle", "square"] * 3})
    path = copy / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbf" + rows.to_csv(index=False, lineterminator="\r\n").encode())
    done = submit(copy, server, *NEW, "--file", "mine.csv", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["oof"] is None and told["rows"] == 6
    assert told["warnings"] == ["the rows of mine.csv were put into the platform's order"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id;label\n0;circle\n", "not separated by commas"),
        ("id,label\n0,circle\n1,square\n", "has 2 rows, wanted 6"),
        ("id,label\n" + "0,circle\n" * 6, "twice or more"),
        ("id,label\n" + "".join(f"{i},0.3\n" for i in range(6)), "has no class in 6 rows"),
        ("a" * 60_000, "bytes; a submission of 6 rows has"),
        (",id,label\n" + "".join(f"{i},{i},circle\n" for i in range(6)), "to_csv(..., index=False)"),
        ("id,label\n0,oval\n", "--file mine.csv does not pass its checks"),
    ],
)
def test_a_ready_file_that_is_wrong_is_refused(copy: Path, platform, text: str, said: str):
    _, server = platform
    ids = sorted(p.stem for p in (copy / "data" / "shapes" / "test").iterdir())
    assert ids == [str(i) for i in range(6)]
    (copy / "mine.csv").write_text(text)
    done = submit(copy, server, *NEW, "--file", "mine.csv", "--dry-run")
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_a_credentials_file_that_others_may_read_is_refused(copy: Path, platform):
    name, server = platform
    path = copy / (".kaggle/kaggle.json" if name == "kaggle" else ".codabench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"username": "somebody", "key": "k", "password": "p"}')
    path.chmod(0o644)
    kept = {k: v for k, v in server.environment().items() if not k.endswith(("KEY", "USERNAME", "PASSWORD"))}
    done = run_inside("harness.submit", *FILE, cwd=copy, env=environment(copy, None) | kept)
    assert done.returncode == 2 and "chmod 600" in done.stderr and server.submissions == []
