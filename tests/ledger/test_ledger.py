"""The ledger: what is written stays, the last word counts, two processes and a newer version."""

from __future__ import annotations

import json
import multiprocessing
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from harness.base.errors import UserError
from harness.ledger import Intent, Ledger, Notebook, State, database, open_ledger, tables
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
def postgresql() -> Iterator[str]:
    if why_not():
        pytest.skip(why_not())
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """An empty one, in a file or on a real server."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
        with sa.create_engine(url).begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        monkeypatch.setenv("HARNESS_LEDGER", url)
    return open_ledger(tmp_path)


def test_nothing_is_written_before_the_first_entry(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    assert ledger.entries() == [] and ledger.snapshot("shapes", "kaggle") is None
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


def test_a_refusal_to_send_the_same_says_of_what_when_and_what_to_do(ledger: Ledger):
    number = ledger.add_once(replace(INTENT, run="first"))
    ledger.record(number, State.COMPLETE, public=0.87)
    created = ledger.entry(number).created
    same_file = replace(INTENT, labels="d" * 64)
    for again in (INTENT, same_file, replace(INTENT, sha256="c" * 64)):
        with pytest.raises(UserError) as refused:
            ledger.add_once(again)
        assert str(refused.value) == (
            f"'tiny-1' says the same as entry {number} ('first', complete, {created}, public 0.87000). Sending it again would tell "
            "nothing: --resume follows that one up, --force spends a submission all the same."
        )
    assert ledger.add_once(replace(INTENT, platform="codabench")) == 2  # elsewhere it is another submission
    assert ledger.add_once(replace(same_file, sha256="c" * 64)) == 3


@pytest.mark.parametrize("state", [s for s in State if s not in (State.REFUSED, State.QUEUED)])
def test_whatever_may_have_been_spent_is_not_sent_again(tmp_path: Path, state: State):
    ledger = open_ledger(tmp_path)
    ledger.record(ledger.add(INTENT), state)
    assert [e["detail"] for e in ledger.events(1)] == ["", ""]  # nothing was said
    when = ledger.entry(1).created
    for new in (State.INTENT, State.QUEUED):
        with pytest.raises(UserError, match=rf"entry 1 \('tiny-1', {state}, {when}\)\..*--resume follows that one up"):
            ledger.add_once(INTENT, state=new)


def test_what_waits_in_the_queue_is_not_queued_twice_but_can_be_sent(ledger: Ledger):
    queued = ledger.add_once(INTENT, state=State.QUEUED, detail="no network")
    assert (ledger.entry(queued).state, ledger.entry(queued).detail) == (State.QUEUED, "no network")
    with pytest.raises(UserError, match=f"entry {queued} .*queued.*--queued sends that one, --force"):
        ledger.add_once(INTENT, state=State.QUEUED)
    sent = ledger.add_once(INTENT)
    assert (ledger.entry(sent).state, ledger.entry(sent).detail) == (State.INTENT, "") and sent != queued
    ledger.record(sent, State.REFUSED)
    ledger.record(queued, State.REFUSED)
    assert ledger.add_once(INTENT, state=State.QUEUED) > sent


def test_an_entry_tells_who_wrote_last_and_whoever_is_late_writes_nothing(ledger: Ledger):
    number = ledger.add(INTENT, State.QUEUED, "for later")
    other = ledger.add(replace(INTENT, run="other"))
    first = ledger.entry(number).event
    second = ledger.record(number, State.UPLOADED, detail="by this one", after=first)
    assert ledger.entry(number).event == second > first
    with pytest.raises(
        UserError, match=f"entry {number}: another process is sending it, or has; nothing was sent by this one"
    ):
        ledger.record(number, State.UPLOADED, after=first)
    assert [e["detail"] for e in ledger.events(number)] == ["for later", "by this one"]
    assert ledger.entry(other).event not in (first, second) and ledger.entry(other).intent.run == "other"
    assert [e.id for e in ledger.entries()] == [number, other]
    with pytest.raises(UserError, match=r"ledger\.sqlite: has no entry 7|harness.*: has no entry 7"):
        ledger.entry(7)


def test_a_score_and_a_number_that_were_seen_once_stay(ledger: Ledger):
    number = ledger.add(replace(INTENT, cv=0.9, cv_low=0.88, cv_high=0.92, git_commit="abc", members=("a", "b")))
    assert (ledger.entry(number).ref, ledger.entry(number).public, ledger.entry(number).private) == ("", None, None)
    ledger.record(number, State.PENDING, ref="17", detail="seen")
    ledger.record(number, State.COMPLETE, public=0.0, private=0.7)  # a score of nought is one
    ledger.record(number, State.ERROR, detail="gone")
    entry = ledger.entry(number)
    assert (entry.state, entry.ref, entry.public, entry.private, entry.detail) == (State.ERROR, "17", 0.0, 0.7, "gone")
    assert (entry.intent.cv_low, entry.intent.cv_high, entry.intent.members) == (0.88, 0.92, ("a", "b"))
    assert entry.changed == ledger.events(number)[-1]["at"] >= entry.created


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows the time of Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_utc_in_iso_8601(ledger: Ledger, far_east: None):
    before = datetime.now(UTC).replace(microsecond=0)
    entry = ledger.entry(ledger.add(INTENT))
    for said in (entry.created, entry.changed):
        assert said.endswith("Z") and before <= datetime.fromisoformat(said) <= datetime.now(UTC)


def _add(url: str, results) -> None:
    try:
        results.put(Ledger(url).add_once(INTENT))
    except UserError:
        results.put(None)
    except Exception as error:  # told at once; else it would be waited for
        results.put(repr(error))


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


def test_whoever_comes_second_waits_for_the_first_and_sees_what_it_wrote(ledger: Ledger):
    """Between its look and its write nobody else may write: the second is told of the same, not of a lock."""
    ledger.add(replace(INTENT, competition="digits"))
    looked, found = threading.Event(), {}

    class Slow(Ledger):
        def _add(self, *args) -> int:
            looked.set()
            time.sleep(0.5)
            return super()._add(*args)

    def send(kind: type[Ledger]) -> None:
        try:
            found[kind] = kind(ledger.url).add_once(INTENT)
        except UserError as error:
            found[kind] = str(error)

    crew = [threading.Thread(target=send, args=(kind,)) for kind in (Slow, Ledger)]
    crew[0].start()
    assert looked.wait(30)
    crew[1].start()
    for one in crew:
        one.join()
    assert found[Slow] == 2 and "says the same as entry 2" in found[Ledger]


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
    assert found["version"] == 2 and (seen["competition"], seen["platform"]) == ("shapes", "kaggle")
    assert told["id"] == number and told["run"] == "tiny-1" and told["cv"] == 0.9 and told["created"]
    assert set(told["events"][0]) == {"id", "at", "state", "ref", "detail", "public", "private"}
    [other] = ledger.everything("digits")["submissions"]
    assert [e["state"] for e in other["events"]] == ["intent"] and ledger.everything("digits")["snapshots"] == []
    assert len(ledger.everything()["snapshots"]) == 1


def test_of_a_ledger_that_is_not_there_everything_is_nothing(tmp_path: Path):
    assert open_ledger(tmp_path).everything() == {"version": 2, "submissions": [], "snapshots": []}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["0", "-1", "'two'"])
def test_a_version_that_is_none_is_told(tmp_path: Path, version: str):
    ledger = open_ledger(tmp_path)
    ledger.add(INTENT)
    with sqlite3.connect(tmp_path / "submissions" / "ledger.sqlite") as connection:
        connection.execute(f"UPDATE about SET version = {version}")
    with pytest.raises(UserError, match=r"ledger\.sqlite: says that its version is .*Put a copy of the ledger back"):
        Ledger(ledger.url).entries()


def test_an_older_ledger_is_migrated_step_by_step_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger, steps = open_ledger(tmp_path), []
    number = ledger.add(INTENT)
    monkeypatch.setattr(database, "VERSION", 4)

    def step(said: str, sql: str):
        return lambda connection: (connection.exec_driver_sql(sql), steps.append(said))

    make, fill = "CREATE TABLE more (n INTEGER)", "INSERT INTO more VALUES (7)"
    monkeypatch.setattr(database, "MIGRATIONS", {2: step("2 to 3", make), 3: step("3 to 4", fill)})
    for _ in range(2):
        assert Ledger(ledger.url).entry(number).intent == INTENT
    assert steps == ["2 to 3", "3 to 4"]
    with sqlite3.connect(tmp_path / "submissions" / "ledger.sqlite") as connection:
        assert connection.execute("SELECT id, version FROM about").fetchall() == [(1, 4)]
        assert connection.execute("SELECT n FROM more").fetchall() == [(7,)]


def test_a_ledger_of_version_1_gets_folders_and_the_phases_of_its_boards(ledger: Ledger):
    ledger.add(replace(INTENT, platform="codabench:9"))
    for platform in ("codabench:9", "codabench:10"):
        ledger.add(replace(INTENT, competition="digits", platform=platform))
    ledger.add_snapshot("shapes", "codabench", [{"team": "a", "score": 0.9}])
    ledger.add_snapshot("digits", "codabench", [])
    engine = sa.create_engine(ledger.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE submissions DROP COLUMN folder")
        connection.exec_driver_sql("UPDATE about SET version = 1")
    engine.dispose()
    for _ in range(2):
        opened = Ledger(ledger.url)
        assert opened.entry(1).intent == replace(INTENT, platform="codabench:9", folder="")
        found = opened.snapshot("shapes", "codabench:9")
        assert found is not None and found[1] == [{"team": "a", "score": 0.9}]
        assert opened.snapshot("digits", "codabench:9") is None  # of which phase it was nobody knows
    here = replace(INTENT, run="new", folder="/somewhere/shapes")
    assert opened.entry(opened.add(here)).intent == here


TABLES = """\
CREATE TABLE about (id INTEGER NOT NULL, version INTEGER, PRIMARY KEY (id))
CREATE TABLE events (id INTEGER NOT NULL, submission INTEGER NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL, ref TEXT NOT NULL, \
detail TEXT NOT NULL, public FLOAT, private FLOAT, PRIMARY KEY (id), FOREIGN KEY(submission) REFERENCES submissions (id))
CREATE INDEX ix_events_submission ON events (submission)
CREATE TABLE snapshots (id INTEGER NOT NULL, competition TEXT NOT NULL, platform TEXT NOT NULL, at TEXT NOT NULL, \
rows TEXT NOT NULL, PRIMARY KEY (id))
CREATE TABLE submissions (id INTEGER NOT NULL, competition TEXT NOT NULL, platform TEXT NOT NULL, run TEXT NOT NULL, \
members TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, labels TEXT NOT NULL, message TEXT NOT NULL, tag TEXT NOT NULL, \
metric TEXT NOT NULL, rows INTEGER NOT NULL, cv FLOAT, cv_low FLOAT, cv_high FLOAT, forecast TEXT, git_commit TEXT, \
created TEXT NOT NULL, folder TEXT, PRIMARY KEY (id))
"""
"""Of version 2. Whoever changes them raises VERSION and writes the migration: ledgers like this lie in users' projects."""


