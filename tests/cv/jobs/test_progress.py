"""A run tells how far it is in its folder: an epoch a line while a fold trains, nothing when it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.base.progress import lines
from harness.runs.notes.progress import FoldProgress, ProgressFile, read_progress
from tests.conftest import run_inside

SHAPES = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", "--device", "cpu")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[FoldProgress]]:
    """What a reader sees of the run after each epoch."""
    found: list[list[FoldProgress]] = []
    epoch = ProgressFile.epoch

    def spied(self: ProgressFile, **told: object) -> None:
        epoch(self, **told)
        found.append(read_progress(self.path.parent))

    monkeypatch.setattr(ProgressFile, "epoch", spied)
    return found


def test_each_epoch_is_seen_as_it_ends(shapes: Path, seen: list[list[FoldProgress]]):
    done = run_inside(*SHAPES, "--set", "train.seeds=2", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert [[told.fold for told in at] for at in seen] == [[0]] * 4 + [[1]] * 4
    last = [at[0].last for at in seen]
    assert [(line["seed"], line["epoch"], line["epochs"]) for line in last[:4]] == [
        (0, 1, 2),
        (0, 2, 2),
        (1, 1, 2),
        (1, 2, 2),
    ]
    assert all(at[0].is_running() and at[0].stage == "training" and at[0].last["loss"] > 0 for at in seen)
    assert not list(shapes.glob("oof/shapes/*/progress-*"))


def test_a_log_hears_of_each_epoch_and_of_what_takes_long(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "BRIEF", 0.0)
    done = run_inside(*SHAPES, cwd=shapes)
    assert done.returncode == 0, done.stderr
    for fold in (0, 1):
        for epoch in (1, 2):
            assert re.search(rf"^fold {fold}: epoch {epoch}/2, loss \d+\.\d{{4}}", done.stderr, flags=re.M), done.stderr
    assert "timing precision" in done.stderr and "writing the report" in done.stderr
    assert "epoch" not in done.stdout


def test_a_stopped_fold_says_so_until_it_is_trained_anew(
    shapes: Path, seen: list[list[FoldProgress]], monkeypatch: pytest.MonkeyPatch
):
    spied = ProgressFile.epoch

    def stopped(self: ProgressFile, **told: object) -> None:
        spied(self, **told)
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressFile, "epoch", stopped)
    assert run_inside(*SHAPES, cwd=shapes).returncode == 130
    (run,) = [path.parent for path in shapes.glob("oof/shapes/*/progress-0.jsonl")]
    (told,) = read_progress(run)
    assert told.stopped and not told.is_running() and len(told.lines) == 1
    monkeypatch.setattr(ProgressFile, "epoch", spied)
    done = run_inside(*SHAPES, "--resume", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert read_progress(run) == []
