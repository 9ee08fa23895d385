"""What logs hear of work that goes on: a line a minute with the time left, one when it is done."""

from __future__ import annotations

import time

import pytest

from harness.base import progress
from harness.base.progress import LineWatcher


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_hears_once_a_minute_how_far_a_fold_is(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    for step in range(1, 201):
        clock[0] += 1.0
        watcher.progress(2, step, 200)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "fold 2: 30 %, 60 s so far, about 137 s left",
        "fold 2: 60 %, 120 s so far, about 78 s left",
        "fold 2: 90 %, 180 s so far, about 19 s left",
        "fold 2: trained and predicted, 199 s",
    ]


def test_short_work_is_one_line(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    for done in range(0, 1001, 100):
        clock[0] += 1.0
        watcher.decoding(done, 1000)
    assert capsys.readouterr().err == "decoded 1,000 images (kept in the cache)\n"


def test_a_download_of_unknown_size_says_nothing_until_it_is_done(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    watcher = LineWatcher()
    for done in (1, 2, 3):
        clock[0] += 100.0
        watcher.downloading(done, None)
    assert capsys.readouterr().err == ""


def test_a_stage_is_said_when_it_begins_and_then_once_a_minute(clock: list[float], capsys: pytest.CaptureFixture[str]):
    for _ in LineWatcher().over("looking for copies", range(10)):
        clock[0] += 20.0
    assert capsys.readouterr().err.splitlines() == [
        "looking for copies",
        "looking for copies: 30 %, 60 s so far, about 140 s left",
        "looking for copies: 60 %, 120 s so far, about 80 s left",
        "looking for copies: 90 %, 180 s so far, about 20 s left",
    ]


def test_a_stage_without_steps_says_nothing(capsys: pytest.CaptureFixture[str]):
    assert list(LineWatcher().over("looking for copies", [])) == [] and capsys.readouterr().err == ""


def test_work_that_cannot_tell_how_far_it_is_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with LineWatcher().waiting("fitting"):
        time.sleep(0.1)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "fitting" and said.count("fitting: 0 s so far") >= 1
