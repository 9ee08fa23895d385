"""Pages in a real browser: nothing is cut off or complained of, tables sort and filter by mouse and keyboard, axe-core finds nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.clean.page import write_page as write_clean
from harness.clean.verdicts import Verdict
from harness.competition import Samples
from harness.leaderboard.page import write_page as write_leaderboard
from harness.report import error_figures, figures
from harness.report.gallery import Shot
from harness.report.page import Page
from tests.browser import Browser, browser_path
from tests.clean.cells import cells
from tests.pages import AXE, violations

HOSTILE = "<script>document.title='owned'</script>"
RUN = "ensemble-bagged_climbing-0123abcd"

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run's page with everything a page can hold, a leaderboard of the longest names, and a page of verdicts."""
    root = tmp_path_factory.mktemp("site")
    paths = {
        "run": root / "oof/cells" / RUN / "report.html",
        "clean": root / "oof/cells/clean/clean.html",
        "leaderboard": root / "submissions/leaderboard.html",
    }
    _everything().write(paths["run"])
    images, labels = cells(6)
    rows = [
        Verdict(f"r{i}", "foreign", "exclude", f"family-{i // 3}", f"evidence {HOSTILE} {'x' * 60}") for i in range(6)
    ]
    samples = Samples(np.array([f"r{i}" for i in range(6)]), images, labels)
    write_clean(
        paths["clean"], "Cells: clean", "drawn", ["Sample."], rows, samples, ("a", "b", HOSTILE), root / "clean.csv"
    )
    write_leaderboard(paths["leaderboard"], "Leaderboard", [_line(i) for i in range(12)], {})
    return paths


def _everything() -> Page:
    page = Page("Cells: a run", f"Lead {HOSTILE} {'long' * 40}", warnings=[HOSTILE])
    for name in ("accuracy", "quadratic kappa", "log loss"):
        page.card(name, "0.98765", "95 %: 0.97654 to 0.99876")
    names = [f"class {i} {'of a long name ' * (i % 3)}" for i in range(50)]
    rng = np.random.default_rng(0)
    table = [
        [n, f"{1000 * i:,}", *(f"{v:.5f} [{v - 0.1:.5f}, {v + 0.1:.5f}]" for v in rng.random(6))]
        for i, n in enumerate(names)
    ]
    section = page.section("Classes")
    section.table(["class", "rows", *(f"score number {i} [95 %]" for i in range(6))], table, folded=True)
    section.figure(
        figures.confusion_matrix(rng.integers(0, 90, (12, 12)), [HOSTILE, *names[1:12]]), "Confusion matrix."
    )
    section = page.section("Folds")
    section.table(
        ["fold", "rows", "score"],
        [["fold 0", "9", "0.5"], ["fold 1", "10", ""], ["fold 2", "1,100", "0.9"], ["mean", "", "0.7"]],
        total=1,
    )
    section.figure(
        figures.heatmap({"blur": [0.9, 0.8, 0.7, 0.6, 0.5], "noise": [0.8, 0.5, 0.4, 0.2, 0.1]}, True, 0.95), "Noise."
    )
    section = page.section("Figures")
    section.figure(figures.learning_curves({"fold 0": ([1, 2, 3], [1.0, 0.1, 0.01])}, "training loss"), "Loss.")
    section.figure(
        figures.parallel([[1, 0.1], [2, 0.2]], ["a", "b"], [False, True], [0.5, 0.6], "score", True), "Trials."
    )
    section.figure(error_figures.instead_matrix(np.array([[0, 5], [9, 0]]), ["a", "b"]), "Instead.")
    section = page.section("Mistakes")
    section.gallery(np.zeros((30, 8, 8, 3), np.uint8), [_shot(i) for i in range(30)])
    page.section("What produced it").code('{"key": "' + "z" * 300 + '"}', "The recipe")
    return page


def _shot(i: int) -> Shot:
    facts = {"class": names_of(i), "fold": str(i % 3), "answer": "right" if i % 2 else "wrong"}
    return Shot(
        f"{HOSTILE} {'y' * 40} {i}", f"id-{i}", facts, 0.3 + i / 50, [(HOSTILE, 0.5), ("b" * 50, 0.25)], [HOSTILE]
    )


def names_of(i: int) -> str:
    return (HOSTILE, "z" * 60, "b", "c")[i % 4]


def _line(i: int) -> dict[str, object]:
    told = {"score": 0.98, "low": 0.97, "high": 0.99}
    numbers = {"cv": 0.9 + i / 1000, "public": 0.91 if i else None, "private": 0.905, "gap": 0.01, "rank": 100 + i}
    about = {"entry": i, "competition": "cells", "sent": "2026-11-26T10:00:00", "run": RUN, "state": "complete"}
    return {**about, **numbers, "forecast": told, "teams": 1234, "medal": "bronze", "members": []}


