"""CSVs as platforms and tools write them."""

from __future__ import annotations

import io

import pytest

from harness.data.files.csv_tables import read_rows


@pytest.mark.parametrize(
    ("text", "header", "row"),
    [
        ("filename, fox, hare\n1.jpg, 0, 1\n", ["filename", "fox", "hare"], ["1.jpg", "0", "1"]),
        ("id,label\n1, a\n", ["id", "label"], ["1", " a"]),  # a cell's own blank is told later, with its row
        ('id; name\r\n1; "a; b"\r\n', ["id", "name"], ["1", "a; b"]),
        ("label\n a\n", ["label"], [" a"]),
    ],
)
def test_a_blank_behind_each_separator_of_the_header_belongs_to_it(text: str, header: list[str], row: list[str]):
    assert read_rows(io.BytesIO(text.encode()), "t.csv") == (header, [row])
