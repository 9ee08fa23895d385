"""Progress files: a line an epoch, gone when the fold stands; readers survive whatever else lies there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.runs.notes.progress import BEAT, DEAD, TRAINING, ProgressFile, read_progress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_line_an_epoch_with_pace_and_time_left(tmp_path: Path):
    clock, told = Clock(), []
    with ProgressFile(tmp_path, 2, TRAINING, lambda *said: told.append(said), (2, 3), clock) as file:
        file.progress(2, 10, 1000)
        clock.now += 9.9
        file.progress(2, 100, 1000)
        file.epoch(seed=0, epoch=1, epochs=9, loss=0.5, valid_loss=None)
        (fold,) = read_progress(tmp_path)
        assert fold.together == (2, 3) and fold.fold == 2 and len(fold.lines) == 1 and fold.is_running(clock.now)
        assert fold.last["eta"] == pytest.approx(9.9 * 9) and fold.last["loss"] == 0.5
        assert fold.last["images_per_s"] == pytest.approx(100 / 9.9, abs=0.1)
        assert "valid_loss" not in fold.last and fold.last["epochs"] == 9
        assert not fold.is_running(clock.now + DEAD)
    epoch = {"seed": 0, "epoch": 1, "epochs": 9, "loss": 0.5}
    assert told == [(2, 10, 1000), (2, 100, 1000), (2, 100, 1000, epoch)]
    assert read_progress(tmp_path) == [] and list(tmp_path.iterdir()) == []


def test_a_long_epoch_gives_signs_of_life(tmp_path: Path):
    clock = Clock()
    with ProgressFile(tmp_path, 0, TRAINING, lambda *said: None, (), clock) as file:
        for done in range(1, 10):
            clock.now += BEAT / 3
            file.progress(0, done, 100)
        (fold,) = read_progress(tmp_path)
        assert fold.told == clock.now and fold.lines == () and fold.last["done"] == 9
        assert len((tmp_path / "progress-0.jsonl").read_text().splitlines()) == 4


def test_what_is_stopped_says_so_and_what_is_killed_is_seen(tmp_path: Path):
    with pytest.raises(RuntimeError), ProgressFile(tmp_path, 1, TRAINING, lambda *said: None):
        raise RuntimeError
    (fold,) = read_progress(tmp_path)
    assert fold.stopped and not fold.is_running()
    with ProgressFile(tmp_path, 1, TRAINING, lambda *said: None) as file:
        assert read_progress(tmp_path)[0].is_running()  # begun anew: nothing of the last time is left
        child = os.spawnlp(os.P_WAIT, "true", "true")
        assert child == 0
        text = file.path.read_text().replace(f'"pid": {os.getpid()}', '"pid": 2147483646')
        file.path.write_text(text)
        assert not read_progress(tmp_path)[0].is_running()


def test_no_disk_no_progress(tmp_path: Path):
    with ProgressFile(tmp_path / "not" / "there", 1, TRAINING, lambda *said: None) as file:
        file.progress(1, 1, 2)
        file.epoch(epoch=1)
    assert not (tmp_path / "not").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner)
)
LINE = st.dictionaries(
    st.sampled_from(["time", "epoch", "loss", "host", "stage", "pid", "stopped", "eta", "together"]), JSON
)


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINE.map(json.dumps) | st.text(max_size=20)), cut=st.integers(0, 30))
def test_whatever_lies_there_is_read_or_passed_over(
    lines: list[str], cut: int, tmp_path_factory: pytest.TempPathFactory
):
    run = tmp_path_factory.mktemp("run")
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    (run / "progress-0.jsonl").write_bytes(content[: max(len(content) - cut, 0)])
    for fold in read_progress(run):
        assert all(isinstance(v, int | float) for v in fold.last.values()) and len(fold.host) < 80
        fold.is_running()
        json.dumps(fold.lines, allow_nan=False)
