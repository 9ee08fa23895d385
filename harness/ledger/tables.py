"""The ledger's tables, and an entry as they tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.ledger.entry import Entry, Intent, State

if TYPE_CHECKING:
    import sqlalchemy as sa

VERSION = 2


def _with_places(connection: sa.Connection) -> None:
    """Entries get their competition's folder; snapshots the phase they were of, where the competition was sent to a single one."""
    mine = "FROM submissions WHERE submissions.competition = snapshots.competition"
    connection.exec_driver_sql("ALTER TABLE submissions ADD COLUMN folder TEXT")
    connection.exec_driver_sql(
        f"UPDATE snapshots SET platform = (SELECT MIN(submissions.platform) {mine}) "
        f"WHERE (SELECT COUNT(DISTINCT submissions.platform) {mine}) = 1"
    )


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {1: _with_places}
"""From a version to the next."""


def metadata() -> sa.MetaData:
    """The tables as SQLAlchemy creates them."""
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
        sa.Column("folder", text),
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


def tables() -> dict[str, sa.Table]:
    """The tables by their names."""
    return dict(metadata().tables)


def entry_of(row: dict[str, Any], events: list[dict[str, Any]]) -> Entry:
    """The last word on everything: a score that was seen once stays."""

    def last(name: str, empty: Any) -> Any:
        return next((e[name] for e in reversed(events) if e[name] not in (None, "")), empty)

    fields = {k: v for k, v in row.items() if k not in ("id", "created")}
    members, forecast = json.loads(row["members"]), json.loads(row["forecast"] or "null")
    if not isinstance(members, list) or not isinstance(forecast, dict | None):
        raise TypeError("members or forecast are of another kind")
    fields |= {"members": tuple(members), "forecast": forecast, "folder": row["folder"] or ""}
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
