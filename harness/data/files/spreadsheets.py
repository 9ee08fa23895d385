"""Tables of a spreadsheet program, .xlsx: the first sheet that holds a table, as rows of cells."""

from __future__ import annotations

import datetime
import io
import itertools
import warnings
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from harness.base.errors import UserError, needs
from harness.base.storage.damage import DAMAGED, is_of_content
from harness.base.untrusted_text import plain
from harness.data.files.arrays import read_whole

ENDINGS = (".xlsx", ".xls", ".ods")
"""Of which the first alone is read; the others are refused with the cure."""
_MOST, _MOST_UNPACKED = 1 << 28, 1 << 30  # bytes
_MOST_LINES, _MOST_COLUMNS, _MOST_CELLS = 1 << 20, 1 << 14, 1 << 24  # the first two are Excel's own
_OLE = b"\xd0\xcf\x11\xe0"  # an old .xls, or an .xlsx that a password protects
_ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")

Lines = list[tuple[int, list[Any]]]


def read_sheet(file: IO[bytes], ending: str, shown: str) -> tuple[list[Any], list[list[Any]], str]:
    """Header, rows, and the place in words, of the first sheet that holds a table; cells as they are, of formulas their last result.

    A sheet with one column or one line, as of notes, and a hidden one come after all others. Lines without a cell are left out, and columns
    at the end in which nothing stands. Dates without a time are text, '2026-01-31'.

    Raises
    ------
    UserError
        If it is no such file, is larger than 1 GiB unpacked or 16 million cells, holds nothing, a cell stands under no name, holds an error or a
        formula whose result was not saved (says where).
    """
    if ending != ".xlsx":
        raise UserError(f"{shown}: {ending} is not read. Save it as CSV or .xlsx, and name that in competition.toml.")
    with needs("an .xlsx file", "openpyxl"):
        import openpyxl  # noqa: F401
    try:
        content = read_whole(file, _MOST)
        if content.startswith(_OLE):
            raise UserError(
                f"{shown}: is protected by a password, or an old .xls. Save it as .xlsx without one, or as CSV."
            )
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > _MOST_UNPACKED:
            raise ValueError(f"{unpacked:,} bytes unpacked; at most {_MOST_UNPACKED:,} are read")
        name, lines = _first_table(content)
        place = f"{shown}, sheet '{plain(name, 40)}'"
        header, rows = _table(lines, place) if lines else ([], [])
        if lines:
            _refuse_unsaved(content, name, lines, place)
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and not is_of_content(error):
            raise
        raise UserError(
            f"{shown}: cannot be read as .xlsx ({plain(error, 200)}). Download it again if it is cut off, or save it as CSV."
        ) from error
    if not lines:
        raise UserError(f"{shown}: no sheet of it holds anything. Name another file in competition.toml.")
    return header, rows, place


def _first_table(content: bytes) -> tuple[str, Lines]:
    """Name and lines of the first sheet that holds a table; where none does, of the first that holds anything."""
    found: list[tuple[bool, str, Lines]] = []
    for name, is_hidden, rows in _sheets(content, results=True):
        lines = _lines(rows)
        is_table = len(lines) > 1 and max(len(row) for _, row in lines) > 1
        if is_table and not is_hidden:
            return name, lines
        if lines:
            found.append((is_hidden, name, lines))
    return min(found, key=lambda sheet: sheet[0])[1:] if found else ("", [])


def _sheets(content: bytes, results: bool) -> Iterator[tuple[str, bool, Iterator[tuple[Any, ...]]]]:
    """Name of each sheet, whether it is hidden, and its rows, with the results of formulas or the formulas themselves."""
    import openpyxl

    with warnings.catch_warnings():  # of styles and validations, which are not read
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=results)
        try:
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what a file says of its size may be wrong
                yield sheet.title, sheet.sheet_state != "visible", sheet.iter_rows(values_only=True)
        finally:
            book.close()


def _lines(rows: Iterator[tuple[Any, ...]]) -> Lines:
    """The lines that hold anything, numbered from 1, without the empty cells at their end."""
    found: Lines = []
    cells = 0
    for number, row in enumerate(rows, start=1):
        if number > _MOST_LINES or len(row) > _MOST_COLUMNS:
            raise ValueError(f"line {number:,} has {len(row):,} columns; {_MOST_LINES:,} by {_MOST_COLUMNS:,} are read")
        if line := _cut([_tidied(cell) for cell in row]):
            found.append((number, line))
            cells += len(line)
        if cells > _MOST_CELLS:
            raise ValueError(f"more than {_MOST_CELLS:,} cells")
    return found


def _tidied(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date()
    return None if isinstance(cell, str) and not cell.strip() else cell


def _cut(row: list[Any]) -> list[Any]:
    while row and row[-1] is None:
        row.pop()
    return row


def _table(lines: Lines, place: str) -> tuple[list[Any], list[list[Any]]]:
    header = lines[0][1]
    rows = []
    for number, row in lines[1:]:
        if len(row) > len(header):
            raise UserError(
                f"{place}: line {number} has a value in column {len(row)} ({plain(row[-1], 40)}), the header ends at column {len(header)}. "
                "Give the column a name, or clear it."
            )
        wrong = next((column for column, cell in enumerate(row) if isinstance(cell, str) and cell in _ERRORS), None)
        if wrong is not None:
            raise UserError(
                f"{place}: line {number}, column '{plain(header[wrong], 40)}' holds the error {row[wrong]}. Correct it, or clear the cell."
            )
        rows.append(row + [None] * (len(header) - len(row)))
    return header, rows


def _refuse_unsaved(content: bytes, name: str, lines: Lines, place: str) -> None:
    """Refuse a formula of which the file has no result: its cell would be taken for an empty one (UserError)."""
    header = lines[0][1]
    if all(len(row) == len(header) and None not in row for _, row in lines):
        return
    known = dict(lines)
    for sheet, _, rows in _sheets(content, results=False):
        for number, row in enumerate(itertools.islice(rows, lines[-1][0]) if sheet == name else (), start=1):
            have = known.get(number, [])
            for column, cell in enumerate(row):
                is_formula = (isinstance(cell, str) and cell.startswith("=")) or type(cell).__name__.endswith("Formula")
                if is_formula and (column >= len(have) or have[column] is None):
                    raise UserError(
                        f"{place}: line {number}, column {column + 1} holds a formula ({plain(cell, 40)}) whose result was not saved. Open and save the "
                        "file in a spreadsheet program, or save it as CSV."
                    )
