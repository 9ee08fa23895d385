"""What became of submissions: printed for people, as JSON, and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.base.command import carried
from harness.ledger import Entry, State

EXIT_CODES = {
    State.COMPLETE: 0,
    State.PENDING: 3,
    State.UNKNOWN: 4,
    State.ERROR: 5,
    State.QUEUED: 6,
    State.INTENT: 2,
    State.UPLOADED: 2,
    State.REFUSED: 2,
}
"""0 scored, 2 nothing was sent, 3 sent but not scored yet, 4 perhaps sent, 5 sent and not scorable, 6 kept for later."""

_NEXT = {
    State.PENDING: ("no score yet; ask again", "--resume"),
    State.UNKNOWN: ("unclear: it may have been taken; nothing is sent twice; look for it", "--resume"),
    State.QUEUED: ("kept in the ledger; send it later", "--queued"),
    State.INTENT: ("nothing was spent; go on with it", "--resume"),
    State.UPLOADED: ("nothing was spent; go on with it", "--resume"),
}


def exit_code(entries: Sequence[Entry]) -> int:
    """The worst of them."""
    return max((EXIT_CODES[entry.state] for entry in entries), default=0)


def entry_summary(entry: Entry, board: Sequence[dict[str, Any]] | None, greater_is_better: bool) -> dict[str, Any]:
    """For --json."""
    told = {"entry": entry.id, "state": str(entry.state), "ref": entry.ref, "detail": entry.detail}
    told |= {"public": entry.public, "private": entry.private, "run": entry.intent.run}
    return told | {"rank": rank_of(entry, board, greater_is_better)}


def rank_of(entry: Entry, board: Sequence[dict[str, Any]] | None, greater_is_better: bool) -> dict[str, Any] | None:
    """Place that the public score has, or would have, among the teams of the leaderboard; None where either is not known."""
    if entry.public is None or not board:
        return None
    mine = as_shown(entry.public, board)
    better = sum((row["score"] > mine) == greater_is_better and row["score"] != mine for row in board)
    return {"rank": better + 1, "teams": len(board), "percentile": round(100 * (1 - better / len(board)), 1)}


def as_shown(score: float, board: Sequence[dict[str, Any]]) -> float:
    """The score with as many digits as the board shows: Codabench rounds its own to two."""
    digits = max(len(str(row["score"]).partition(".")[2]) for row in board)
    return round(score, digits)


def entry_lines(entry: Entry, board: Sequence[dict[str, Any]] | None, greater_is_better: bool) -> list[str]:
    """State, CV, forecast and public score side by side, rank, and what to do next."""
    intent = entry.intent
    lines = [
        f"entry {entry.id}:  {intent.run} -> {intent.platform}: {entry.state}" + (f", {entry.ref}" if entry.ref else "")
    ]
    if entry.detail and entry.state in (State.ERROR, State.UNKNOWN, State.QUEUED, State.REFUSED):
        lines.append(f"          {entry.detail}")
    if entry.public is not None:
        lines.append(f"          {_side_by_side(entry)}")
        place = rank_of(entry, board, greater_is_better)
        if place:
            lines.append(
                f"          rank {place['rank']} of {place['teams']} teams seen, percentile {place['percentile']}"
            )
    if entry.state in _NEXT:
        words, option = _NEXT[entry.state]
        lines.append(f"          {words}: python -m harness.submit {option}{carried('--out')}")
    return lines


def _side_by_side(entry: Entry) -> str:
    intent, parts = entry.intent, []
    if intent.cv is not None:
        parts.append(f"CV {intent.cv:.5f}")
    told = (intent.forecast or {}).get("public")
    if told:
        inside = "inside" if told["low"] <= entry.public <= told["high"] else "OUTSIDE"
        parts.append(f"forecast {told['score']:.5f} [{told['low']:.5f}, {told['high']:.5f}]: {inside}")
    parts.insert(0, f"public {intent.metric} {entry.public:.5f}")
    if entry.private is not None:
        parts.append(f"private {entry.private:.5f}")
    return ", ".join(parts)