def test_the_tables_are_those_of_their_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "_cached", None)
    open_ledger(tmp_path).add(INTENT)
    with sqlite3.connect(tmp_path / "submissions" / "ledger.sqlite") as connection:
        found = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC"
        ).fetchall()
    found = [re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").replace(" ,", ",") for (sql,) in found]
    assert tables.VERSION == 2 and found == TABLES.splitlines()


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ("UPDATE submissions SET members = '5'", Ledger.entries),
        ("UPDATE submissions SET forecast = '[]'", Ledger.entries),
        ("UPDATE submissions SET members = '{'", Ledger.entries),
        ("UPDATE events SET state = 'lost'", Ledger.entries),
        ("DELETE FROM events", Ledger.entries),
        ("DELETE FROM events", Ledger.everything),
        ("UPDATE submissions SET forecast = '{'", Ledger.everything),
        ("UPDATE snapshots SET rows = '{'", Ledger.everything),
        ("UPDATE snapshots SET rows = '{'", lambda ledger: ledger.snapshot("shapes", "kaggle")),
    ],
)
def test_what_no_harness_wrote_is_told_with_the_cure(tmp_path: Path, change: str, ask):
    ledger = open_ledger(tmp_path)
    ledger.add(INTENT)
    ledger.add_snapshot("shapes", "kaggle", [])
    with sqlite3.connect(tmp_path / "submissions" / "ledger.sqlite") as connection:
        connection.execute(change)
    with pytest.raises(
        UserError, match="holds something that no harness wrote.*Put a copy of the ledger back"
    ) as refused:
        ask(ledger)
    if "members = '5'" in change or "'[]'" in change:
        assert "(TypeError: members or forecast are of another kind)" in str(refused.value)


