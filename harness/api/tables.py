"""Small tables for notebooks; every word in them is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from harness.base.untrusted_text import plain


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