@pytest.mark.parametrize("name", ["run", "clean", "leaderboard"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_and_axe_finds_nothing(browser: Browser, site: dict[str, Path], name: str, dark: bool, width: int):
    browser.open(site[name], width, dark)
    assert browser.errors == [] and browser.run("document.title") != "owned"
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('main, h1').length") == 2
    if not AXE.is_file():
        pytest.skip(f"no axe-core in {AXE}: make test installs it where there is npm")
    assert violations(browser) == []
    if browser.run("document.querySelector('.open') !== null"):  # with a picture enlarged too
        browser.run("document.querySelector('.open').click()")
        assert violations(browser, "document.querySelector('dialog')") == []
        assert browser.run("document.documentElement.scrollWidth") <= width


def test_text_in_figures_can_be_read_on_every_colour_of_a_map(browser: Browser, site: dict[str, Path]):
    """axe-core does not look into figures: the text's colour against the strongest colour of a map on the page's ground."""
    for dark in (False, True):
        browser.open(site["run"], dark=dark)
        ground, text = (
            browser.run(f"getComputedStyle({of}).{what}")
            for of, what in (("document.body", "backgroundColor"), ("document.querySelector('svg text')", "fill"))
        )
        for colour in ((217, 95, 14), (31, 119, 180)):
            over = 0.6 * np.array(colour) + 0.4 * _rgb(ground)
            bright = sorted((_luminance(over), _luminance(_rgb(text))))
            assert (bright[1] + 0.05) / (bright[0] + 0.05) > 4.5


def _rgb(css: str) -> np.ndarray:
    return np.array([float(v) for v in css[4:-1].split(",")])


def _luminance(rgb: np.ndarray) -> float:
    c = rgb / 255
    return float(np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def test_the_leaderboards_scores_are_on_the_screen(browser: Browser, site: dict[str, Path]):
    browser.open(site["leaderboard"], 1280)
    assert (
        browser.run("Math.max(...[...document.querySelectorAll('thead th')].map(h => h.getBoundingClientRect().right))")
        <= 1280
    )


TEXTS = "[...document.querySelector('table').tBodies[0].rows].filter(r => !r.hidden).map(r => r.textContent)"
FIRST = "[...document.querySelectorAll('table')[{n}].tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent)"


def test_a_table_sorts_by_mouse_and_keyboard_and_sums_stay_last(browser: Browser, site: dict[str, Path]):
    browser.open(site["run"])
    column = "document.querySelectorAll('table')[1].tHead.rows[0].cells[{}]"
    browser.run(column.format(1) + ".querySelector('button').focus()")
    browser.press("Enter")
    assert browser.run(FIRST.format(n=1)) == ["fold 2", "fold 1", "fold 0"]  # by number, 1,100 the largest
    assert browser.run(column.format(1) + ".getAttribute('aria-sort')") == "descending"
    browser.press("Space")
    assert browser.run(FIRST.format(n=1)) == ["fold 0", "fold 1", "fold 2"]
    browser.run(column.format(2) + ".querySelector('button').click()")
    assert browser.run(FIRST.format(n=1)) == ["fold 2", "fold 0", "fold 1"]  # what is missing stands last
    browser.run(column.format(2) + ".querySelector('button').click()")
    assert browser.run(FIRST.format(n=1)) == ["fold 0", "fold 2", "fold 1"]
    assert browser.run(column.format(1) + ".hasAttribute('aria-sort')") is False
    assert browser.run("document.querySelectorAll('table')[1].tFoot.rows[0].cells[0].textContent") == "mean"
    browser.press("Tab")
    assert browser.run("document.activeElement.tagName") in ("BUTTON", "SUMMARY", "A", "DIV")


def test_a_table_is_filtered_by_words(browser: Browser, site: dict[str, Path]):
    browser.open(site["run"])
    everything = browser.run(TEXTS)
    fill = "{const i = document.querySelector('.filter input'); i.value = 'Class  49 LONG'; i.dispatchEvent(new Event('input'));}"
    browser.run(fill)
    left = [text for text in everything if all(word in text for word in ("class", "49", "long"))]
    assert browser.run(TEXTS) == left and 0 < len(left) < 50
    assert browser.run("document.querySelector('.count').textContent") == f"{len(left)} of 50 rows"


def test_links_lead_to_pages(browser: Browser, site: dict[str, Path]):
    browser.open(site["leaderboard"])
    found = browser.run("[...document.querySelectorAll('a[href$=html]')].map(a => decodeURI(new URL(a.href).pathname))")
    assert str(site["run"]) in found and all(Path(path).is_file() for path in found)
    browser.open(site["run"])
    found = browser.run("[...document.querySelectorAll('a[href$=html]')].map(a => decodeURI(new URL(a.href).pathname))")
    assert {str(site[name]) for name in ("run", "clean", "leaderboard")} == set(found)
    assert (
        browser.run("[...document.querySelectorAll('.contents a')].every(a => document.querySelector(a.hash))") is True
    )
