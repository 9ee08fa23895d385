"""What is said after a submission: each next command goes to the ledger that the entry is in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.ledger import State, open_ledger
from harness.submit.outcome import entry_lines
from tests.ledger.test_ledger import INTENT


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN, State.QUEUED, State.INTENT, State.UPLOADED])
def test_the_next_command_keeps_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: State):
    monkeypatch.setattr(sys, "argv", ["submit", "shapes", "--out", "else where"])
    ledger = open_ledger(tmp_path)
    last = entry_lines(ledger.entry(ledger.add(INTENT, state)), None, True)[-1]
    option = "--queued" if state == State.QUEUED else "--resume"
    assert last.endswith(f": python -m harness.submit {option} --out 'else where'")
