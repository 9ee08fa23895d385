"""A self-contained HTML page: one file, no script, no link to anything outside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.pictures import as_picture
from harness.base.storage.atomic_files import write_text
from harness.base.untrusted_text import shown

TABLE_IN_FULL, TABLE_SHORT, TABLE_ROWS = 40, 20, 1000
"""Rows up to which a table that may be folded is shown in full, else how many of them are, and how many it has at most."""


@dataclass
class Section:
    """A heading with blocks below it; blocks are added in reading order."""

    title: str
    blocks: list[dict[str, Any]] = field(default_factory=list)

    def text(self, text: str) -> Section:
        """Add a paragraph; escaped."""
        self.blocks.append({"kind": "text", "text": text})
        return self

    def code(self, text: str) -> Section:
        """Add preformatted text; escaped."""
        self.blocks.append({"kind": "code", "text": text})
        return self

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        total: bool = False,
        folded: bool = False,
        left: int = 1,
    ) -> Section:
        """A table.

        Parameters
        ----------
        total : set the last row off from the others
        folded : of more than 40 rows all but the first 20 are folded away, to be opened by a click or by a search in the page; those beyond
            1,000 are left out, and it says so
        left : so many first columns are names, set to the left
        """
        most = len(rows) if not folded or len(rows) <= TABLE_IN_FULL else TABLE_SHORT
        rest = rows[most:TABLE_ROWS]
        left_out = (
            f"; {len(rows) - TABLE_ROWS:,} more are left out of this page" if len(rows) > TABLE_ROWS and rest else ""
        )
        self.blocks.append(
            {
                "kind": "table",
                "header": header,
                "parts": [rows[:most], rest] if rest else [rows],
                "more": f"the next {len(rest):,} of {len(rows):,}{left_out}",
                "total": total,
                "left": left,
            }
        )
        return self

    def figure(self, svg: bytes, caption: str) -> Section:
        """Add an SVG with its caption."""
        self.blocks.append({"kind": "figure", "source": _data_uri(svg, "image/svg+xml"), "caption": caption})
        return self

    def gallery(self, images: np.ndarray, captions: Sequence[str]) -> Section:
        """images : uint8 (n, H, W, C); captions : n strings."""
        items = [{"source": _png(i), "caption": c} for i, c in zip(images, captions, strict=True)]
        self.blocks.append({"kind": "gallery", "items_": items})
        return self


@dataclass
class Page:
    """A page: title, one sentence, warnings, cards with the key numbers, sections."""

    title: str
    lead: str
    warnings: list[str] = field(default_factory=list)
    cards: list[dict[str, str]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def card(self, label: str, value: str, note: str = "") -> None:
        """Add a figure of note at the top."""
        self.cards.append({"label": label, "value": value, "note": note})

    def section(self, title: str) -> Section:
        """Begin a section; returns it."""
        self.sections.append(Section(title))
        return self.sections[-1]

    def html(self) -> str:
        """The page's text; whatever is put into it is escaped, and plain (`harness.base.untrusted_text`)."""
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            trim_blocks=True,
            undefined=jinja2.StrictUndefined,
            finalize=lambda value: shown(value) if isinstance(value, str) else value,
        )
        return environment.get_template("page.html").render(
            title=self.title, lead=self.lead, warnings=self.warnings, cards=self.cards, sections=self.sections
        )

    def write(self, path: Path) -> None:
        """Write the page as one HTML file, whole or not at all."""
        write_text(path, self.html())


def _data_uri(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _png(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    as_picture(image).save(buffer, "PNG")
    return _data_uri(buffer.getvalue(), "image/png")
