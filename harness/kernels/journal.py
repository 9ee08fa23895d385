"""The journal of a job: each step on a line of its own, on the disk before the next one begins.

{"step": "pushing", "session": 1, "name": ..., "tag": ...}   before the call: from here on it may run
{"step": "pushed", "session": 1, "version": 1, "url": ...}   Kaggle has it
{"step": "absent", "session": 1}                             the call ended without an answer, and it is not there
{"step": "ended", "session": 1, "how": ..., "said": ...}     the session is over: done, time, error, cancelled, lost
{"step": "placed", "session": 1, "run": ...}                 its files are in place
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.storage.atomic_files import explain_disk_errors
from harness.base.storage.lock import alone_in


@dataclass(frozen=True)
class Session:
    """A session as the journal knows it.

    Attributes
    ----------
    number : from 1; name : of its notebook; tag : in its text
    step : the last one; how : it ended, "" before; said : what was said then
    url : its page; version : of the notebook, 0 before it is known; run : what was put in place; fresh : whether it begins anew, whatever earlier ones saved
    saved : whether it left something to go on from
    """

    number: int
    name: str
    tag: str
    step: str
    how: str = ""
    said: str = ""
    url: str = ""
    run: str = ""
    fresh: bool = False
    saved: bool = False
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it may run."""
        return self.step in ("pushing", "pushed")


class Journal:
    """The journal of a job in a folder; one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "journal.jsonl"

    def add(self, step: str, session: int, **told: Any) -> None:
        """Write a step; it is on the disk when this returns."""
        line = {"step": step, "session": session, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **told}
        with explain_disk_errors(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            torn = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("\n" if torn and self.path.stat().st_size else "") + json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())

    @property
    def sessions(self) -> list[Session]:
        """In order; a line that a kill cut off counts as not written."""
        found: dict[int, dict[str, Any]] = {}
        for line in self._lines():
            found.setdefault(line["session"], {}).update(line)
        known = Session.__dataclass_fields__
        return [
            Session(number=number, **{k: v for k, v in told.items() if k in known and k != "number"})
            for number, told in sorted(found.items())
            if {"name", "tag", "step"} <= set(told)
        ]

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.is_file():
            return
        for text in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict) and isinstance(line.get("session"), int):
                    yield line

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep two processes from pushing the same job; the lock goes with the process.

        Raises
        ------
        UserError
            If another one follows it now.
        """
        with alone_in(self.folder, "follows this job"):
            yield
