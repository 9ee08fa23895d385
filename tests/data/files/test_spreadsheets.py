"""Sheets of a spreadsheet program as rows of cells."""

from __future__ import annotations

import datetime
import io
import zipfile

import openpyxl
import pytest

from harness.base.errors import UserError
from harness.data.files.spreadsheets import read_sheet


def book(*sheets: list[list[object]]) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = made.create_sheet(f"s{number}")
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def read(content: bytes, ending: str = ".xlsx"):
    return read_sheet(io.BytesIO(content), ending, "labels.xlsx")


def test_the_first_sheet_that_holds_anything_without_its_empty_lines_and_columns():
    day = datetime.datetime(2026, 1, 2)
    rows = [[], ["id", "class", None, None], ["a", 1, None], [None, " "], ["b", None, None, ""], ["c", day]]
    header, cells, place = read(book([], rows, [["other"], ["x"]]))
    assert header == ["id", "class"] and cells == [["a", 1], ["b", None], ["c", day]]
    assert place == "labels.xlsx, sheet 's2'"


def repacked(content: bytes, name: str, inside: bytes) -> bytes:
    """A workbook with one part of it replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, inside if part == name else old.read(part))
    return file.getvalue()


WHOLE = book([["id", "class"], ["a", 1]])


@pytest.mark.parametrize(
    ("content", "ending", "said"),
    [
        (b"id,class\na,1\n", ".xlsx", "cannot be read as .xlsx (File is not a zip file). Download it again"),
        (WHOLE[:-200], ".xlsx", "cannot be read as .xlsx"),
        (repacked(WHOLE, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row>"), ".xlsx", "cannot be read as .xlsx"),
        (repacked(WHOLE, "xl/workbook.xml", b""), ".xlsx", "cannot be read as .xlsx"),
        (repacked(WHOLE, "xl/styles.xml", bytes((1 << 30) + 1)), ".xlsx", "1,073,7"),
        (book([], []), ".xlsx", "no sheet of it holds anything"),
        (book([["id", "class"], ["a", 1, None, "?"]]), ".xlsx", "line 2 has a value in column 4 (?), the header ends at column 2"),
        (b"", ".xls", ".xls is not read. Save it as CSV or .xlsx"),
    ],
    ids=["a CSV", "cut off", "broken sheet", "broken book", "a bomb", "empty", "no name", "the old format"],
)  # fmt: skip
def test_what_cannot_be_read_is_said(content: bytes, ending: str, said: str):
    with pytest.raises(UserError) as told:
        read(content, ending)
    assert said in str(told.value)
