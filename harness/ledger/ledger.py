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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.base.untrusted_text import plain
from harness.ledger.entry import Entry, Intent, State

if TYPE_CHECKING:
    import sqlalchemy as sa

VERSION = 1


def open_ledger(out: Path) -> Ledger:
    """The ledger of a project: $HARNESS_LEDGER (a database URL), else <out>/submissions/ledger.sqlite.

    Nothing is written before the first entry.
    """
    url = os.environ.get("HARNESS_LEDGER")
    if url:
        _check_url(url)
    return Ledger(url or _sqlite_url((out / "submissions" / "ledger.sqlite").resolve()))


def _sqlite_url(path: Path) -> str:
    from sqlalchemy.engine import URL

    return str(URL.create("sqlite", database=str(path)))  # which escapes what means something in a URL


def _check_url(url: str) -> None:
    """Refuse what is no database URL, without repeating it: it may hold a password."""
    from sqlalchemy.engine import make_url

    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except Exception:  # from ValueError to missing drivers: all of them may quote the URL
        raise UserError(
            "HARNESS_LEDGER: is no database URL that can be used, e.g. postgresql+psycopg://user:password@host/name (an @ in "
            "the password is written %40, and the driver must be installed)"
        ) from None
    in_memory = not parsed.database or ":memory:" in parsed.database or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() == "sqlite" and in_memory:
        raise UserError(
            "HARNESS_LEDGER: is a database in memory, which forgets what was sent when the command ends. Name a file: "
            "sqlite:////FOLDER/ledger.sqlite"
        )


class Ledger:
    """A ledger at a database URL; it connects when it is first asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: sa.Engine | None = None
        self._checked = False

    @property
    def where(self) -> str:
        """The file, or the URL without its password: for messages."""
        if self._file:
            return str(self._file)
        from sqlalchemy.engine import make_url

        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def exists(self) -> bool:
        """Whether anything can have been written: a database server's always."""
        return self._file is None or self._file.is_file()

    def add(self, intent: Intent, state: State = State.INTENT, detail: str = "") -> int:
        """Write an intent with its first state; returns its id."""
        with self._begin() as connection:
            return self._add(connection, intent, state, detail)

    def add_once(self, intent: Intent, forced: bool = False, state: State = State.INTENT, detail: str = "") -> int:
        """Write an intent, unless one that says the same may have been spent; nobody else can write between look and write.

        What waits in the queue counts as the same for what is about to be queued, not for what is about to be sent.

        Raises
        ------
        UserError
            If an entry of the same competition has the same file or the same labels, and was not refused.
        """
        with self._begin() as connection:
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
        with self._begin() as connection:
            if after is not None:
                events = _tables()["events"]
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
        with self._begin() as connection:
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
        with self._begin() as connection:
            tables = _tables()
            query = tables["events"].select().where(tables["events"].c.submission == entry).order_by("id")
            return [dict(row) for row in connection.execute(query).mappings()]

    def add_snapshot(self, competition: str, platform: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep a leaderboard as it was seen: rows {"team", "score"}, best first."""
        with self._begin() as connection:
            values = {"competition": competition, "platform": platform, "at": _now(), "rows": json.dumps(list(rows))}
            connection.execute(_tables()["snapshots"].insert().values(values))

    def snapshot(self, competition: str) -> tuple[str, list[dict[str, Any]]] | None:
        """When the leaderboard was last seen, and its rows; None where it never was."""
        if not self.exists:
            return None
        with self._begin() as connection:
            table = _tables()["snapshots"]
            query = table.select().where(table.c.competition == competition).order_by(table.c.id.desc()).limit(1)
            row = connection.execute(query).mappings().first()
        with self._explained():
            return (row["at"], json.loads(row["rows"])) if row else None

    def everything(self, competition: str | None = None) -> dict[str, Any]:
        """All that is written, or all of a competition, as plain values: {"version", "submissions", "snapshots"}.

        A submission has its intent's fields and its "events", in order.
        """
        if not self.exists:
            return {"version": VERSION, "submissions": [], "snapshots": []}
        with self._begin() as connection:
            tables = {
                name: list(connection.execute(t.select().order_by("id")).mappings()) for name, t in _tables().items()
            }
        events: dict[int, list[dict[str, Any]]] = {}
        for event in tables["events"]:
            events.setdefault(event["submission"], []).append({k: v for k, v in event.items() if k != "submission"})
        with self._explained():
            submissions = [
                dict(row)
                | {name: json.loads(row[name] or "null") for name in ("members", "forecast")}
                | {"events": events[row["id"]]}
                for row in tables["submissions"]
            ]
            snapshots = [dict(row) | {"rows": json.loads(row["rows"])} for row in tables["snapshots"]]

        def mine(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for row in rows if competition in (None, row["competition"])]

        return {"version": VERSION, "submissions": mine(submissions), "snapshots": mine(snapshots)}

    @property
    def _file(self) -> Path | None:
        from sqlalchemy.engine import make_url

        url = make_url(self.url)
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    def _add(self, connection: sa.Connection, intent: Intent, state: State, detail: str) -> int:
        values = asdict(intent) | {
            "members": json.dumps(intent.members),
            "forecast": json.dumps(intent.forecast),
            "created": _now(),
        }
        inserted = connection.execute(_tables()["submissions"].insert().values(values))
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
        return _key_of(connection.execute(_tables()["events"].insert().values(values)))

    def _entries(self, connection: sa.Connection, competition: str | None) -> list[Entry]:
        tables = _tables()
        query = tables["submissions"].select().order_by("id")
        if competition is not None:
            query = query.where(tables["submissions"].c.competition == competition)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        events: dict[int, list[dict[str, Any]]] = {}
        for event in connection.execute(tables["events"].select().order_by("id")).mappings():
            events.setdefault(event["submission"], []).append(dict(event))
        with self._explained():
            return [_entry(row, events[row["id"]]) for row in rows]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What stands in the tables and was never written by the harness is told, and where."""
        try:
            yield
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{self.where}: the ledger holds something that no harness wrote ({type(error).__name__}: {plain(error, 200)}). {_LOST}"
            ) from error

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """A transaction that nobody else writes beside, from its start on."""
        import sqlalchemy as sa

        try:
            if self._engine is None:
                self._engine = self._new_engine()
            with self._engine.connect() as connection, _alone(connection):
                if not self._checked:
                    _metadata().create_all(connection)
                    self._check_version(connection)
                yield connection
            self._checked = True
        except (
            sa.exc.SQLAlchemyError,
            ImportError,
            UnicodeDecodeError,
        ) as error:  # the last: a damaged schema that sqlite quotes
            said = redact(str(getattr(error, "orig", None) or error).split("\n")[0])
            raise UserError(f"{self.where}: the ledger cannot be used: {said}. {_LOST}") from error

    def _new_engine(self) -> sa.Engine:
        import sqlalchemy as sa

        if self._file is None:
            return sa.create_engine(self.url)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return sa.create_engine(self.url, connect_args={"timeout": 60}, isolation_level="AUTOCOMMIT")

    def _check_version(self, connection: sa.Connection) -> None:
        """Migrate an older ledger; refuse a newer one."""
        table = _tables()["about"]
        row = connection.execute(table.select()).first()
        if row is None:
            connection.execute(table.insert().values(id=1, version=VERSION))
            return
        if not isinstance(row.version, int) or row.version < 1:
            raise UserError(f"{self.where}: says that its version is {plain(row.version, 40)}. {_LOST}")
        if row.version > VERSION:
            raise UserError(
                f"{self.where}: was written by a newer harness (version {row.version}, this one knows {VERSION}). "
                "Update the harness; nothing was changed."
            )
        for version in range(row.version, VERSION):
            MIGRATIONS[version](connection)
            connection.execute(table.update().values(version=version + 1))


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Begin with the lock that writers wait for; commit, or roll back."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


