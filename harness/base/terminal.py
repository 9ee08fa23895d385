"""The last door to the terminal: what commands print, in tables and in lines.

While a command runs, `sys.stdout` and `sys.stderr` are `PlainStream`s: whatever is printed, and by whom, holds no sequence that steers a
terminal. Only rich, which has to colour and to draw bars, writes past them; its texts go through `table` and `shown` here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from harness.base.untrusted_text import plain, shown

_heard = threading.Event()
"""Set once the running command has written something."""


class PlainStream:
    """A text stream that writes out control characters, and what its encoding lacks, as escapes."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write text made plain, in characters that the stream can encode, wrapped on a terminal; returns the length of `text`."""
        if text:
            _heard.set()
        told = encodable(shown(text), self.raw)
        self.raw.write("\n".join(hanging(line, _columns()) for line in told.split("\n")) if self.raw.isatty() else told)
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


_LABEL = re.compile(r" {4,}(?=[^\s\"'#={}\[\]│])| *[^\s\"'#={}\[\]:][^\"'#={}\[\]:\n]{0,40}: +")
_DEEPEST = 14  # columns that lines below the first are set in by at most
_TYPED = re.compile(r"(?:python -m |harness |pip install |eval )")


def hanging(line: str, width: int) -> str:
    """A line that says what it is about before a colon ("note: ...", "OOF: ..."), over as many as it takes, the others set in below it; so of a line that goes on below such a label.

    All else is left as it is (JSON, TOML, tables), and so is a command from its first word on: what is to be typed must not be broken.
    """
    label = _LABEL.match(line)
    if label is None or _length(line) <= width:
        return line
    deep = len(label[0]) if len(label[0]) <= _DEEPEST else 2
    typed = _TYPED.search(line, label.end())
    prose, command = (line[: typed.start()], line[typed.start() :]) if typed else (line, "")
    lines = [""]
    for word in [
        label[0],
        *re.findall(r"\[[^\[\]]{0,40}\] *|\S+ *", prose[label.end() :]),
        *([command] if command else []),
    ]:
        if lines[-1].strip() and _length((lines[-1] + word).rstrip()) > width:
            lines.append(" " * deep)
        lines[-1] += word
    return "\n".join(found.rstrip() for found in lines)


def _columns() -> int:
    return max(shutil.get_terminal_size().columns, _NARROWEST)


SLOW = 4.0
"""Seconds of silence at a command's start, while libraries are loaded, after which it says that it is at work."""


@contextlib.contextmanager
def heard_soon() -> Iterator[None]:
    """Say that it begins, where this block has written nothing for a while; only its first word is waited for."""
    _heard.clear()
    timer = threading.Timer(SLOW, lambda: None if _heard.is_set() else note("loading ..."))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


_quiet = False


@contextlib.contextmanager
def quietly(quiet: bool = True) -> Iterator[None]:
    """Without progress and notes in this block, where `quiet`; what is asked for, warnings and errors are printed all the same."""
    global _quiet
    before, _quiet = _quiet, _quiet or quiet
    try:
        yield
    finally:
        _quiet = before


def is_quiet() -> bool:
    """Whether progress and notes are unwanted (`quietly`)."""
    return _quiet


def note(text: str) -> None:
    """Print a line to stderr, where progress goes; nothing, where it is to be quiet."""
    if not _quiet:
        print(text, file=sys.stderr, flush=True)


def console(stderr: bool = False, **options: Any) -> Any:
    """A rich console on the stream itself; give it only texts that `plain` or `shown` made."""
    from rich.console import Console

    _heard.set()
    stream = sys.stderr if stderr else sys.stdout
    plain_text: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    # in a notebook rich would show what it is to write, whatever the file
    return Console(file=getattr(stream, "raw", stream), force_jupyter=False, **plain_text, **options)


def table_width(default: int) -> int:
    """Columns that a table may take: $COLUMNS, else the terminal's, else `default` (a pipe or a file, which has no width)."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return max(int(told), _NARROWEST)
    return int(console().width) if sys.stdout.isatty() else default


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

    What is too wide is stacked, and nothing is cut: words under each other, an interval under its number, and columns that do not fit
    beside the others in a table of their own below, by the same names or by the numbers of the rows.

    Parameters
    ----------
    left : so many first columns are names, set to the left; the others are numbers
    bold : rows that stand out
    line_before_last : so many last rows are set off by a line
    width : in columns, where stdout is no terminal and $COLUMNS is not set
    """
    width = table_width(width)
    for table in _tables(header, rows, title, left, bold, line_before_last, width):
        console(width=max(width, _width_of(table))).print(table)


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> list[str]:
    """The same as lines of text, without colours."""
    import io

    from rich.console import Console

    text, width = io.StringIO(), table_width(240)
    for table in _tables(header, rows, title, 1, (), 0, width):
        out = Console(
            file=text,
            width=max(width, _width_of(table)),
            markup=False,
            emoji=False,
            highlight=False,
            force_jupyter=False,
        )
        out.print(table)
    return [line.rstrip() for line in text.getvalue().rstrip("\n").split("\n")]


_NARROWEST = 40
_SHORT = 24  # names that take no more are repeated beside the columns of each table
_LINES = 3  # a column's share of the lines between columns, and the blanks beside them


@dataclass(frozen=True)
class _Column:
    """A column as a table shows it: its cells in lines, none of which is broken further."""

    name: list[str]
    cells: list[list[str]]
    is_left: bool
    whole: _Column | None = None  # the same with no cell broken

    @property
    def width(self) -> int:
        return max(_length(line) for cell in (self.name, *self.cells) for line in cell)

    @property
    def gain(self) -> int:
        """How much narrower it is than unbroken."""
        return self.whole.width - self.width if self.whole else 0


