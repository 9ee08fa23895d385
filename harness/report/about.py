"""What people call a run: about.json in its folder, with a name, a note and tags. It is no part of the run, and may be changed at any time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.untrusted_text import is_plain, plain

ABOUT = "about.json"
LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 80, 1000, 30, 20
_MOST_BYTES = 2**16


@dataclass(frozen=True)
class About:
    """What a person says of a run; "" and () where nothing was said."""

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    def changed(self, name: str | None = None, note: str | None = None, tags: Sequence[str] | None = None) -> About:
        """With what is given in place of what was said; None leaves it, "" (of tags: [""]) takes it away.

        Raises
        ------
        UserError
            If a text is too long, or is no plain line.
        """
        if name is not None:
            _check("--name", name, LONGEST_NAME)
        if note is not None:
            _check("--note", note, LONGEST_NOTE)
        kept = tuple(dict.fromkeys(filter(None, map(str.strip, tags)))) if tags else self.tags
        for tag in kept:
            _check("--tag", tag, LONGEST_TAG)
        if len(kept) > MOST_TAGS:
            raise UserError(f"--tag: {len(kept)} tags are too many for one run; give {MOST_TAGS} at most")
        return About(
            self.name if name is None else name.strip(), self.note if note is None else note.strip(), tuple(kept)
        )

    def line(self) -> str:
        """All of it in a line, as "name: note #tag"; "" where nothing was said."""
        said = ": ".join(filter(None, (self.name, self.note)))
        return " ".join(filter(None, (said, *(f"#{tag}" for tag in self.tags))))


def _check(option: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise UserError(f"{option}: has {len(text):,} characters, {longest:,} are the most. Shorten it")
    if not is_plain(text):
        raise UserError(f"{option} {plain(text, 100)}: must be one line without control characters")


def read_about(run: Path) -> About:
    """What is said of a run; nothing, where there is no such file or it holds something else."""
    path = run / ABOUT
    try:
        told = read_json(path) if path.stat().st_size <= _MOST_BYTES else None
    except (OSError, UserError):
        return About()
    return _about(told) if isinstance(told, dict) else About()


def save_about(run: Path, about: About) -> None:
    """Write it; no file where nothing is said."""
    if about == About():
        (run / ABOUT).unlink(missing_ok=True)
    else:
        write_json(run / ABOUT, dataclasses.asdict(about))


def _about(told: dict[str, Any]) -> About:
    def text(value: Any, longest: int) -> str:
        return plain(value)[:longest] if isinstance(value, str) else ""

    tags = told.get("tags") if isinstance(told.get("tags"), list) else []
    kept = tuple(filter(None, (text(tag, LONGEST_TAG) for tag in (tags or [])[:MOST_TAGS])))
    return About(text(told.get("name"), LONGEST_NAME), text(told.get("note"), LONGEST_NOTE), kept)
