"""What the ledger holds of a submission."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a submission stands; each change is an event of its own, and none is ever taken back."""

    QUEUED = "queued"
    """Checked and kept for later: no credentials, no network, or no quota left."""
    INTENT = "intent"
    """About to be sent: from here on it may have been spent."""
    UPLOADED = "uploaded"
    """The file is on the platform; the submission itself is not made yet."""
    UNKNOWN = "unknown"
    """The final call ended without a clear answer, and the platform does not list it (yet)."""
    PENDING = "pending"
    """The platform has it; no score yet."""
    COMPLETE = "complete"
    """Scored."""
    ERROR = "error"
    """The platform took it and could not score it."""
    REFUSED = "refused"
    """The platform did not take it: nothing was spent."""


SPENT = (State.UNKNOWN, State.PENDING, State.COMPLETE, State.ERROR)
"""States in which a submission may count against the quota."""

OPEN = (State.INTENT, State.UPLOADED, State.UNKNOWN, State.PENDING)
"""States that --resume goes on from."""


@dataclass(frozen=True)
class Notebook:
    """A version of a notebook on Kaggle, and the file that it writes: what a code competition takes.

    Its text, "notebook:OWNER/NAME@VERSION/FILE", stands in the ledger where another submission has its file.
    """

    owner: str
    name: str
    version: int
    output: str

    def __str__(self) -> str:
        return f"notebook:{self.owner}/{self.name}@{self.version}/{self.output}"

    @classmethod
    def parse(cls, text: str) -> Notebook | None:
        """Of its text; None where it is none."""
        found = re.fullmatch(r"notebook:([\w-]+)/([\w-]+)@(\d+)/([\w. -]+)", text)
        return cls(found[1], found[2], int(found[3]), found[4]) if found else None


@dataclass(frozen=True)
class Intent:
    """What is about to be sent.

    Attributes
    ----------
    competition, platform : slug; platform, with its phase where it has any ("codabench:9")
    run : name of the run, ensemble or file; members : its runs
    file : path, or a `Notebook`; sha256 : of its bytes; labels : hash of (id, label) lines, the same for files that say the same
    rows : of the file
    message : as the platform shows it; tag : what is looked for in listings (part of the message)
    metric, cv : OOF score with its 95 % interval cv_low, cv_high; None for a file from elsewhere
    forecast : `Forecast.summary()`, or None
    git_commit : of the harness
    folder : of the competition, absolute; "" in entries of before it was kept
    """

    competition: str
    platform: str
    run: str
    members: tuple[str, ...]
    file: str
    sha256: str
    labels: str
    rows: int
    message: str
    tag: str
    metric: str
    cv: float | None = None
    cv_low: float | None = None
    cv_high: float | None = None
    forecast: dict[str, Any] | None = None
    git_commit: str | None = None
    folder: str = ""


@dataclass(frozen=True)
class Entry:
    """An intent and what became of it.

    Attributes
    ----------
    id : of the entry
    created, changed : UTC, ISO 8601
    state, ref : the last known ones; ref is the platform's own number, "" before there is one
    public, private : scores, None before there are any
    detail : what the last event said (the reason of an error, the platform's answer)
    event : number of the last event: who writes after it can tell whether somebody else did
    """

    id: int
    intent: Intent
    created: str
    changed: str
    state: State
    ref: str
    public: float | None
    private: float | None
    detail: str
    event: int
