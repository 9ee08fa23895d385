"""What is sent, kept or left alone, on a platform that answers as it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.competition import Competition, find_competition
from harness.ledger import Entry, Intent, Ledger, State, open_ledger
from harness.submit import flow
from harness.submit.arguments import SendOptions
from harness.submit.platform import Listed, Standing
from harness.submit.prepare.prepared import Prepared
from tests.conftest import FOLDER_TOML
from tests.ledger.test_ledger import INTENT


@dataclass
class Told:
    """A platform: how we stand there, and what was sent to it."""

    name: str = "kaggle"
    now: Standing = field(default_factory=Standing)
    sent: list[str] = field(default_factory=list)
    find: Callable[[str], Listed | None] = lambda tag: None

    def standing(self) -> Standing:
        return self.now

    def upload(self, path: Path, tag: str) -> str:
        return path.name

    def submit(self, uploaded: str, message: str) -> str:
        self.sent.append(message)
        return str(len(self.sent))

    def look(self, ref: str) -> Listed:
        return Listed(ref, State.COMPLETE, 0.9)

    def leaderboard(self) -> list[dict[str, Any]]:
        return [{"team": "a", "score": 0.95}]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(flow, "find_platform", lambda competition, place="": told)
    monkeypatch.setenv("HARNESS_GRACE_SECONDS", "0")
    return told


@pytest.fixture
def contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Competition:
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    return competition_in(tmp_path / "competitions")


def competition_in(folder: Path, slug: str = "shapes") -> Competition:
    (folder / slug).mkdir(parents=True)
    (folder / slug / "competition.toml").write_text(FOLDER_TOML.replace("metric", 'platform = "kaggle"\nmetric'))
    return find_competition(folder / slug)


def intent_of_file(out: Path, **others: Any) -> Intent:
    path = out / "one.csv"
    path.write_text("id,label\n1,circle\n")
    return replace(INTENT, file=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), **others)


def new(ledger: Ledger, out: Path, contest: Competition, say: Any = lambda text: None, **how: Any) -> Entry:
    prepared = Prepared(intent_of_file(out), "here", None, None, None, {}, [])
    return flow.send_new(ledger, out, contest, prepared, SendOptions(wait=0, **how), say).entries[0]


def test_a_late_submission_is_sent_and_said_to_be_one(tmp_path: Path, contest: Competition, platform: Told):
    platform.now = Standing(5, notes=["the deadline was 2019"])
    said: list[str] = []
    assert new(open_ledger(tmp_path), tmp_path, contest, said.append).state == State.COMPLETE
    assert "note: the deadline was 2019" in said and len(platform.sent) == 1


def test_what_is_closed_spends_nothing(tmp_path: Path, contest: Competition, platform: Told):
    platform.now = Standing(5, ["it takes no submissions"], notes=["the deadline was 2019"])
    with pytest.raises(UserError, match="it takes no submissions"):
        new(open_ledger(tmp_path), tmp_path, contest)
    assert platform.sent == [] and open_ledger(tmp_path).entries() == []
