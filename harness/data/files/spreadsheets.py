"""Tables of a spreadsheet program, .xlsx: the first sheet that holds anything, as rows of cells."""

from __future__ import annotations

import io
import zipfile
from typing import IO, Any

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.data.files.arrays import read_whole

ENDINGS = (".xlsx", ".xls", ".ods")
"""Of which the first alone is read; the others are refused with the cure."""
_MOST, _MOST_UNPACKED = 1 << 28, 1 << 30  # bytes


def read_sheet(file: IO[bytes], ending: str, shown: str) -> tuple[list[str], list[list[Any]], str]:
    """Header, rows, and the place in words, of the first sheet that holds anything; cells as they are, of formulas their last result.

    Lines without a cell are left out, and columns at the end in which nothing stands.

    Raises
    ------
    UserError
        If it is no such file, is larger than 1 GiB unpacked, holds nothing, or a cell stands under no name (says where).
    """
    if ending != ".xlsx":
        raise UserError(f"{shown}: {ending} is not read. Save it as CSV or .xlsx, and name that in competition.toml.")
    try:
        content = io.BytesIO(read_whole(file, _MOST))
        with zipfile.ZipFile(content) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > _MOST_UNPACKED:
            raise ValueError(f"{unpacked:,} bytes unpacked; at most {_MOST_UNPACKED:,} are read")
        name, lines = _first_sheet(content)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, SyntaxError) as error:  # XML that is broken
        raise UserError(
            f"{shown}: cannot be read as .xlsx ({plain(error, 200)}). Download it again if it is cut off, or save it as CSV."
        ) from error
    if not lines:
        raise UserError(f"{shown}: no sheet of it holds anything. Name another file in competition.toml.")
    place = f"{shown}, sheet '{plain(name, 40)}'"
    return *_table(lines, place), place


def _first_sheet(content: IO[bytes]) -> tuple[str, list[tuple[int, list[Any]]]]:
    """Name and numbered lines of the first sheet that holds anything."""
    import openpyxl

    book = openpyxl.load_workbook(content, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            rows = enumerate(sheet.iter_rows(values_only=True), start=1)
            if lines := [(number, _cut(list(row))) for number, row in rows if any(map(_is_there, row))]:
                return sheet.title, lines
        return "", []
    finally:
        book.close()


def _is_there(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _cut(row: list[Any]) -> list[Any]:
    """Without the empty cells at its end."""
    while row and not _is_there(row[-1]):
        row.pop()
    return row


def _table(lines: list[tuple[int, list[Any]]], place: str) -> tuple[list[str], list[list[Any]]]:
    header = ["" if cell is None else str(cell).strip() for cell in lines[0][1]]
    rows = []
    for number, row in lines[1:]:
        if len(row) > len(header):
            raise UserError(
                f"{place}: line {number} has a value in column {len(row)} ({plain(row[-1], 40)}), the header ends at column {len(header)}. "
                "Give the column a name, or clear it."
            )
        rows.append(row + [None] * (len(header) - len(row)))
    return header, rows
