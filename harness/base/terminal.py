"""The last door to the terminal: what commands print, in tables and in lines.

While a command runs, `sys.stdout` and `sys.stderr` are `PlainStream`s: whatever is printed, and by whom, holds no sequence that steers a
terminal. Only rich, which has to colour and to draw bars, writes past them; its texts go through `table` and `shown` here.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from harness.base.untrusted_text import plain, shown


class PlainStream:
    """A text stream that writes out control characters, and what its encoding lacks, as escapes."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write text made plain, in characters that the stream can encode; returns the length of `text`."""
        self.raw.write(encodable(shown(text), self.raw))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        """Write several texts, each as `write` does."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def encodable(text: str, stream: TextIO) -> str:
    """The text as the stream's encoding can take it: an ASCII terminal gets escapes, not an error."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Let everything that is printed in this block go through `PlainStream`s."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (s if s is None or isinstance(s, PlainStream) else PlainStream(s) for s in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def console(stderr: bool = False, **options: Any) -> Any:
    """A rich console on the stream itself; give it only texts that `plain` or `shown` made."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    plain_text: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    # in a notebook rich would show what it is to write, whatever the file
    return Console(file=getattr(stream, "raw", stream), force_jupyter=False, **plain_text, **options)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    left: int = 1,
    bold: Sequence[int] = (),
    line_before_last: int = 0,
    width: int = 240,
) -> None:
    """Print a table to stdout; nothing in a cell is taken for markup.

    Parameters
    ----------
    left : so many first columns are names, set to the left; the others are numbers
    bold : rows that stand out
    line_before_last : so many last rows are set off by a line
    width : in columns, where stdout is no terminal
    """
    console(width=None if sys.stdout.isatty() else width).print(
        _table(header, rows, title, left, bold, line_before_last)
    )


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> list[str]:
    """The same as lines of text, without colours."""
    import io

    from rich.console import Console

    text = io.StringIO()
    out = Console(file=text, width=240, markup=False, emoji=False, highlight=False, force_jupyter=False)
    out.print(_table(header, rows, title, 1, (), 0))
    return [line.rstrip() for line in text.getvalue().rstrip("\n").split("\n")]


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None,
    left: int,
    bold: Sequence[int],
    line_before_last: int,
) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(_cell(title)) if title else None, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(Text(_cell(name)), justify="left" if number < left else "right", no_wrap=True)
    for number, row in enumerate(rows):
        ends = bool(line_before_last) and number == len(rows) - line_before_last - 1
        table.add_row(
            *(Text(_cell(value)) for value in row), style="bold" if number in bold else None, end_section=ends
        )
    return table


def _cell(text: str) -> str:
    """Plain, and within what stdout can write."""
    return encodable(plain(text), sys.stdout)
