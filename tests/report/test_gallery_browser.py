"""Galleries in a real browser: filtered by what is known, enlarged by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.report.gallery import Shot
from harness.report.page import Page
from tests.browser import Browser, browser_path, comes_true

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
CLASSES = ("cat", HOSTILE, "10", "9")

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


def shot(i: int) -> Shot:
    label, said = i % 4, (i % 4 if i % 3 else (i + 1) % 4)
    facts = {"class": CLASSES[label], "predicted": CLASSES[said], "answer": "wrong" if label != said else "right", "fold": "0"}  # fmt: skip
    bars = [(CLASSES[said], 0.5 + i / 50), (CLASSES[(said + 1) % 4], 0.2)]
    return Shot(f"picture {i}", f"id-{i}", facts, 0.5 + i / 50, bars, [CLASSES[label]])


SHOTS = [shot(i) for i in range(24)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Page("Gallery", "Lead")
    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28, 3), dtype=np.uint8)
    made.section("Mistakes").gallery(images, SHOTS)
    made.section("Alike").gallery(images[:2], ["one", "two"])
    path = tmp_path_factory.mktemp("gallery") / "page.html"
    made.write(path)
    return path


@pytest.fixture(params=[1280, 390])
def opened(browser: Browser, page: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    browser.open(page, request.param)
    yield browser
    assert browser.errors == [] and browser.run("document.title") == "Gallery"
    assert browser.run("document.documentElement.scrollWidth") <= request.param


def shown(browser: Browser) -> list[str]:
    items = "[...document.querySelector('.gallery').children].filter(i => i.checkVisibility())"
    return browser.run(f"{items}.map(i => i.querySelector('span').textContent)")


def wanted(**facts: str) -> list[str]:
    return [s.caption for s in SHOTS if facts.items() <= s.facts.items()]


def control(name: str) -> str:
    return (
        f"[...document.querySelectorAll('.filter label')].find(l => l.textContent.trim().startsWith({name!r})).control"
    )


def choose(browser: Browser, name: str, value: Any) -> None:
    """As a person sets a control."""
    browser.run(f"(c => {{ c.value = {value!r}; c.dispatchEvent(new Event('input')); }})({control(name)})")


def text(browser: Browser, selector: str) -> str:
    return browser.run(f"document.querySelector({selector!r}).textContent")


def test_it_is_filtered_by_what_is_there(opened: Browser):
    labels = opened.run("[...document.querySelectorAll('.filter label')].map(l => l.firstChild.data.trim())")
    assert labels == [
        "class",
        "predicted",
        "answer",
        "confidence in % from",
        "to",
    ]  # of one fold, and of two alike, no filter
    options = opened.run(f"[...{control('class')}.options].map(o => o.text)")
    assert options[0] == "all" and options[-1] == "cat (6)" and options.index("9 (6)") < options.index("10 (6)")
    choose(opened, "class", "=" + HOSTILE)
    assert shown(opened) == wanted(**{"class": HOSTILE})
    choose(opened, "answer", "=wrong")
    assert shown(opened) == wanted(**{"class": HOSTILE, "answer": "wrong"}) and len(shown(opened)) == 2
    assert text(opened, ".count") == "2 of 24 pictures"
    choose(opened, "predicted", "=cat")
    assert shown(opened) == []
    opened.run("document.querySelector('.filter button').click()")
    assert len(shown(opened)) == 24 and text(opened, ".count") == "24 pictures"
    assert opened.run(f"{control('class')}.value") == "" and opened.run(
        "document.querySelector('.filter button').disabled"
    )


def test_it_is_filtered_by_confidence(opened: Browser):
    assert opened.run(f"[{control('confidence')}.value, {control('to')}.value]") == ["50", "96"]
    choose(opened, "confidence", "70")
    assert shown(opened) == [f"picture {i}" for i in range(10, 24)]
    choose(opened, "to", "80")
    assert shown(opened) == [f"picture {i}" for i in range(10, 16)]
    choose(opened, "to", "")
    assert shown(opened) == [f"picture {i}" for i in range(10, 24)]


IS_OPEN = "document.querySelector('dialog').open"
BARS = "[...document.querySelectorAll('.bars li')].map(l => [...l.children].slice(0, 2).map(s => s.textContent).join(': '))"


def test_a_click_enlarges_and_the_arrows_go_on(opened: Browser):
    opened.point("document.querySelectorAll('.open')[3]", click=True)
    assert opened.run(IS_OPEN) and text(opened, "dialog h2") == "picture 3"
    facts = "Object.fromEntries([...document.querySelectorAll('dialog dt')].map(t => [t.textContent, t.nextElementSibling.textContent]))"
    assert opened.run(facts) == {**SHOTS[3].facts, "id": "id-3", "confidence": "56.0 %"}
    assert opened.run(BARS) == ["cat: 56.0 %", f"{HOSTILE}: 20.0 %"]
    box = opened.run("document.querySelector('dialog img').getBoundingClientRect().toJSON()")
    assert (
        box["width"] > 250
        and box["left"] >= 0
        and opened.run("document.querySelector('dialog img').alt") == "picture 3"
    )
    same = "document.querySelector('dialog img').src === document.querySelectorAll('.gallery img')[{}].src"
    assert opened.run(same.format(3))
    opened.press("ArrowRight")
    assert text(opened, "dialog h2") == "picture 4" and opened.run(same.format(4))
    assert opened.run(BARS)[0] == "cat (its label): 58.0 %"
    opened.press("ArrowLeft")
    opened.press("ArrowLeft")
    assert text(opened, "dialog h2") == "picture 2" and text(opened, "dialog .count") == "3 of 24"
    opened.press("End")
    assert text(opened, "dialog h2") == "picture 23"
    opened.press("ArrowRight")
    assert text(opened, "dialog h2") == "picture 23"
    opened.press("Escape")
    assert opened.run(IS_OPEN) is False
    assert comes_true(opened, "document.activeElement.getAttribute('aria-label') === 'Enlarge: picture 23'")


def test_it_works_by_keys_alone_and_goes_through_what_the_filter_shows(opened: Browser):
    choose(opened, "answer", "=wrong")
    among = wanted(answer="wrong")
    opened.run("document.querySelector('.filter button').focus()")
    for _ in range(3):
        opened.press("Tab")
        if opened.run("document.activeElement.className") == "open":
            break
    assert opened.run("document.activeElement.getAttribute('aria-label')") == f"Enlarge: {among[0]}"
    opened.press("Enter")
    assert opened.run(IS_OPEN) and text(opened, "dialog .count") == f"1 of {len(among)}"
    opened.press("ArrowRight")
    assert text(opened, "dialog h2") == among[1]
    opened.press("Tab")
    assert opened.run("document.querySelector('dialog').contains(document.activeElement)")
    opened.run("[...document.querySelectorAll('dialog button')].at(-1).click()")
    assert opened.run(IS_OPEN) is False


def test_a_caption_alone_is_enlarged_too(opened: Browser):
    opened.run("document.querySelectorAll('.gallery')[1].querySelector('.open').click()")
    assert (
        text(opened, "dialog h2") == "one" and opened.run("document.querySelector('.bars').checkVisibility()") is False
    )
    assert opened.run("document.querySelectorAll('.filter').length") == 1
