"""Budgets: time that was spent before a kill counts, and work ends when what is left is reserved."""

import time
from pathlib import Path

import pytest

from harness.base.progress import LineWatcher
from harness.play.spending.budget import DeadlineWatcher, FoldEpochs, OutOfTime, WallTime


def test_time_spent_before_a_kill_counts(tmp_path: Path):
    first = WallTime(100, tmp_path / "spent.json")
    with first.running():
        time.sleep(0.05)
    again = WallTime(100, tmp_path / "spent.json")
    assert 0.05 <= again.spent < 5 and again.left == pytest.approx(100 - again.spent, abs=0.05)


def test_a_damaged_note_counts_as_none(tmp_path: Path):
    (tmp_path / "spent.json").write_text('{"seconds": ')
    assert WallTime(100, tmp_path / "spent.json").spent < 5


def test_work_ends_when_only_the_reserve_is_left(tmp_path: Path):
    budget = WallTime(3600, tmp_path / "spent.json")
    watcher = DeadlineWatcher(LineWatcher(quiet=True), budget)
    watcher.progress(0, 1, 10)
    budget.reserve = 3600
    for tell in (
        lambda: watcher.progress(0, 2, 10),
        lambda: watcher.decoding(1, 2),
        lambda: watcher.working("looks", 1, 2),
    ):
        with pytest.raises(OutOfTime):
            tell()


def test_fold_epochs_are_paid_by_step_and_end_nothing():
    budget = FoldEpochs(10)
    budget.pay(4)
    budget.check()
    assert budget.spent == 4 and budget.left == 6
    budget.pay(7)
    assert budget.left == 0
