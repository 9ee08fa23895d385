"""Tables of a page: long ones scroll in a box, endless ones are cut with a word, nothing in them is taken for HTML; each column has a head."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest

from harness.report import error_figures, figures
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


def values_of(svg: bytes) -> list[str]:
    """What a figure says, in its order."""
    told = json.loads(html.unescape(re.search(r"data-values='([^']*)'", svg.decode())[1]))
    return [text for _, _, points in told for _, _, text in points]


def test_figures_say_their_values():
    nan = float("nan")
    assert values_of(figures.bars({"a": 1.0, "b $x$ <i>'": 2.5}, "share")) == ["a: 1", "b $x$ <i>': 2.5"]
    said = figures.fold_scores({0: 0.5, 2: nan}, 0.6, 0.4, 0.8, "accuracy")
    assert values_of(said) == ["fold 0: accuracy 0.5", "pooled OOF: 0.6 [0.4, 0.8]"]  # what is not defined is not said
    said = figures.heatmap({"white_noise": [0.9, 0.5, 0.4, 0.3, 0.2]}, True, 0.95)
    assert values_of(said)[1] == "white noise, severity 2: 0.5 (-0.4500 against none)" and len(values_of(said)) == 5
    said = figures.learning_curves({"fold 0": ([1], [2.0])}, "score", {"fold 0": ([1], [3.0])})
    assert values_of(said) == ["fold 0, epoch 1: score 2", "fold 0, training rows, epoch 1: score 3"]


def test_values_written_as_names_stand_in_the_order_of_their_size():
    svg = figures.slice_plot(["128", "64", "sgd", "8"], [0.1, 0.2, 0.3, 0.4], "batch", "accuracy", False)
    assert values_of(svg) == [
        f"batch {v}: accuracy {s}" for v, s in (("8", 0.4), ("64", 0.2), ("128", 0.1), ("sgd", 0.3))
    ]


def test_every_figure_says_as_many_values_as_it_draws():
    rng = np.random.default_rng(0)
    x, ten = np.linspace(0.1, 0.9, 10), np.full(10, 5)
    points = [(0.0, 1.0, 0.5, 1.5), (1.0, 2.0, 1.5, 2.5)]
    many = {"a": (rng.normal(size=4000), rng.normal(size=4000))}
    for svg, n in (
        (figures.reliability(x, x, ten), 10),
        (error_figures.against_diagonal(x, x, ten, "a", "b"), 10),
        (error_figures.reliabilities({"a": (x, x, ten), "b": (x, x, ten)}), 20),
        (error_figures.biases({"a": points}, "x", "y"), 2),
        (error_figures.counts({"-1": 3, "0": 4}, "off"), 2),
        (error_figures.scores_with_intervals(["a", "b"], {"F1": [(0.5, 0.4, 0.6), (np.nan,) * 3]}), 1),
        (error_figures.predicted_against_true({"a": (x, x)}), 10),
        (figures.confusion_map(np.array([[0.5, 0.5], [0, 1]]), ["a", "b"]), 3),
        (figures.matrix(np.eye(3), ["a", "b", "c"]), 9),
        (figures.lines({"a": ([1, 2], [3, 4])}, "x", "y"), 2),
        (figures.score_over_time([1, 2], [(0.5, 0.4, 0.6)] * 2, "accuracy", True, "hours"), 2),
        (figures.cv_against_public([(0.9, 0.8), (0.8, 0.7)]), 2),
        (figures.progress(["2026-11-26T10", "2026-11-27T10"], [0.9, 0.8], [0.9, None]), 3),
        (figures.score_bars({"a": {"pooled": 1, "low": 0.5, "high": 1.5, "mean": 1}}, "accuracy"), 1),
        (figures.score_bars({"a": {"pooled": 1, "low": 0.5, "high": 1.5, "mean": None}}, "roc_auc"), 1),
        (figures.points_and_line([1, 2], [3, 4], [3, 3], "trial", "accuracy", [1]), 2),
        (figures.parallel([[1, "a"], [2, "b"]], ["lr", "opt"], [True, False], [0.5, 0.6], "accuracy", True), 4),
        (figures.scatter(rng.normal(size=(30, 2)), np.arange(30) % 2, ["a", "b"]), 30),
        (error_figures.instead_matrix(np.array([[0, 5], [0, 0]]), ["a", "b"]), 1),
    ):
        assert len(values_of(svg)) == n
    cells = values_of(error_figures.predicted_against_true(many))
    assert 100 < len(cells) < 1600 and sum(int(c.split()[-2].replace(",", "")) for c in cells) == 4000
