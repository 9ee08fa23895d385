"""The commands and files that documents show: found, parsed as the commands themselves parse them, and run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

FENCE = re.compile(r"(?:^<!-- run: (\w+) -->\n)?^```(\w+)\n(.*?)^```$", flags=re.M | re.S)

PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md"), key=lambda page: ("tutorials" not in page.parts, page)),
    *sorted((REPOSITORY / "competitions").glob("*/README.md")),
    REPOSITORY / "CONTRIBUTING.md",
]
"""Every document with commands; those that are run come in the order of a reader."""


@dataclass(frozen=True)
class Block:
    """A block of code of a page.

    Attributes
    ----------
    page : the document
    kind : bash, toml, python, text, yaml
    text : what is in it
    place : where it is run (see `test_documents.py`), after a line <!-- run: PLACE -->; "" = it is only parsed
    """

    page: Path
    kind: str
    text: str
    place: str

    @property
    def where(self) -> str:
        """The page, for messages."""
        return self.page.relative_to(REPOSITORY).as_posix()

    @property
    def calls(self) -> list[list[str]]:
        """The command lines of a bash block, as words; continued lines are one, comments are left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(*pages: Path) -> list[Block]:
    """Of all documents, or of some."""
    return [
        Block(page, kind, text, place)
        for page in pages or PAGES
        for place, kind, text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def shown_calls() -> Iterator[tuple[str, list[str]]]:
    """Every command line that is shown, with its page: of the blocks, and those within a line (`python -m harness...`)."""
    for block in blocks():
        if block.kind == "bash":
            yield from ((block.where, words) for words in block.calls)
    for page in PAGES:
        for call in re.findall(r"`(python -m \w[^`]*)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
            yield page.relative_to(REPOSITORY).as_posix(), shlex.split(call)
