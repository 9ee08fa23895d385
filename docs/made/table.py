"""Tables of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown; a line break in a cell becomes a blank, a bar is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def code(text: object) -> str:
    """Text set as code; "" stays empty."""
    return f"`{text}`" if str(text) else ""


def prose(text: str | None) -> str:
    """Text of a docstring as Markdown: what Markdown would take for its own is escaped, outside of backquotes."""
    parts = (text or "").split("`")
    parts[::2] = [re.sub(r"([*_<>\[\]{}])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