def _tables(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None,
    left: int,
    bold: Sequence[int],
    line_before_last: int,
    width: int,
) -> list[Any]:
    """One table, or as many as it takes where the columns do not fit side by side."""
    blocks = _blocks(header, rows, left, width)
    return [
        _table(block, len(rows), title if number == 0 else None, bold, line_before_last)
        for number, block in enumerate(blocks)
    ]


def _blocks(header: Sequence[str], rows: Sequence[Sequence[str]], left: int, width: int) -> list[list[_Column]]:
    """The columns of each table: of the ways to break cells the mildest that needs the fewest tables."""
    table = [[_cell(name), *(_cell(row[number]) for row in rows)] for number, name in enumerate(header)]
    keys = left if left < len(header) else 1
    ways = []
    for names, others in ((False, False), (False, True), (True, True)):
        columns = [
            _column(cells, number < left, width, names if number < keys else others, names)
            for number, cells in enumerate(table)
        ]
        ways.append(_side_by_side(columns, keys, width))
    best = min(ways, key=lambda blocks: (sum(_over(block, width) for block in blocks), len(blocks)))
    return [_mended(block, width) for block in best]


def _side_by_side(columns: list[_Column], keys: int, width: int) -> list[list[_Column]]:
    """The columns in as few tables as they fit into; each begins with the names, or with the rows' numbers where names are long."""
    names = columns[:keys]
    if not _over(columns, width):
        return [columns]
    if sum(column.width for column in names) > min(_SHORT, width // 4):
        names = [_Column(["#"], [[str(number)] for number in range(1, len(columns[0].cells) + 1)], False)]
        blocks = [[*names, *columns[:keys]]]
    else:
        blocks = [names]
    for column in columns[keys:]:
        if len(blocks[-1]) > len(names) and _over([*blocks[-1], column], width):
            blocks.append(names)
        blocks[-1] = [*blocks[-1], column]
    return blocks


def _mended(columns: list[_Column], width: int) -> list[_Column]:
    """The same with as many columns unbroken as there is room for."""
    for number in sorted(range(len(columns)), key=lambda number: columns[number].gain):
        tried = [*columns[:number], columns[number].whole or columns[number], *columns[number + 1 :]]
        columns = columns if _over(tried, width) else tried
    return columns


def _over(columns: Sequence[_Column], width: int) -> int:
    """How much wider a table of them is than it may be."""
    return max(sum(column.width + _LINES for column in columns) + 1 - width, 0)


def _column(cells: Sequence[str], is_left: bool, width: int, broken: bool, at_hyphens: bool) -> _Column:
    """A column in lines; broken: as narrow as its longest piece (prose: a third of the width)."""
    whole = _Column([cells[0]], [[cell] for cell in cells[1:]], is_left)
    if not broken:
        return whole
    pieces = [_pieces(cell, at_hyphens) for cell in cells]
    narrow = max((_length(piece.strip()) for cell in pieces for piece in cell), default=1)
    if max(map(len, pieces[1:]), default=0) > 3:
        narrow = max(narrow, width // 3)
    filled = [_filled(cell, narrow) for cell in pieces]
    return _Column(filled[0], filled[1:], is_left, whole)


def _pieces(text: str, at_hyphens: bool) -> list[str]:
    """What may stand on a line of its own: words, intervals in brackets, "+- 0.1"; parts of long names, if need be."""
    pieces: list[str] = []
    for found in re.finditer(r"\([^()]*\)|\[[^\[\]]*\]|\+- \S+|[\d,.]+ : [\d,.]+|[\d,.]+ %|\S+", text):
        piece = found[0]
        is_name = at_hyphens and re.search("[a-z]", piece) and "[" not in piece and len(piece) > 12
        parts = re.split(r"(?<=[0-9A-Za-z]-)(?=[0-9A-Za-z])", piece) if is_name else [piece]
        pieces += [*parts[:-1], parts[-1] + " "]
    return pieces or [""]


def _filled(pieces: Sequence[str], width: int) -> list[str]:
    lines = [""]
    for piece in pieces:
        if lines[-1] and _length((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _length(text: str) -> int:
    """Columns that a text takes: two for each wide character."""
    from rich.cells import cell_len

    return int(cell_len(text))


def _width_of(table: Any) -> int:
    return int(sum(column.min_width + _LINES for column in table.columns)) + 1


def _table(
    columns: Sequence[_Column], n_rows: int, title: str | None, bold: Sequence[int], line_before_last: int
) -> Any:
    from rich.table import Table
    from rich.text import Text

    stacked = 2 * sum(any(len(c.cells[n]) > 1 for c in columns) for n in range(n_rows)) > n_rows
    table = Table(title=Text(_cell(title)) if title else None, title_justify="left", show_lines=stacked)
    for column in columns:
        side: Any = "left" if column.is_left else "right"
        table.add_column(Text("\n".join(column.name)), justify=side, no_wrap=True, min_width=column.width)
    for number in range(n_rows):
        ends = bool(line_before_last) and number == n_rows - line_before_last - 1
        cells = [Text("\n".join(column.cells[number])) for column in columns]
        table.add_row(*cells, style="bold" if number in bold else None, end_section=ends)
    return table


def _cell(text: str) -> str:
    """Plain, and within what stdout can write."""
    return encodable(plain(text), sys.stdout)
