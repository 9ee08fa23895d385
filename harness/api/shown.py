"""What notebooks show: small tables, every word of them escaped, and pages in a frame of their own."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from harness.base.untrusted_text import plain


@dataclass(frozen=True)
class Page(os.PathLike[str]):
    """A page on the disk; a notebook shows it as the value of a cell, `open` takes the browser."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> Page:
        """Show it in the browser."""
        webbrowser.open(self.path.resolve().as_uri())
        return self

    def _repr_html_(self) -> str:
        """The page in a frame of its own: its styles and scripts reach nothing of the notebook."""
        page = escape(self.path.read_text(encoding="utf-8"), quote=True)
        shown = f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width:100%;height:600px;border:1px solid #8888"></iframe>'
        return f"{shown}<div>{escape(str(self.path))}</div>"


def html_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, foot: str = ""
) -> str:
    """A table in HTML.

    left : so many first columns are words, set to the left; the others are numbers
    foot : a line below it
    """
    head = f"<thead><tr>{_cells('th', header, left)}</tr></thead>" if any(header) else ""
    body = "".join(f"<tr>{_cells('td', row, left)}</tr>" for row in rows)
    caption = f'<caption style="text-align:left"><b>{_word(title)}</b></caption>'
    below = f"<div>{_word(foot)}</div>" if foot else ""
    return f"<div><table>{caption}{head}<tbody>{body}</tbody></table>{below}</div>"


def _cells(tag: str, texts: Sequence[str], left: int) -> str:
    sides = ["left" if number < left else "right" for number in range(len(texts))]
    return "".join(
        f'<{tag} style="text-align:{side}">{_word(text)}</{tag}>' for side, text in zip(sides, texts, strict=True)
    )


def _word(text: str) -> str:
    return escape(plain(text))
