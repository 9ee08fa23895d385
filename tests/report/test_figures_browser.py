"""Figures in a real browser: the values under the mouse, and by the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.report import error_figures, figures
from harness.report.page import Page
from tests.browser import Browser, browser_path

HOSTILE = "<b>'&\" $x$"

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Page("Figures", "Lead")
    section = made.section("S")
    section.figure(figures.confusion_matrix(np.array([[8, 2], [0, 5]]), [HOSTILE, "dog"]), "Confusions.")
    section.figure(figures.learning_curves({"fold 0": ([1, 2, 3], [1.0, 0.1, 0.01])}, "loss"), "Losses.")
    section.figure(error_figures.counts({"-1": 3, "0": 40}, "off"), "Counts.")
    path = tmp_path_factory.mktemp("figures") / "page.html"
    made.write(path)
    return path


@pytest.fixture(params=[(1280, False), (390, True)], ids=["wide", "narrow-dark"])
def opened(browser: Browser, page: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    browser.open(page, *request.param)
    yield browser
    assert browser.errors == [] and browser.run("document.documentElement.scrollWidth") <= request.param[0]


TIP = "document.querySelector('.tip')"


def said(browser: Browser) -> str:
    return browser.run(f"{TIP}.hidden ? '' : {TIP}.textContent")


def on(browser: Browser, figure: int, x: float, y: float) -> str:
    """What is said where the mouse stands at a place of the figure's drawing, in its own units."""
    svg = f"document.querySelectorAll('figure svg')[{figure}]"
    wide, high = browser.run(f"[{svg}.viewBox.baseVal.width, {svg}.viewBox.baseVal.height]")
    browser.run(f"{svg}.scrollIntoView({{block: 'center'}}); {svg}.closest('.scroll').scrollLeft = {x - 200}")
    browser.point(svg, x / wide, y / high, scroll=False)
    return said(browser)


def values(browser: Browser, figure: int) -> list[list[object]]:
    told = browser.run(f"JSON.parse(document.querySelectorAll('figure svg')[{figure}].dataset.values)")
    return [point for _, _, points in told for point in points]


@pytest.mark.parametrize("figure", [0, 1, 2])
def test_the_mouse_reads_what_it_stands_on(opened: Browser, figure: int):
    told = values(opened, figure)
    assert len(told) == (3, 3, 2)[figure]
    for x, y, text in told:
        assert on(opened, figure, float(x) + 3, float(y) - 3) == text  # near it
    assert on(opened, figure, 1, 1) == ""


def test_values_stand_where_they_are_drawn(opened: Browser):
    """The text of a cell lies in the middle of what says it."""
    x, y, text = values(opened, 0)[1]
    assert text == f"{HOSTILE} taken for dog: 2 (20.0 %)" and opened.run(f"{TIP}.children.length") == 0
    middle = opened.run(
        "(t => { const s = t.ownerSVGElement, b = t.getBoundingClientRect(), r = s.getBoundingClientRect(), k = s.viewBox.baseVal.width / r.width;"
        " return [(b.left + b.width / 2 - r.left) * k, (b.top + b.height / 2 - r.top) * k]; })"
        "([...document.querySelector('figure svg').querySelectorAll('text')].find(t => t.textContent === '2'))"
    )
    assert middle == pytest.approx([x, y], abs=4)


def test_the_keyboard_reads_one_after_the_other(opened: Browser):
    sliders = "[...document.querySelectorAll('.reader')]"
    assert opened.run(f"{sliders}.map(s => s.getAttribute('aria-label'))")[1] == "Values of the figure: Losses."
    opened.run(f"{sliders}[1].focus()")
    assert said(opened) == "fold 0, epoch 1: loss 1"
    opened.press("ArrowRight")
    assert said(opened) == opened.run(f"{sliders}[1].getAttribute('aria-valuetext')") == "fold 0, epoch 2: loss 0.1"
    assert opened.run("document.querySelectorAll('figure svg')[1].querySelector('.mark').checkVisibility()")
    opened.press("End")
    assert said(opened) == "fold 0, epoch 3: loss 0.01"
    box = opened.run(f"{TIP}.getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["right"] <= opened.run("innerWidth")
    opened.press("Tab")
    assert "loss" not in said(opened)
