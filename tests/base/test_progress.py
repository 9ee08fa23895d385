"""What logs and people hear of work that goes on: epochs, how far it is, the time left; a word after five seconds, more seldom later."""

from __future__ import annotations

import io
import json
import time
from itertools import pairwise

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from harness.base.progress import RELAY, BarWatcher, LineWatcher, RelayWatcher, lines, replay
from harness.base.progress.bars import bar_watcher


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(lines.time, "monotonic", lambda: now[0])
    return now


def heard(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_log_hears_after_five_seconds_how_far_a_fold_is_and_then_the_more_seldom_the_longer_it_takes(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    watcher, when = LineWatcher(), []
    for step in range(1, 1001):
        clock[0] += 1.0
        watcher.progress(2, step, 1000)
        when += [step - 1] * len(heard(capsys))
    assert when[:4] == [5, 10, 15, 20] and when[-1] == 999
    pauses = [b - a for a, b in pairwise(when[:-1])]
    assert pauses == sorted(pauses) and pauses[-1] == 60


def test_what_a_log_hears(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    for done in (0, 30, 600, 1000):
        watcher.progress(2, done, 1000)
        clock[0] += 6.0
    assert heard(capsys) == [
        "fold 2: 3 %, 6 s so far, about 3 min left",
        "fold 2: 60 %, 12 s so far, about 8 s left",
        "fold 2: trained and predicted, 18 s",
    ]


def test_an_epoch_is_a_line_with_its_numbers_and_the_time_left_of_fold_and_run(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    watcher = LineWatcher()
    watcher.expect(2)
    watcher.progress(0, 0, 100)
    for epoch in (1, 2):
        clock[0] += 10.0
        told = {"epoch": epoch, "epochs": 4, "loss": 1 / epoch, "valid_score": 0.9, "lr": 0.1, "seed": 0}
        watcher.progress(0, 25 * epoch, 100, told)
    assert heard(capsys) == [
        "fold 0: epoch 1/4, loss 1.0000, score 0.9000; about 30 s, the run about 70 s left",
        "fold 0: epoch 2/4, loss 0.5000, score 0.9000; about 20 s, the run about 60 s left",
    ]
    clock[0] += 20.0
    watcher.progress(0, 100, 100)
    assert heard(capsys) == ["fold 0: trained and predicted, 40 s; the run about 40 s left"]


def test_features_say_nothing_of_what_folds_take(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    watcher.expect(2)
    watcher.progress(lines.FEATURES, 0, 10)
    clock[0] += 180.0
    watcher.progress(lines.FEATURES, 10, 10)
    watcher.progress(0, 0, 100)
    clock[0] += 10.0
    watcher.progress(0, 100, 100)
    assert heard(capsys) == [
        "features: computed, 3 min",
        "fold 0: trained and predicted, 10 s; the run about 10 s left",
    ]


def test_how_far_a_fold_is_keeps_no_epoch_from_being_told(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    watcher.progress(0, 0, 20)
    for done in range(1, 11):
        clock[0] += 1.5
        watcher.progress(0, done, 20, {"epoch": done // 5} if done % 5 == 0 else None)
    said = [line.partition(";")[0] for line in heard(capsys)]
    assert [line for line in said if "epoch" in line] == ["fold 0: epoch 1", "fold 0: epoch 2"]
    assert len(said) > 2


def test_short_epochs_are_told_every_few_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    for epoch in range(1, 101):
        clock[0] += 0.1
        watcher.progress(0, epoch, 101, {"epoch": epoch})
    assert 4 <= len(heard(capsys)) <= 5


def test_short_work_is_one_line(clock: list[float], capsys: pytest.CaptureFixture[str]):
    watcher = LineWatcher()
    for done in range(0, 1001, 500):
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


def test_a_stage_is_said_when_it_begins_and_then_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]):
    for _ in LineWatcher().over("looking for copies", range(4)):
        clock[0] += 20.0
    assert heard(capsys) == [
        "looking for copies",
        "looking for copies: 25 %, 20 s so far, about 60 s left",
        "looking for copies: 50 %, 40 s so far, about 40 s left",
        "looking for copies: 75 %, 60 s so far, about 20 s left",
    ]


def test_a_stage_without_steps_says_nothing(capsys: pytest.CaptureFixture[str]):
    assert list(LineWatcher().over("looking for copies", [])) == [] and capsys.readouterr().err == ""


def test_work_that_cannot_tell_how_far_it_is_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(lines, "BRIEF", 0.01)
    monkeypatch.setattr(lines, "FIRST", 0.01)
    with LineWatcher().waiting("fitting"):
        time.sleep(0.2)
    said = heard(capsys)
    assert said[0] == "fitting ..." and said.count("fitting: 0 s so far") >= 1


def test_a_short_wait_is_not_worth_a_line(capsys: pytest.CaptureFixture[str]):
    with LineWatcher().waiting("fitting"):
        pass
    assert capsys.readouterr().err == ""


def drawn(columns: int = 80) -> tuple[BarWatcher, io.StringIO]:
    screen = io.StringIO()
    console = Console(file=screen, width=columns, force_terminal=True)
    made = (TextColumn("{task.description}"), BarColumn(bar_width=16), TaskProgressColumn())
    return BarWatcher(Progress(*made, console=console, auto_refresh=False)), screen


def test_a_fold_s_bar_has_epoch_loss_and_score_and_the_run_a_bar_of_its_own():
    watcher, _ = drawn()
    watcher.expect(2)
    watcher.progress(0, 50, 100, {"epoch": 3, "epochs": 6, "loss": 0.25, "valid_score": 0.75})
    watcher.progress(1, 100, 100)
    tasks = {task.description: (task.completed, task.total) for task in watcher.bars.tasks}
    assert tasks == {
        "the run: 1 of 2 folds": (750, 1000),
        "fold 0, epoch 3/6, loss 0.2500, score 0.7500": (50, 100),
        "fold 1": (100, 100),
    }
    watcher.progress(0, 100, 100)
    assert {task.description for task in watcher.bars.tasks} == {"the run: 2 of 2 folds", "fold 0", "fold 1"}
    watcher.begin("trained and predicted")
    assert watcher.bars.tasks == []


def test_a_wait_has_a_bar_while_it_lasts():
    watcher, _ = drawn()
    with watcher.waiting("fitting"):
        assert [(task.description, task.total) for task in watcher.bars.tasks] == [("fitting", None)]
    assert watcher.bars.tasks == []


def test_bars_fit_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch):
    with bar_watcher() as watcher:
        watcher.progress(10, 50, 100, {"epoch": 100, "epochs": 300, "loss": 12.25, "valid_score": 0.75})
        screen = io.StringIO()
        Console(file=screen, width=80, force_terminal=True, color_system=None).print(watcher.bars.get_renderable())
    text = screen.getvalue()
    assert "fold 10, epoch 100/300, loss 12.2500, score 0.7500" in text and "50%" in text
    assert text.count("\n") == 1 and "…" not in text


def test_whoever_follows_from_elsewhere_hears_the_same(capsys: pytest.CaptureFixture[str]):
    there, here = RelayWatcher(), drawn()[0]
    there.expect(3)
    there.progress(1, 0, 100)
    there.progress(1, 20, 100, {"epoch": 1, "epochs": 5, "loss": 0.5, "other": 1.0})
    for line in heard(capsys):
        assert line.startswith(RELAY)
        replay(json.loads(line.removeprefix(RELAY)), here)
    assert [task.description for task in here.bars.tasks] == [
        "the run: 0 of 3 folds",
        "fold 1, epoch 1/5, loss 0.5000",
    ]


@pytest.mark.parametrize(
    "told",
    [
        ["epoch", 0, 1, 2, {"loss": 1.0}],
        ["epoch", 0, 1, 2, {"epoch": "one"}],
        ["epoch", 0, 1, 2, {"epoch": float("nan")}],
        ["epoch", 0, 1, 2, [1]],
        ["epoch", 0, 1, {"epoch": 1}],
        ["expect", "3"],
        ["expect", 2**60],
        ["say", "hello"],
        ["__init__"],
        "epoch",
        [],
        None,
    ],
    ids=str,
)
def test_what_a_stranger_says_is_passed_over(told: object, capsys: pytest.CaptureFixture[str]):
    watcher, _ = drawn()
    replay(told, watcher)
    assert watcher.bars.tasks == [] and capsys.readouterr().err == ""