_LOST = (
    "Put a copy of the ledger back. What was sent also lies in submissions/<slug>/sent/ and in the platform's list, both of which are asked "
    "before anything is sent"
)

_LOCK = 727_401  # any number that no other program takes

MIGRATIONS: dict[int, Any] = {}
"""From a version to the next: a function of the connection."""


def _metadata() -> sa.MetaData:
    import sqlalchemy as sa

    global _cached
    if _cached is not None:
        return _cached
    metadata = sa.MetaData()
    text, number = sa.Text, sa.Float
    sa.Table("about", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("version", sa.Integer))
    names = ["competition", "platform", "run", "members", "file", "sha256", "labels", "message", "tag", "metric"]
    sa.Table(
        "submissions",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, text, nullable=False) for name in names),
        sa.Column("rows", sa.Integer, nullable=False),
        *(sa.Column(name, number) for name in ("cv", "cv_low", "cv_high")),
        sa.Column("forecast", text),
        sa.Column("git_commit", text),
        sa.Column("created", text, nullable=False),
    )
    sa.Table(
        "events",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("submission", sa.Integer, sa.ForeignKey("submissions.id"), nullable=False, index=True),
        *(sa.Column(name, text, nullable=False) for name in ("at", "state", "ref", "detail")),
        *(sa.Column(name, number) for name in ("public", "private")),
    )
    sa.Table(
        "snapshots",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, text, nullable=False) for name in ("competition", "platform", "at", "rows")),
    )
    _cached = metadata
    return metadata


_cached: sa.MetaData | None = None


def _tables() -> dict[str, sa.Table]:
    return dict(_metadata().tables)


def _key_of(inserted: sa.CursorResult[Any]) -> int:
    key = inserted.inserted_primary_key
    assert key is not None  # of one row
    return int(key[0])


def _entry(row: dict[str, Any], events: list[dict[str, Any]]) -> Entry:
    """The last word on everything: a score that was seen once stays."""

    def last(name: str, empty: Any) -> Any:
        return next((e[name] for e in reversed(events) if e[name] not in (None, "")), empty)

    fields = {k: v for k, v in row.items() if k not in ("id", "created")}
    members, forecast = json.loads(row["members"]), json.loads(row["forecast"] or "null")
    if not isinstance(members, list) or not isinstance(forecast, dict | None):
        raise TypeError("members or forecast are of another kind")
    fields |= {"members": tuple(members), "forecast": forecast}
    return Entry(
        id=row["id"],
        intent=Intent(**fields),
        created=row["created"],
        changed=events[-1]["at"],
        state=State(events[-1]["state"]),
        ref=last("ref", ""),
        public=last("public", None),
        private=last("private", None),
        detail=events[-1]["detail"],
        event=events[-1]["id"],
    )


def _cure(entry: Entry) -> str:
    return "--queued sends that one" if entry.state == State.QUEUED else "--resume follows that one up"


def _scored(entry: Entry) -> str:
    return f", public {entry.public:.5f}" if entry.public is not None else ""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
