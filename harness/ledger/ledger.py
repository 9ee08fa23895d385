"""Write and read the ledger, by SQLAlchemy: a SQLite file, or any database that $HARNESS_LEDGER names.

    submissions   one row per intent, never changed
    events        what became of it, in order; only ever added to
    snapshots     leaderboards as they were seen
    about         the version of these tables

An event is a transaction: after a kill at any instruction it is there, or it is not. Two processes may write at once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError
from harness.ledger.database import Database, check_url
from harness.ledger.entry import Entry, Intent, State
from harness.ledger.tables import VERSION, entry_of, tables

if TYPE_CHECKING:
    import sqlalchemy as sa


def open_ledger(out: Path) -> Ledger:
    """The ledger of a project: $HARNESS_LEDGER (a database URL), else <out>/submissions/ledger.sqlite.

    Nothing is written before the first entry.
    """
    url = os.environ.get("HARNESS_LEDGER")
    if url:
        check_url(url)
    return Ledger(url or (out / "submissions" / "ledger.sqlite").resolve())


class Ledger(Database):
    """A ledger at a database URL or in a file; it connects when it is first asked."""

    def add(self, intent: Intent, state: State = State.INTENT, detail: str = "") -> int:
        """Write an intent with its first state; returns its id."""
        with self.transaction() as connection:
            return self._add(connection, intent, state, detail)

    def add_once(self, intent: Intent, forced: bool = False, state: State = State.INTENT, detail: str = "") -> int:
        """Write an intent, unless one that says the same may have been spent; nobody else can write between look and write.

        What waits in the queue counts as the same for what is about to be queued, not for what is about to be sent.

        Raises
        ------
        UserError
            If an entry of the same competition has the same file or the same labels, and was not refused.
        """
        with self.transaction() as connection:
            for entry in [] if forced else self._entries(connection, intent.competition):
                same = entry.intent.sha256 == intent.sha256 or entry.intent.labels == intent.labels
                same = same and entry.intent.platform == intent.platform
                if same and entry.state not in (State.REFUSED, *([] if state == State.QUEUED else [State.QUEUED])):
                    raise UserError(
                        f"'{intent.run}' says the same as entry {entry.id} ('{entry.intent.run}', {entry.state}, "
                        f"{entry.created}{_scored(entry)}). Sending it again would tell nothing: {_cure(entry)}, "
                        "--force spends a submission all the same."
                    )
            return self._add(connection, intent, state, detail)

    def record(
        self,
        entry: int,
        state: State,
        *,
        ref: str = "",
        public: float | None = None,
        private: float | None = None,
        detail: str = "",
        after: int | None = None,
    ) -> int:
        """Add an event to an entry and return its number. detail must hold no secret (see `harness.base.secrets`).

        after : the number that the entry's last event must have

        Raises
        ------
        UserError
            If somebody else wrote meanwhile.
        """
        with self.transaction() as connection:
            if after is not None:
                events = tables()["events"]
                query = events.select().where(events.c.submission == entry).order_by(events.c.id.desc()).limit(1)
                if connection.execute(query).mappings().one()["id"] != after:
                    raise UserError(
                        f"entry {entry}: another process is sending it, or has; nothing was sent by this one"
                    )
            return self._event(connection, entry, state, ref, public, private, detail)

    def entries(self, competition: str | None = None) -> list[Entry]:
        """All entries, or a competition's, oldest first."""
        if not self.exists:
            return []
        with self.transaction() as connection:
            return self._entries(connection, competition)

    def entry(self, number: int) -> Entry:
        """One entry.

        Raises
        ------
        UserError
            If there is none of that number.
        """
        found = [entry for entry in self.entries() if entry.id == number]
        if not found:
            raise UserError(f"{self.where}: has no entry {number}")
        return found[0]

    def events(self, entry: int) -> list[dict[str, Any]]:
        """Everything that was written about an entry, in order."""
        with self.transaction() as connection:
            table = tables()["events"]
            query = table.select().where(table.c.submission == entry).order_by("id")
            return [dict(row) for row in connection.execute(query).mappings()]

    def add_snapshot(self, competition: str, platform: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep a leaderboard as it was seen: rows {"team", "score"}, best first.

        platform : with its phase, as `Intent.platform` has it: each phase has a board of its own
        """
        with self.transaction() as connection:
            values = {"competition": competition, "platform": platform, "at": _now(), "rows": json.dumps(list(rows))}
            connection.execute(tables()["snapshots"].insert().values(values))

    def snapshot(self, competition: str, platform: str) -> tuple[str, list[dict[str, Any]]] | None:
        """When the leaderboard of a platform, with its phase, was last seen, and its rows; None where it never was."""
        if not self.exists:
            return None
        with self.transaction() as connection:
            table = tables()["snapshots"]
            here = (table.c.competition == competition) & (table.c.platform == platform)
            query = table.select().where(here).order_by(table.c.id.desc()).limit(1)
            row = connection.execute(query).mappings().first()
        with self.explained():
            return (row["at"], json.loads(row["rows"])) if row else None

    def everything(self, competition: str | None = None) -> dict[str, Any]:
        """All that is written, or all of a competition, as plain values: {"version", "submissions", "snapshots"}.

        A submission has its intent's fields and its "events", in order.
        """
        if not self.exists:
            return {"version": VERSION, "submissions": [], "snapshots": []}
        with self.transaction() as connection:
            rows = {
                name: list(connection.execute(t.select().order_by("id")).mappings()) for name, t in tables().items()
            }
        events: dict[int, list[dict[str, Any]]] = {}
        for event in rows["events"]:
            events.setdefault(event["submission"], []).append({k: v for k, v in event.items() if k != "submission"})
        with self.explained():
            submissions = [
                dict(row)
                | {name: json.loads(row[name] or "null") for name in ("members", "forecast")}
                | {"events": events[row["id"]]}
                for row in rows["submissions"]
            ]
            snapshots = [dict(row) | {"rows": json.loads(row["rows"])} for row in rows["snapshots"]]

        def mine(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for row in found if competition in (None, row["competition"])]

        return {"version": VERSION, "submissions": mine(submissions), "snapshots": mine(snapshots)}

    def _add(self, connection: sa.Connection, intent: Intent, state: State, detail: str) -> int:
        values = asdict(intent) | {
            "members": json.dumps(intent.members),
            "forecast": json.dumps(intent.forecast),
            "created": _now(),
        }
        inserted = connection.execute(tables()["submissions"].insert().values(values))
        number = _key_of(inserted)
        self._event(connection, number, state, "", None, None, detail)
        return number

    @staticmethod
    def _event(
        connection: sa.Connection,
        entry: int,
        state: State,
        ref: str,
        public: float | None,
        private: float | None,
        detail: str,
    ) -> int:
        values = {"submission": entry, "at": _now(), "state": str(state), "ref": ref, "detail": detail}
        values |= {"public": public, "private": private}
        return _key_of(connection.execute(tables()["events"].insert().values(values)))

    def _entries(self, connection: sa.Connection, competition: str | None) -> list[Entry]:
        submissions, written = tables()["submissions"], tables()["events"]
        query = submissions.select().order_by("id")
        if competition is not None:
            query = query.where(submissions.c.competition == competition)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        events: dict[int, list[dict[str, Any]]] = {}
        for event in connection.execute(written.select().order_by("id")).mappings():
            events.setdefault(event["submission"], []).append(dict(event))
        with self.explained():
            return [entry_of(row, events[row["id"]]) for row in rows]


def _key_of(inserted: sa.CursorResult[Any]) -> int:
    key = inserted.inserted_primary_key
    assert key is not None  # of one row
    return int(key[0])


def _cure(entry: Entry) -> str:
    return "--queued sends that one" if entry.state == State.QUEUED else "--resume follows that one up"


def _scored(entry: Entry) -> str:
    return f", public {entry.public:.5f}" if entry.public is not None else ""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
