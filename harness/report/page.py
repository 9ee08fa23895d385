"""A self-contained HTML page: one file with its style and small scripts (`web`), and links to the pages beside it (`links`) alone.

Whoever looks without the scripts sees the same rows, figures and pictures: they sort and filter tables and galleries, enlarge pictures, and say
the values of figures.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.untrusted_text import shown
from harness.report.gallery import Shot, embedded
from harness.report.links import publish
from harness.report.svg import inlined

TABLE_IN_FULL, TABLE_SHORT, TABLE_ROWS = 40, 20, 1000
"""Rows up to which a table that may be long is shown in full on a page and a terminal; how many of a longer one a terminal shows, and a
page at most."""

GALLERY_IN_FULL = 24
"""Pictures up to which a gallery is shown in full; one of more has a box of its own, which scrolls."""

WEB = Path(__file__).with_name("web")
"""Templates, style and scripts."""

_SENTENCE, _LONG_WORD = 40, 24  # characters beyond which a cell is a sentence, and a word does not fit a column
_BREAKS = re.compile(r"[\s-]")
_MISSING = ("", "-", "nan")
_NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d+)?([eE][+-]?\d+)?(?=$|[ ,;:])")
_SPREAD = re.compile(r"(\S+) (\[.*\]|\+- .*)")


_SCRIPTS = {"gallery": "gallery.js", "figure": "figure.js"}
"""What a page has besides page.js where it has such blocks."""


@dataclass
class Section:
    """A heading with blocks below it; blocks are added in reading order."""

    title: str
    blocks: list[dict[str, Any]] = field(default_factory=list)

    def text(self, text: str) -> Section:
        """Add a paragraph; escaped."""
        self.blocks.append({"kind": "text", "text": text})
        return self

    def code(self, text: str, title: str = "") -> Section:
        """Add preformatted text; escaped. Under a title it is folded away, to be opened by a click."""
        self.blocks.append({"kind": "code", "text": text, "title": title})
        return self

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        total: int = 0,
        folded: bool = False,
        left: int = 1,
        caption: str = "",
    ) -> Section:
        """A table; columns of numbers are set to the right, others to the left.

        Parameters
        ----------
        total : so many last rows sum up the others: they are set off, and stay last however the table is sorted
        folded : of more than 40 rows the table has a box of its own, which scrolls; rows beyond 1,000 are left out, and it says so
        left : so many first columns are names, whatever they look like
        caption : what it shows, where that is not the section's title

        Raises
        ------
        ValueError
            If a column has no heading.
        """
        if not all(map(str.strip, header)):
            raise ValueError(f"a column of the table in '{self.title}' has no heading: {list(header)}")
        body, foot = rows[: len(rows) - total], rows[len(rows) - total :]
        long = folded and len(rows) > TABLE_IN_FULL
        note = f"{len(rows):,} rows" if long else ""
        if long and len(body) > TABLE_ROWS:
            note = f"{TABLE_ROWS:,} of {len(rows):,} rows; {len(rows) - TABLE_ROWS:,} more are left out of this page"
            body = body[:TABLE_ROWS]
        self.blocks.append(
            {
                "kind": "table",
                "header": header,
                "parts": [("tbody", body), *([("tfoot", foot)] if foot else [])],
                "kinds": [_kind([row[i] for row in body], i < left) for i in range(len(header))],
                "long": long,
                "caption": caption,
                "note": ": ".join(filter(None, (caption, note))),
            }
        )
        return self

    def figure(self, svg: bytes, caption: str) -> Section:
        """Add an SVG of `harness.report.figures` with its caption; it takes the page's colours."""
        self.blocks.append({"kind": "figure", "svg": svg, "caption": caption})
        return self

    def gallery(self, images: np.ndarray | Sequence[np.ndarray], shots: Sequence[Shot | str]) -> Section:
        """Pictures that can be filtered by what is known of them, and enlarged.

        images : n uint8 arrays (H, W, C); shots : n captions, or what else is known of each
        """
        told = [Shot(shot) if isinstance(shot, str) else shot for shot in shots]
        items = [{"image": np.asarray(i), "shot": s} for i, s in zip(images, told, strict=True)]
        self.blocks.append({"kind": "gallery", "items_": items, "long": len(items) > GALLERY_IN_FULL})
        return self


