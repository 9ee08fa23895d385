"""CSVs of a competition's own: one way to read them, header and rows, and to say what is wrong with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import IO

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import plain

_LONGEST_CELL = 1 << 20


def read_rows(file: IO[bytes], shown: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV, as text; a column without a name in which nothing stands is left out.

    Values are separated by commas; by tabs or semicolons where the header has those and no comma. A blank behind every separator of the
    header belongs to it.

    Parameters
    ----------
    file : open for reading bytes; UTF-8, with or without a byte-order mark
    shown : its place in words

    Raises
    ------
    UserError
        If it is no such CSV, is empty, or a row has another number of values than the header (names the row).
    """
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{shown}: is not in UTF-8 ({error.reason} at byte {error.start:,}). Save it as UTF-8."
        ) from error
    previous = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), skipinitialspace=_spaced(text))
        rows = [row for row in lines if row]
    except csv.Error as error:
        raise UserError(
            f"{shown}: cannot be read as CSV ({error}). Download it again if it is cut off, or correct it."
        ) from error
    finally:
        csv.field_size_limit(previous)
    if not rows:
        raise UserError(
            f"{shown}: cannot be read as CSV (it is empty). Download it again, or name another file in competition.toml."
        )
    header, rows = rows[0], rows[1:]
    while header and not header[-1].strip():  # a comma at the end of the line
        header = header[:-1]
    for number, row in enumerate(rows, start=1):
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            raise UserError(
                f"{shown}: cannot be read as CSV: row {number} has {len(row)} values, the header has {len(header)} "
                f"({plain(','.join(row), 80)}). Put values that hold commas into quotes; if the file is cut off, download it again."
            )
    return header, [row[: len(header)] for row in rows]


def separator(text: str) -> str:
    """What separates the values of a CSV: a comma, or a tab or semicolon where its first line has no comma."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return "," if "," in first else next((mark for mark in "\t;" if mark in first), ",")


def _spaced(text: str) -> bool:
    """Whether a blank belongs to the separator: each name of the header but the first follows one, as Roboflow writes it."""
    names = text.lstrip("\r\n").partition("\n")[0].split(separator(text))
    return len(names) > 1 and all(name[:1] == " " and name.strip() for name in names[1:])


def column(header: Sequence[str], name: str, shown: str, key: str) -> int:
    """The place of a column.

    key : of competition.toml, that names it

    Raises
    ------
    UserError
        If there is none of that name, or more than one.
    """
    places = [place for place, other in enumerate(header) if other == name]
    if len(places) == 1:
        return places[0]
    listed = plain(", ".join(header[:20]), 400)
    if places:
        raise UserError(
            f"{shown}: {len(places)} columns are named '{plain(name)}' (places {', '.join(str(p + 1) for p in places)}), so it is not "
            f"clear which counts. Rename one, and say which in {key}. Columns: {listed}."
        )
    stripped = [other.strip() for other in header]
    hint = " (take the spaces around it out)" if name in stripped else nearest(name, header)
    raise UserError(
        f"{shown}: no column '{plain(name)}'{plain(hint)}; it has {listed or 'none'}. Correct {key} in competition.toml, or the file."
    )
