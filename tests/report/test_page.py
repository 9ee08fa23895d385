"""Tables of a page: long ones scroll in a box, endless ones are cut with a word, nothing in them is taken for HTML; each column has a head."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.report import figures
from harness.report.page import TABLE_IN_FULL, TABLE_ROWS, Page


def html_of(n: int, folded: bool = True, name: str = "class") -> str:
    page = Page("Title", "Lead")
    page.section("Classes").table(["class", "rows"], [[f"{name} {i}", str(i)] for i in range(n)], folded=folded)
    return page.html()


def rows_of(html: str) -> list[str]:
    return re.findall(r'<th scope="row">class (\d+)</th>', html)


@pytest.mark.parametrize(("n", "long"), [(0, False), (1, False), (TABLE_IN_FULL, False), (121, True)])
def test_every_row_is_shown_and_a_long_table_has_a_box_that_scrolls(n: int, long: bool):
    html = html_of(n)
    assert rows_of(html) == [str(i) for i in range(n)]
    assert ('class="scroll long"' in html) == ("<caption>121 rows</caption>" in html) == long
    assert 'class="scroll long"' not in html_of(n, folded=False)


def test_an_endless_one_says_what_is_left_out():
    html = html_of(TABLE_ROWS + 500)
    assert len(rows_of(html)) == TABLE_ROWS and "500 more are left out of this page" in html


def test_names_are_no_html():
    assert "<b>" not in html_of(121, name="<b>bold</b>") and "&lt;b&gt;" in html_of(121, name="<b>bold</b>")


@pytest.mark.parametrize(
    "cell", ["1", "-0.5", "1,234", "+0.10000 [-0.1, 0.3]", "3.5 %", "12 s", "1e-05", "3 of 40", "0.9 +- 0.1"]
)
def test_numbers_stand_right_and_names_left(cell: str):
    page = Page("Title", "Lead")
    page.section("S").table(["a", "b", "c", "d"], [["1", cell, "12-05", ""], ["2", "-", "2026-11-26 10:00", ""]])
    assert re.findall(r'<th scope="col"( class="n")?>(\w)</th>', page.html()) == [
        ("", "a"),
        (' class="n"', "b"),
        ("", "c"),
        ("", "d"),
    ]


def test_sums_stand_in_the_foot():
    page = Page("Title", "Lead")
    page.section("S").table(["fold", "rows"], [["0", "1"], ["1", "2"], ["mean", "1.5"], ["all", "3"]], total=2)
    body, foot = re.findall("<t(?:body|foot)>(.*?)</t(?:body|foot)>", page.html(), re.DOTALL)
    assert body.count("<tr>") == 2 and re.findall('row">(.*?)<', foot) == ["mean", "all"]


def test_a_column_without_a_head_is_refused():
    with pytest.raises(ValueError, match="no heading"):
        Page("Title", "Lead").section("S").table(["a", " "], [["1", "2"]])


def test_figures_are_text_in_the_pages_colours_and_share_no_names():
    page, name = Page("Title", "Lead"), "<b>&amp; $x$"
    for _ in range(2):
        page.section("S").figure(figures.confusion_matrix(np.array([[3, 1], [0, 4]]), [name, "b"]), "Caption")
        page.section("T").figure(figures.learning_curves({name: ([1, 2, 3], [0.01, 1, 10])}, "loss"), "Caption")
    html = page.html()
    svg = "".join(re.findall("<svg.*?</svg>", html, re.DOTALL))
    assert html.count("<svg ") == 4 and "<b>" not in html and "&lt;b&gt;&amp;amp; $x$" in svg
    assert "#000000" not in svg and "currentColor" in svg and "<style" not in svg and "<!--" not in svg
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html))
    assert {a or b for a, b in used} <= set(ids)


def test_a_page_is_the_same_each_time():
    def page() -> str:
        made = Page("Title", "Lead")
        made.section("S").figure(figures.bars({"a": 1.0, "b": 2.0}, "share"), "Caption")
        return made.html()

    assert page() == page()