@dataclass
class Page:
    """A page: title, one sentence, warnings, cards with the key numbers, sections.

    script : of a page that is served: it stands beside the one that all have, and may ask for what its own server gives
    """

    title: str
    lead: str
    warnings: list[str] = field(default_factory=list)
    cards: list[dict[str, str]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    script: str = ""

    def card(self, label: str, value: str, note: str = "") -> None:
        """Add a figure of note at the top."""
        self.cards.append({"label": label, "value": value, "note": note})

    def section(self, title: str) -> Section:
        """Begin a section; returns it."""
        self.sections.append(Section(title))
        return self.sections[-1]

    def html(self) -> str:
        """The page's text; whatever is put into it is escaped, and plain (`harness.base.untrusted_text`)."""
        from markupsafe import Markup

        sections, used = self._ready(), {"page.js"}
        used |= {_SCRIPTS[block["kind"]] for s in sections for block in s["blocks"] if block["kind"] in _SCRIPTS}
        scripts = [(WEB / name).read_text(encoding="utf-8") for name in ("page.js", *_SCRIPTS.values()) if name in used]
        scripts += [self.script] if self.script else []
        digests = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts]
        html: str = template(WEB / "page.html").render(
            title=self.title,
            lead=self.lead,
            warnings=self.warnings,
            cards=self.cards,
            sections=sections,
            scripts=list(map(Markup, scripts)),
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(digests)}"
            + ("; connect-src 'self'" if self.script else ""),
        )
        return html

    def _ready(self) -> list[dict[str, Any]]:
        """The sections as the template takes them: figures ready to stand in HTML, each with names of its own, and pictures embedded."""
        from markupsafe import Markup

        pictures = [
            item["image"] for s in self.sections for b in s.blocks if b["kind"] == "gallery" for item in b["items_"]
        ]
        sources, sections, n = iter(embedded(pictures)), [], 0
        for section in self.sections:
            blocks = []
            for block in section.blocks:
                if block["kind"] == "figure":
                    n += 1
                    block = block | {"svg": Markup(inlined(block["svg"], f"f{n}-", block["caption"]))}
                elif block["kind"] == "gallery":
                    block = block | {"items_": [item | {"source": next(sources)} for item in block["items_"]]}
                blocks.append(block)
            sections.append({"title": section.title, "blocks": blocks})
        return sections

    def write(self, path: Path) -> None:
        """Write the page as one HTML file, whole or not at all, and link it with those beside it."""
        publish(path, self.html())


@functools.cache
def template(path: Path) -> Any:
    """A jinja2 template, which may include what lies beside it or in harness/report/web; whatever is put into it is escaped and plain.

    Compiled once: that takes longer than to fill it in."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, WEB]),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters["together"] = _together
    return environment.get_template(path.name)


def _kind(cells: Sequence[str], are_names: bool) -> str:
    """The class of a column in page.css: "n" numbers, "w" sentences, which want room, "l" words to be broken anywhere, "" other words."""
    there = [cell.strip() for cell in cells if cell.strip().lower() not in _MISSING]
    if there and not are_names and all(map(_NUMBER.match, there)):
        return "n"
    if max((len(word) for cell in there for word in _BREAKS.split(cell)), default=0) > _LONG_WORD:
        return "l"
    return "w" if max(map(len, there), default=0) > _SENTENCE else ""


def _together(cell: Any) -> Any:
    """A cell whose interval or spread, where it does not fit beside its value, goes to the next line as a whole."""
    from markupsafe import Markup

    found = _SPREAD.fullmatch(cell) if isinstance(cell, str) else None
    return Markup('{} <span class="i">{}</span>').format(shown(found[1]), shown(found[2])) if found else cell
