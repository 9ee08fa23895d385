"""The ledger as a table: CV, forecast, public and private score, gap, rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.ledger import Entry
from harness.ledger.ledger import Ledger
from harness.report.about import read_about
from harness.submit.outcome import as_shown

HEADER = (
    "entry",
    "competition",
    "sent (UTC)",
    "run",
    "state",
    "CV",
    "forecast [90 %]",
    "public",
    "private",
    "gap",
    "rank",
)


def lines_of(ledger: Ledger, competition: str | None, directions: dict[str, bool]) -> list[dict[str, Any]]:
    """What to say of each entry, oldest first.

    directions : for each slug whether its metric is better when greater
    """
    lines = []
    for entry in ledger.entries(competition):
        slug = entry.intent.competition
        snapshot = ledger.snapshot(slug, entry.intent.platform)
        lines.append(_line(entry, snapshot[1] if snapshot else [], directions.get(slug, True)))
    return lines


def run_label(out: Path, slug: str, run: str) -> str:
    """What a person calls a run that was sent; "" of what is no run here."""
    return read_about(out / "oof" / slug / run).name if Path(run).name == run else ""


def _line(entry: Entry, board: Sequence[dict[str, Any]], greater: bool) -> dict[str, Any]:
    intent = entry.intent
    told = (intent.forecast or {}).get("public")
    rank = None
    if entry.public is not None and board:
        scores = np.array([row["score"] for row in board], dtype=float)
        mine = as_shown(entry.public, board)
        rank = int((scores > mine).sum() if greater else (scores < mine).sum()) + 1
    return {
        "entry": entry.id,
        "competition": intent.competition,
        "sent": entry.created,
        "run": intent.run,
        "members": list(intent.members),
        "state": str(entry.state),
        "cv": intent.cv,
        "forecast": told,
        "public": entry.public,
        "private": entry.private,
        "gap": entry.public - intent.cv if entry.public is not None and intent.cv is not None else None,
        "rank": rank,
        "teams": len(board) or None,
        "percentile": round(100 * (1 - (rank - 1) / len(board)), 1) if rank else None,
        "medal": medal(rank, len(board)) if rank else None,
        "message": intent.message,
        "metric": intent.metric,
    }


def medal(rank: int, teams: int) -> str | None:
    """The medal that a rank would win on Kaggle (its progression page), where the leaderboard gives medals at all."""
    gold: float
    if teams < 250:
        gold, silver, bronze = max(round(0.1 * teams), 1) if teams < 100 else 10, 0.2 * teams, 0.4 * teams
    elif teams < 1000:
        gold, silver, bronze = 10 + 0.002 * teams, 50.0, 100.0
    else:
        gold, silver, bronze = 10 + 0.002 * teams, 0.05 * teams, 0.1 * teams
    for name, last in (("gold", gold), ("silver", silver), ("bronze", bronze)):
        if rank <= last:
            return name
    return None


def table_rows(lines: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Rows below HEADER."""
    return [
        [
            str(line["entry"]),
            line["competition"],
            line["sent"][:16].replace("T", " "),
            f"{line['name']} ({line['run']})" if line.get("name") else line["run"],
            line["state"],
            _score(line["cv"]),
            _forecast(line["forecast"]),
            _score(line["public"]),
            _score(line["private"]),
            "" if line["gap"] is None else f"{line['gap']:+.5f}",
            ""
            if line["rank"] is None
            else f"{line['rank']} of {line['teams']}" + (f", {line['medal']}" if line["medal"] else ""),
        ]
        for line in lines
    ]


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _forecast(told: dict[str, float] | None) -> str:
    return f"{told['score']:.4f} [{told['low']:.4f}, {told['high']:.4f}]" if told else ""
