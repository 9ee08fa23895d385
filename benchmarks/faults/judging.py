"""What is wrong at the end of a case."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from benchmarks.faults.answers import CONTROL, FORGED_LINE, KEYS, KINDS, SIGNATURE, TOKEN, USER, Case
from benchmarks.faults.platforms import Ordered


@dataclass
class Result:
    """What became of a case.

    sent : submissions on the server; states : of the ledger's entries; broken : where the server that plays the platform failed
    """

    name: str
    platform: str
    step: str
    kinds: list[str]
    open: bool
    sent: int
    states: list[str]
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


def entries(out: Path) -> list[Any]:
    from harness.ledger import open_ledger

    return open_ledger(out).entries()


def unfinished(out: Path) -> bool:
    """Whether --resume or --queued has something to do."""
    from harness.ledger import State
    from harness.ledger.entry import OPEN

    return any(entry.state in (*OPEN, State.QUEUED) for entry in entries(out))


def ledger_text(out: Path) -> str:
    """All texts in the ledger's tables."""
    path = out / "submissions" / "ledger.sqlite"
    if not path.is_file():
        return ""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for name in tables for row in connection.execute(f'SELECT * FROM "{name}"')]
    return "\n".join(value for row in rows for value in row if isinstance(value, str))


def judged(case: Case, server: Ordered, out: Path, said: str) -> Result:
    """What is wrong at the end of a case."""
    from harness.ledger import State
    from harness.ledger.entry import SPENT

    found, sent = entries(out), len(server.submissions)
    states, text = [entry.state for entry in found], said + "\n" + ledger_text(out)
    raw = b"".join(p.read_bytes() for p in (out / "submissions").glob("ledger.sqlite*")).decode("latin-1")
    forgotten = sent and not case.forget and not any(state in SPENT for state in states)
    claimed = not sent and any(state in (State.PENDING, State.COMPLETE) for state in states)
    scored_nothing = sent and len(server.hollow) == sent and State.COMPLETE in states
    wrong = {
        "double": sent > 1,
        "lost": bool(forgotten or claimed or scored_nothing),
        "leaked": any(piece in text or piece in raw for piece in secret_pieces(case.platform)),
        "control": bool(CONTROL.search(text) or FORGED_LINE.search(text)),
        "traceback": "Traceback (most recent call last)" in said,
    }
    kinds = [kind for kind in KINDS if wrong[kind]]
    broken = list(server.broken)
    return Result(case.name, case.platform, case.step, kinds, unfinished(out), sent, list(map(str, states)), broken)


def secret_pieces(platform: str, length: int = 12) -> set[str]:
    """Every stretch of that many characters of a secret, in any writing: half a secret is one too."""
    key = KEYS[platform]
    whole = {TOKEN, SIGNATURE, key, quote(key, safe=""), quote_plus(key), quote(key), html.escape(key)}
    whole |= {json.dumps(key)[1:-1], json.dumps(json.dumps(key))[3:-3]}
    whole |= {base64.b64encode(text.encode()).decode() for text in (key, TOKEN)}
    pair = base64.b64encode(f"{USER}:{key}".encode()).decode()
    whole.add(pair[4 * (len(USER) // 3 + 1) :])  # what comes before says no more than the name
    return {text[i : i + length] for text in whole for i in range(len(text) - length + 1)}
