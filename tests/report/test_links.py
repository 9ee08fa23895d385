"""Links between pages: to those that are there and no others, in both directions, whichever was written first."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.report.links import linked_runs, refresh_run
from harness.report.page import Page

PAGES = (
    "oof/cells/tiny-1/report.html",
    "oof/cells/tiny-1/errors.html",
    "oof/cells/tiny-1/noise.html",
    "oof/cells/compare.html",
    "submissions/leaderboard.html",
)


def write(path: Path) -> None:
    Page(path.stem, "Lead").write(path)


def links(path: Path) -> dict[str, Path]:
    """What the links of a page say, and the files they lead to; the page itself among them."""
    bar = re.findall("<!--links-->(.*?)<!--/links-->", path.read_text(encoding="utf-8"), re.DOTALL)
    found = re.findall(r"<a href='([^']*)'[^>]*>([^<]*)</a>", bar[0])
    return {name: Path(os.path.normpath(path.parent / unquote(href))) for href, name in found}


def test_a_page_alone_has_no_links(tmp_path: Path):
    write(tmp_path / PAGES[0])
    assert links(tmp_path / PAGES[0]) == {} and "<nav" not in (tmp_path / PAGES[0]).read_text()


@pytest.mark.parametrize("order", [*itertools.permutations(range(5))][::17])
def test_whichever_is_written_first_all_link_each_other_and_no_link_is_dead(tmp_path: Path, order: tuple[int, ...]):
    for place in order:
        write(tmp_path / PAGES[place])
        assert all(to.is_file() for page in tmp_path.rglob("*.html") for to in links(page).values())
    run = {"Run": PAGES[0], "Errors": PAGES[1], "Noise": PAGES[2], "Comparison": PAGES[3], "Leaderboard": PAGES[4]}
    for page in PAGES[:3]:
        assert links(tmp_path / page) == {name: tmp_path / to for name, to in run.items()}
    assert set(links(tmp_path / PAGES[3])) == {"Comparison", "Leaderboard"}
    assert links(tmp_path / PAGES[4])["cells: Comparison"] == tmp_path / PAGES[3]


def test_a_page_that_is_taken_away_leaves_no_link(tmp_path: Path):
    for page in PAGES:
        write(tmp_path / page)
    (tmp_path / PAGES[2]).unlink()
    refresh_run(tmp_path / "oof/cells/tiny-1")
    assert "Noise" not in links(tmp_path / PAGES[0]) and "Errors" in links(tmp_path / PAGES[0])


def test_pages_from_before_there_were_links_are_linked_to_and_left_as_they_are(tmp_path: Path):
    old = tmp_path / PAGES[0]
    old.parent.mkdir(parents=True)
    old.write_text("<h1>old</h1>")
    write(tmp_path / PAGES[1])
    assert old.read_text() == "<h1>old</h1>" and links(tmp_path / PAGES[1])["Run"] == old


def test_names_of_folders_are_no_html_and_no_way_out(tmp_path: Path):
    play = tmp_path / "oof" / "a'b<i>c" / "play" / "play.html"
    study = play.parents[1] / "studies" / "x'><script>y" / "study.html"
    write(play)
    write(study)
    assert "<i>" not in play.read_text() and play.read_text().count("<script>") == 1
    bar = play.read_text().split("<!--links-->")[1]
    assert "<script>y" not in bar and "%27%3E%3Cscript%3Ey/study.html" in bar


def test_what_a_page_says_is_no_place_for_links(tmp_path: Path):
    path = tmp_path / PAGES[0]
    page = Page("<!--links-->here<!--/links-->", "Lead")
    page.write(path)
    write(tmp_path / PAGES[1])
    assert "Errors" in links(path) and path.read_text().count("&lt;!--links--&gt;") == 2


def test_runs_in_a_table_lead_to_their_pages_where_they_have_one(tmp_path: Path):
    write(tmp_path / PAGES[0])
    compare = tmp_path / PAGES[3]
    reports = [compare.parent / name / "report.html" for name in ("tiny-1", "gone-2")]
    rows = linked_runs([["a", "tiny-1 (2 folds)"], ["b", "gone-2"]], 1, reports, compare)
    assert rows == [["a", "tiny-1 (2 folds)"], ["b", "gone-2"]]  # text for everything but a page
    page = Page("Comparison", "Lead")
    page.section("Scores").table(["recipe", "run"], rows)
    page.write(compare)
    text = compare.read_text()
    assert '<a href="tiny-1/report.html">tiny-1 (2 folds)</a>' in text and "gone-2/" not in text


def test_what_people_call_a_run_stands_on_its_pages(tmp_path: Path):
    from harness.runs.notes.label import Label

    run = (tmp_path / PAGES[0]).parent
    write(tmp_path / PAGES[0])
    Label("first <b>try</b>", None, ("night",)).write(run)
    assert "first &lt;b&gt;try&lt;/b&gt; #night" in (tmp_path / PAGES[0]).read_text()
    write(tmp_path / PAGES[1])
    assert "#night" in (tmp_path / PAGES[1]).read_text() and "Errors" in links(tmp_path / PAGES[0])
    Label("", None, ("",)).write(run)
    assert "#night" not in (tmp_path / PAGES[0]).read_text() + (tmp_path / PAGES[1]).read_text()
