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
    assert header == ["id", "class"] and cells == [["a", 1], ["b", None], ["c", day.date()]]
    assert place == "labels.xlsx, sheet 's2'"


def test_a_sheet_of_notes_and_a_hidden_one_come_after_a_table():
    made = openpyxl.load_workbook(
        io.BytesIO(book([["About these labels"], ["Ask us"]], [["x", "y"], [1, 2]], [["id", "class"], ["a", 1]]))
    )
    made["s2"].sheet_state = "hidden"
    file = io.BytesIO()
    made.save(file)
    assert read(file.getvalue())[2].endswith("sheet 's3'")
    assert read(book([["id"], ["a"]]))[:2] == (["id"], [["a"]])


SHEET, WHOLE = "xl/worksheets/sheet1.xml", book([["id", "class"], ["a", 1]])


@pytest.mark.parametrize("said", ["A1", "A1:A4", "A1:XFD1048576"])
def test_what_a_file_says_of_its_size_is_not_believed(said: str):
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as packed:
        inside = packed.read(SHEET).replace(b'ref="A1:B2"', f'ref="{said}"'.encode())
    assert said.encode() in inside
    assert read(repacked(WHOLE, SHEET, inside))[:2] == (["id", "class"], [["a", 1]])


def row(number: int, column: str) -> bytes:
    return f'<row r="{number}"><c r="{column}{number}" t="n"><v>1</v></c></row>'.encode()


def sheet(*rows: bytes) -> bytes:
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return b'<worksheet xmlns="' + space + b'"><sheetData>' + b"".join(rows) + b"</sheetData></worksheet>"


def repacked(content: bytes, name: str, inside: bytes) -> bytes:
    """A workbook with one part of it replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, inside if part == name else old.read(part))
    return file.getvalue()


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
        (bytes.fromhex("d0cf11e0a1b11ae1"), ".xlsx", "is protected by a password, or an old .xls. Save it as .xlsx without one"),
        (book([["id", "class"], ["a", 1], ["b", "#N/A"]]), ".xlsx", "line 3, column 'class' holds the error #N/A. Correct it"),
        (book([["id", "class"], ["#REF!", 1]]), ".xlsx", "line 2, column 'id' holds the error #REF!"),
        (book([["id", "patient"], ["a", "p"], ["b", "=LEFT(A3,1)"]]), ".xlsx", "line 3, column 2 holds a formula (=LEFT(A3,1)) whose result was not saved"),
        (repacked(WHOLE, SHEET, sheet(row(1, "A"), row(99_999_999_999, "A"))), ".xlsx", "cannot be read as .xlsx (line 1,048,577 has"),
        (repacked(WHOLE, SHEET, sheet(*(row(n, "ZZZ") for n in range(1, 9)))), ".xlsx", "cannot be read as .xlsx (line 1 has 18,278 columns"),
        (repacked(WHOLE, SHEET, sheet(b'<row r="1"><c r="A1" t="s"><v>99</v></c></row>')), ".xlsx", "cannot be read as .xlsx"),
    ],
    ids=["a CSV", "cut off", "broken sheet", "broken book", "a bomb", "empty", "no name", "the old format", "password", "an error", "an error as id",
         "a formula", "endless lines", "endless columns", "lost strings"],
)  # fmt: skip
def test_what_cannot_be_read_is_said(content: bytes, ending: str, said: str):
    with pytest.raises(UserError) as told:
        read(content, ending)
    assert said in str(told.value)