def test_a_run_without_a_forecast_or_a_score_is_kept_as_such(ledger: Ledger):
    number = ledger.add(replace(INTENT, forecast=None, cv=None))
    assert (ledger.entry(number).intent.forecast, ledger.entry(number).intent.cv) == (None, None)
    assert ledger.everything()["submissions"][0]["forecast"] is None
    with sa.create_engine(ledger.url).begin() as connection:  # an empty cell says the same
        connection.exec_driver_sql("UPDATE submissions SET forecast = NULL")
    assert ledger.everything()["submissions"][0]["forecast"] is None and ledger.entry(number).intent.forecast is None


@pytest.mark.parametrize("url", ["nonsense", "nosuch+driver://h/n", "postgresql://me:secret word@h:x/n"])
def test_a_url_that_is_none_is_refused_without_repeating_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("HARNESS_LEDGER", url)
    with pytest.raises(UserError, match="HARNESS_LEDGER: is no database URL that can be used") as refused:
        open_ledger(tmp_path)
    assert url not in str(refused.value) and "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true", "sqlite:///file:x?mode=memory&uri=true"],
)
def test_a_database_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("HARNESS_LEDGER", url)
    with pytest.raises(UserError, match="HARNESS_LEDGER: is a database in memory, which forgets what was sent"):
        open_ledger(tmp_path)


