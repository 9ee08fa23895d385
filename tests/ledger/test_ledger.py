"""The ledger: what is written stays, the last word counts, two processes and a newer version."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.base.errors import UserError
from harness.ledger import Intent, Ledger, State, open_ledger
from tests.postgresql import server, why_not

INTENT = Intent(
    competition="shapes",
    platform="kaggle",
    run="tiny-1",
    members=("tiny-1",),
    file="submissions/shapes/tiny-1.csv",
    sha256="a" * 64,
    labels="b" * 64,
    rows=9,
    message="tiny-1 [aaaaaaaaaaaa]",
    tag="[aaaaaaaaaaaa]",
    metric="accuracy",
    cv=0.9,
    forecast={"public": {"score": 0.88, "low": 0.8, "high": 0.93}},
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if why_not():
        pytest.skip(why_not())
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """An empty one, in a file or on a real server."""
    if request.param == "postgresql":
        url = request.getfixturevalue("database")
        with sa.create_engine(url).begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        monkeypatch.setenv("HARNESS_LEDGER", url)
    return open_ledger(tmp_path)


def test_nothing_is_written_before_the_first_entry(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    assert ledger.entries() == [] and ledger.snapshot("shapes") is None
    assert list(tmp_path.iterdir()) == []


def test_the_last_word_counts_and_nothing_is_lost(ledger: Ledger):
    number = ledger.add(INTENT)
    ledger.record(number, State.PENDING, ref="17")
    ledger.record(number, State.COMPLETE, public=0.87)
    ledger.record(number, State.COMPLETE, private=0.86)
    [entry] = ledger.entries("shapes")
    assert (entry.state, entry.ref, entry.public, entry.private) == (State.COMPLETE, "17", 0.87, 0.86)
    assert entry.intent == INTENT
    assert [e["state"] for e in ledger.events(number)] == ["intent", "pending", "complete", "complete"]
    assert ledger.entries("digits") == []


def test_the_same_is_not_spent_twice(ledger: Ledger):
    number = ledger.add_once(INTENT)
    with pytest.raises(UserError, match=f"the same as entry {number}"):
        ledger.add_once(replace(INTENT, sha256="c" * 64))  # another file with the same labels
    ledger.record(number, State.REFUSED)
    assert ledger.add_once(INTENT) != number  # a refused one was not spent
    assert ledger.add_once(replace(INTENT, competition="digits")) == 3
    assert ledger.add_once(INTENT, forced=True) == 4


def _add(url: str, results) -> None:
    try:
        results.put(Ledger(url).add_once(INTENT))
    except UserError:
        results.put(None)


def test_two_processes_cannot_both_take_the_same_submission(ledger: Ledger):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    crew = [context.Process(target=_add, args=(ledger.url, results)) for _ in range(4)]
    for process in crew:
        process.start()
    found = [results.get(timeout=60) for _ in crew]
    for process in crew:
        process.join()
    assert sorted(found, key=str) == [1, None, None, None]
    assert len(ledger.entries()) == 1


def test_a_newer_ledger_is_refused_and_left_alone(ledger: Ledger):
    ledger.add(INTENT)
    engine = sa.create_engine(ledger.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE about SET version = 99")
    with pytest.raises(UserError, match="newer harness"):
        Ledger(ledger.url).add(replace(INTENT, run="another"))
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM submissions").scalar() == 1


def test_everything_is_had_as_plain_values(ledger: Ledger):
    number = ledger.add(INTENT)
    ledger.record(number, State.PENDING, ref="17")
    ledger.add(replace(INTENT, competition="digits"))
    ledger.add_snapshot("shapes", "kaggle", [{"team": "a", "score": 0.9}])
    found = json.loads(json.dumps(ledger.everything("shapes")))
    [told], [seen] = found["submissions"], found["snapshots"]
    assert told["members"] == ["tiny-1"] and told["forecast"] == INTENT.forecast
    assert [(e["state"], e["ref"]) for e in told["events"]] == [("intent", ""), ("pending", "17")]
    assert seen["rows"] == [{"team": "a", "score": 0.9}] and len(ledger.everything()["submissions"]) == 2


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path):
    path = tmp_path / "submissions" / "ledger.sqlite"
    path.parent.mkdir()
    path.write_text("not a database, whatever its name says" * 99)
    with pytest.raises(UserError, match=r"ledger\.sqlite: the ledger cannot be used: .*not a database"):
        open_ledger(tmp_path).entries()


def test_a_password_in_the_url_is_not_shown():
    shown = Ledger("postgresql://me:pass-phrase-of-mine@127.0.0.1:1/harness").where
    assert "pass-phrase-of-mine" not in shown and "127.0.0.1" in shown


def test_leaderboards_are_kept(ledger: Ledger):
    ledger.add_snapshot("shapes", "kaggle", [{"team": "a", "score": 0.9}])
    ledger.add_snapshot("shapes", "kaggle", [{"team": "b", "score": 0.95}])
    found = ledger.snapshot("shapes")
    assert found is not None and found[1] == [{"team": "b", "score": 0.95}]
