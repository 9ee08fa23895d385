"""The journal of a play: what was decided stays decided, a line cut short by a kill is taken away."""

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.play.journal import DONE, FAILED, SKIPPED, Journal, StepRecord, read_steps


def test_decisions_are_made_once_and_kept(tmp_path: Path):
    path = tmp_path / "play" / "journal.jsonl"
    made = []

    def make(value):
        made.append(value)
        return {"epochs": value}

    assert Journal(path).decide("size", lambda: make(7)) == {"epochs": 7}
    assert Journal(path).decide("size", lambda: make(9)) == {"epochs": 7}
    assert made == [7]


def test_that_nothing_fits_is_asked_again(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    assert Journal(path).decide("race", dict) == {}
    assert Journal(path).decide("race", lambda: {"quick": 3}) == {"quick": 3}


def test_a_line_that_a_kill_cut_short_is_taken_away(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    Journal(path).note(StepRecord("train/a", state=DONE, outcome={"score": 1.0}))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step": {"key": "train/b", "st')
    journal = Journal(path)
    assert path.read_bytes() == whole and list(journal.steps) == ["train/a"]
    ended = journal.ended("train/a")
    assert ended is not None and ended.outcome == {"score": 1.0} and journal.ended("train/b") is None


def test_a_skipped_step_may_be_done_later(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.note(StepRecord("noise", state=SKIPPED))
    assert Journal(journal.path).ended("noise") is None


def test_what_failed_in_an_earlier_call_is_tried_again(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.note(StepRecord("train/baseline", state=FAILED, outcome={"because": "no space left on the disk"}))
    assert journal.ended("train/baseline") is not None
    assert Journal(journal.path).ended("train/baseline") is None


def test_a_damaged_line_is_told_with_its_number(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    Journal(path).note(StepRecord("prior", state=DONE))
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(UserError, match=r"line 2 is damaged.*--fresh"):
        Journal(path)


def test_a_play_of_other_data_is_refused(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    Journal(path).open_for({"data": "abc", "unit": "s"})
    Journal(path).open_for({"data": "abc", "unit": "s"})
    with pytest.raises(UserError, match="data was abc, is def"):
        Journal(path).open_for({"data": "def", "unit": "s"})


def test_whoever_only_looks_changes_nothing(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    Journal(path).note(StepRecord("train/a", what="train a"))
    Journal(path).note(StepRecord("train/a", what="train a", state=DONE))
    path.write_bytes(
        path.read_bytes()
        + b'{"decision": "x", "value": 1}\n[3]\n{"step": {"key": 4}}\n{"step": {"no": 1}}\n{"step": {"ke'
    )
    before = path.read_bytes()
    assert [(step.key, step.state) for step in read_steps(path)] == [("train/a", DONE)] and path.read_bytes() == before
    with pytest.raises(OSError):
        read_steps(tmp_path / "none")