def test_a_ledger_in_a_file_that_the_url_names_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "else where" / "l.sqlite"
    monkeypatch.setenv("HARNESS_LEDGER", f"sqlite:///{path}")
    ledger = open_ledger(tmp_path / "out")
    assert not ledger.exists and ledger.where == str(path)
    ledger.add(INTENT)
    assert ledger.exists and path.is_file() and not (tmp_path / "out").exists()
    monkeypatch.delenv("HARNESS_LEDGER")
    assert open_ledger(tmp_path / "new" / "project").add(INTENT) == 1  # folders are made
    assert open_ledger(tmp_path / "a%20?b").where == str(tmp_path / "a%20?b" / "submissions" / "ledger.sqlite")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    ledger.add(INTENT)
    with pytest.raises(UserError, match="the ledger cannot be used"):
        ledger.add(replace(INTENT, run=None))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="the ledger cannot be used"):
        ledger.record(1, State.PENDING, detail=None)  # type: ignore[arg-type]
    assert [(e.intent.run, e.state) for e in ledger.entries()] == [("tiny-1", State.INTENT)]
    assert ledger.add(INTENT) == 2  # and the lock is free


@pytest.mark.parametrize(
    "text",
    ["notebook:me/my-notebook@3/submission.csv", "notebook:a_b/c@12/my file-1.csv"],
)
def test_a_notebook_is_read_back_from_its_text(text: str):
    found = Notebook.parse(text)
    assert found is not None and str(found) == text and isinstance(found.version, int)
    assert (found.owner, found.name, found.output) == tuple(re.split("[:/@]", text)[i] for i in (1, 2, 4))


@pytest.mark.parametrize(
    "text",
    [
        "submissions/x.csv",
        "notebook:me/n@x/s.csv",
        "notebook:me/n/s.csv",
        "NOTEBOOK:me/n@1/s.csv",
        "notebook:me/n@1/../s.csv",
        " notebook:me/n@1/s.csv",
    ],
)
def test_other_texts_are_no_notebooks(text: str):
    assert Notebook.parse(text) is None


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
    ledger.add_snapshot("digits", "kaggle", [])
    ledger.add_snapshot("shapes", "codabench:9", [])
    assert ledger.snapshot("pets", "kaggle") is None and ledger.snapshot("shapes", "codabench:10") is None
    found = ledger.snapshot("shapes", "kaggle")
    assert found is not None and found[0].endswith("Z") and found[1] == [{"team": "b", "score": 0.95}]


def test_without_sqlalchemy_a_ledger_that_is_not_there_is_empty_and_one_that_is_there_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("HARNESS_LEDGER", raising=False)
    for name in ("sqlalchemy", "sqlalchemy.engine"):
        monkeypatch.setitem(sys.modules, name, None)
    ledger = open_ledger(tmp_path)
    assert (
        ledger.entries() == []
        and ledger.snapshot("shapes", "kaggle") is None
        and not ledger.everything()["submissions"]
    )
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "ledger.sqlite").touch()
    with pytest.raises(UserError, match=r"ledger.sqlite: the ledger needs SQLAlchemy: pip install SQLAlchemy"):
        ledger.entries()
    monkeypatch.setenv("HARNESS_LEDGER", "postgresql://me@host/name")
    with pytest.raises(UserError, match="HARNESS_LEDGER: the ledger needs SQLAlchemy"):
        open_ledger(tmp_path)
