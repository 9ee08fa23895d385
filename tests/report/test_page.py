"""Tables of a page: long ones are folded, endless ones cut with a word, nothing in them is taken for HTML."""

from __future__ import annotations

import re

import pytest

from harness.report.page import TABLE_IN_FULL, TABLE_ROWS, TABLE_SHORT, Page


def html_of(n: int, folded: bool = True, name: str = "class") -> str:
    page = Page("Title", "Lead")
    page.section("Classes").table(["class", "rows"], [[f"{name} {i}", str(i)] for i in range(n)], folded=folded)
    return page.html()


def rows_of(html: str) -> list[str]:
    return re.findall(r"<td>class (\d+)</td>", html)


@pytest.mark.parametrize("n", [0, 1, TABLE_IN_FULL])
def test_a_short_table_is_shown_whole(n: int):
    html = html_of(n)
    assert "<details>" not in html and rows_of(html) == [str(i) for i in range(n)]


def test_a_long_one_is_folded_and_loses_no_row():
    html = html_of(121)
    before, folded, after = re.split(r"<details>|</details>", html)
    assert rows_of(before) == [str(i) for i in range(TABLE_SHORT)] and not rows_of(after)
    assert rows_of(folded) == [str(i) for i in range(TABLE_SHORT, 121)]
    assert "<summary>the next 101 of 121</summary>" in folded and folded.count("<th>class</th>") == 1
    assert "<details>" not in html_of(121, folded=False)


def test_an_endless_one_says_what_is_left_out():
    html = html_of(TABLE_ROWS + 500)
    assert len(rows_of(html)) == TABLE_ROWS and "500 more are left out of this page" in html


def test_names_are_no_html():
    assert "<b>" not in html_of(121, name="<b>bold</b>") and "&lt;b&gt;" in html_of(121, name="<b>bold</b>")
