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
from harness.competition.competition import CodabenchSpec
from harness.ledger import Entry, Intent, Ledger, State, open_ledger
from harness.submit import flow
from harness.submit.answers import tagged
from harness.submit.arguments import SendOptions
from harness.submit.platform import Listed, Standing, find_platform
from harness.submit.prepare.prepared import Prepared
from tests.conftest import FOLDER_TOML
from tests.ledger.test_ledger import INTENT


@dataclass
class Told:
    """A platform: who asked for it (folder of the competition, place), how we stand there, and what was sent to it."""

    name: str = "kaggle"
    asked: list[tuple[Path, str]] = field(default_factory=list)
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

    def find(competition: Competition, place: str = "") -> Told:
        told.asked.append((competition.folder, place))
        return told

    monkeypatch.setattr(flow, "find_platform", find)
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


def follow(ledger: Ledger, out: Path, comp: str | None = None, say: Any = lambda text: None, **how: Any) -> list[Entry]:
    options = SendOptions(wait=0, resume=True, queued=True, **how)
    return flow.follow_up(ledger, out, comp, options, say).entries


def test_what_was_begun_is_gone_on_with_where_its_competition_lies(
    tmp_path: Path, contest: Competition, platform: Told
):
    """Another competition of that slug lies in competitions/."""
    elsewhere = competition_in(tmp_path / "elsewhere").folder
    ledger = open_ledger(tmp_path)
    ledger.add(intent_of_file(tmp_path, folder=str(elsewhere)))
    assert [entry.state for entry in follow(ledger, tmp_path)] == [State.COMPLETE]
    assert platform.asked == [(elsewhere, "kaggle")]


def test_the_competition_that_is_named_is_used(tmp_path: Path, contest: Competition, platform: Told):
    elsewhere = competition_in(tmp_path / "elsewhere").folder
    ledger = open_ledger(tmp_path)
    ledger.add(intent_of_file(tmp_path))  # as an older ledger has it
    ledger.add(intent_of_file(tmp_path, competition="digits"))
    assert [entry.intent.competition for entry in follow(ledger, tmp_path, str(elsewhere))] == ["shapes"]
    assert platform.asked == [(elsewhere, "kaggle")]


@pytest.mark.parametrize(
    ("folder", "state"), [("", "complete"), ("moved/competitions", "complete"), ("gone", "intent")]
)
def test_by_its_slug_a_competition_is_found_where_no_other_can_be_meant(
    tmp_path: Path, contest: Competition, platform: Told, folder: str, state: str
):
    ledger, said = open_ledger(tmp_path), list[str]()
    ledger.add(intent_of_file(tmp_path, folder=str(tmp_path / folder / "shapes") if folder else ""))
    assert [entry.state for entry in follow(ledger, tmp_path, None, said.append)] == [state]
    assert ("there is no competition any more" in " ".join(said)) == (folder == "gone")


def test_what_was_kept_for_one_phase_goes_there_though_it_went_to_another(
    tmp_path: Path, contest: Competition, platform: Told
):
    ledger = open_ledger(tmp_path)
    for phase, state in ((9, State.QUEUED), (10, State.COMPLETE)):
        ledger.add(intent_of_file(tmp_path, platform=f"codabench:{phase}"), state)
    assert [entry.state for entry in follow(ledger, tmp_path)] == [State.COMPLETE]
    assert platform.asked == [(contest.folder, "codabench:9")]
    assert ledger.snapshot("shapes", "codabench:9") and not ledger.snapshot("shapes", "codabench:10")


def test_an_entry_goes_to_the_platform_that_it_was_meant_for(contest: Competition):
    """competition.toml says another one meanwhile."""
    edited = contest.model_copy(update={"platform": "codabench", "codabench": CodabenchSpec(phase=9)})
    assert (find_platform(edited, "kaggle").name, find_platform(edited).name) == ("kaggle", "codabench")
    with pytest.raises(UserError, match=r"needs \[codabench\]"):
        find_platform(contest, "codabench:9")
    with pytest.raises(UserError, match="'nowhere'.*not there any more"):
        find_platform(contest, "nowhere:1")


@pytest.mark.parametrize("state", [State.QUEUED, State.INTENT, State.UPLOADED])
def test_a_reserve_holds_for_whatever_was_not_sent_yet(
    tmp_path: Path, contest: Competition, platform: Told, state: State
):
    ledger, said = open_ledger(tmp_path), list[str]()
    ledger.add(intent_of_file(tmp_path), state)
    platform.now = Standing(2)
    assert [entry.state for entry in follow(ledger, tmp_path, None, said.append, reserve=2)] == [state]
    assert platform.sent == [] and "still not: 2 submissions are left today (UTC) and --reserve keeps 2" in said[0]
    assert [entry.state for entry in follow(ledger, tmp_path, reserve=1)] == [State.COMPLETE]


def test_a_reserve_holds_for_what_turned_out_not_to_be_sent(tmp_path: Path, contest: Competition, platform: Told):
    ledger, said = open_ledger(tmp_path), list[str]()
    ledger.add(intent_of_file(tmp_path), State.UNKNOWN)
    platform.now = Standing(2)
    assert [entry.state for entry in follow(ledger, tmp_path, None, said.append, reserve=2)] == [State.UNKNOWN]
    assert platform.sent == [] and "it is not sent again now: 2 submissions are left" in said[0]
    assert [entry.state for entry in follow(ledger, tmp_path, reserve=1)] == [State.COMPLETE]


def test_no_reserve_keeps_anybody_from_asking_for_a_score(tmp_path: Path, contest: Competition, platform: Told):
    ledger = open_ledger(tmp_path)
    ledger.record(ledger.add(intent_of_file(tmp_path)), State.PENDING, ref="7")
    platform.now = Standing(0)
    assert [entry.state for entry in follow(ledger, tmp_path)] == [State.COMPLETE] and platform.sent == []


def test_somebodys_submission_without_a_description_keeps_nobody_from_sending(
    tmp_path: Path, contest: Competition, platform: Told
):
    def find(tag: str) -> Listed | None:
        return tagged([{}], tag, lambda line: None, lambda line: "", "description")

    platform.find = find
    assert new(open_ledger(tmp_path), tmp_path, contest).state == State.COMPLETE and len(platform.sent) == 1
