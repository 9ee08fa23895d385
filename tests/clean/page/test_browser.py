"""The page of verdicts in a real browser: families, filters, undo, and that what is saved is what it shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.clean.page import write_page
from harness.clean.verdicts import Verdict, read_verdicts, verdicts_text
from harness.competition import Samples
from tests.browser import Browser, browser_path, comes_true
from tests.clean.cells import cells
from tests.pages import AXE, violations

NASTY = '</script><b id="x">a, "quoted" & more\nü'
CLASSES = ("purple", "red", "blue")
VERDICTS = [
    Verdict("r0", "near duplicate", "group", "family-r0", "like id r1"),
    Verdict("r1", "exact duplicate", "group", "family-r0", NASTY),
    Verdict("r2", "near duplicate", "group", "family-r2", "like id r3"),
    Verdict("r3", "near duplicate", "group", "family-r2", "like id r2"),
    Verdict("r4", "foreign", "exclude", "", "odd"),
    Verdict("r5", "label error", "keep", "", "to red; OOF gives it 0.91"),
    Verdict("r6", "label error", "keep", "", "no class named"),
    Verdict("r7", "near duplicate", "group", "family-r0", "like id r1"),
    Verdict("gone.png", "broken", "exclude", "", "cannot be decoded"),
]

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images, labels = cells(8)
    path = tmp_path_factory.mktemp("clean") / "clean.html"
    samples = Samples(np.array([f"r{i}" for i in range(8)]), images, labels)
    write_page(path, "Cells: clean", "drawn", [], VERDICTS, samples, CLASSES, path.with_name("clean.csv"))
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Browser]:
    browser.open(page)
    yield browser
    assert browser.errors == []


FAMILY = "document.querySelector('[aria-label={}] .all select')"


def choose(browser: Browser, element: str, value: str) -> None:
    """As a person chooses a value of a select."""
    browser.run(f"(s => {{ s.value = {value!r}; s.dispatchEvent(new Event('change')); }})({element})")


def click(browser: Browser, name: str) -> None:
    browser.run(f"document.getElementById({name!r}).click()")


def text(browser: Browser, name: str) -> str:
    return browser.run(f"document.getElementById({name!r}).textContent")


def actions(browser: Browser) -> dict[str, str]:
    """What the page shows, by id."""
    return browser.run(
        "Object.fromEntries([...document.querySelectorAll('.row')].map(r => [r.dataset.id, r.querySelector('select').value]))"
    )


def in_sight(browser: Browser) -> set[str]:
    return set(
        browser.run("[...document.querySelectorAll('.row')].filter(r => r.checkVisibility()).map(r => r.dataset.id)")
    )


def saved(browser: Browser) -> str:
    """The file that the browser would save; the page is asked for it as by a click."""
    return browser.run(
        "new Promise(done => { const real = URL.createObjectURL; URL.createObjectURL = blob => { blob.text().then(done); "
        "URL.createObjectURL = real; return '#'; }; document.getElementById('save').click(); })"
    )


def with_actions(changed: dict[str, str]) -> list[Verdict]:
    return [replace(v, action=changed.get(v.id, v.action)) for v in VERDICTS]


ALL = {v.id: v.action for v in VERDICTS}


def test_a_family_is_changed_at_once_and_a_row_of_it_alone(opened: Browser):
    family = FAMILY.format("family-r0")
    assert in_sight(opened) == set(ALL) and actions(opened) == ALL
    assert opened.run(f"{family}.value") == "group"
    assert opened.run(f"{family}.labels[0].textContent").startswith("all 3 rows of family-r0 ")
    choose(opened, family, "exclude")
    assert actions(opened) == ALL | dict.fromkeys(("r0", "r1", "r7"), "exclude")
    assert text(opened, "changes") == "3 changed, not saved yet" and text(opened, "undo") == "Undo: 3 rows to exclude"
    choose(opened, "document.querySelector('[data-id=r7] select')", "keep")
    assert opened.run(f"{family}.selectedOptions[0].textContent") == "mixed"
    changed = {"r0": "exclude", "r1": "exclude", "r7": "keep"}
    assert saved(opened) == verdicts_text(with_actions(changed))
    click(opened, "undo")
    assert opened.run(f"{family}.value") == "exclude"
    click(opened, "undo")
    assert actions(opened) == ALL and text(opened, "changes") == "nothing changed"
    assert text(opened, "undo") == "Nothing to undo" and saved(opened) == verdicts_text(VERDICTS)


def test_a_kind_is_changed_at_once_and_only_rows_whose_evidence_names_a_class_are_relabelled(opened: Browser):
    errors = "[...document.querySelectorAll('section')].find(s => s.innerText.startsWith('Label error')).querySelector('.all select')"
    choose(opened, errors, "relabel")
    assert actions(opened) == ALL | {"r5": "relabel"} and opened.run(f"{errors}.value") == ""
    assert text(opened, "changes") == "1 changed, not saved yet; 1 row left as before: the evidence names no class"
    disabled = "document.querySelector('[data-id={}] select').options[3].disabled"
    assert opened.run(disabled.format("r6")) is True and opened.run(disabled.format("r5")) is False


def test_what_a_filter_shows_is_changed_at_once_and_nothing_else(opened: Browser, tmp_path: Path):
    choose(opened, "document.getElementById('kind')", "near duplicate")
    assert in_sight(opened) == {"r0", "r2", "r3", "r7"} and text(opened, "count") == "4 of 9 rows shown"
    choose(opened, "document.getElementById('class')", "purple")  # every third
    assert in_sight(opened) == {"r0", "r3"}
    label = opened.run(f"{FAMILY.format('family-r0')}.labels[0].textContent")
    assert label.startswith("all 3 rows of family-r0 (1 shown)")
    choose(opened, "document.getElementById('to')", "keep")
    click(opened, "set")
    assert in_sight(opened) == {"r0", "r3"}  # what was acted on stays in sight
    assert actions(opened) == ALL | {"r0": "keep", "r3": "keep"}
    (tmp_path / "clean.csv").write_text(saved(opened), encoding="utf-8", newline="")
    assert read_verdicts(tmp_path / "clean.csv") == with_actions({"r0": "keep", "r3": "keep"})
    for name in ("kind", "class"):
        choose(opened, f"document.getElementById('{name}')", "")
    choose(opened, "document.getElementById('action')", "keep")
    assert in_sight(opened) == {"r0", "r3", "r5", "r6"}
    click(opened, "undo")
    assert actions(opened) == ALL
    choose(opened, "document.getElementById('action')", "")
    opened.run(
        "(i => { i.value = 'FAMILY-r0  quoted'; i.dispatchEvent(new Event('input')); })(document.getElementById('text'))"
    )
    assert in_sight(opened) == {"r1"}
    assert opened.run("[...document.querySelectorAll('section')].filter(s => s.checkVisibility()).length") == 1


def test_it_works_by_keys_alone(opened: Browser):
    opened.run("document.getElementById('kind').focus()")
    met = []
    for _ in range(6):
        opened.press("Tab")
        met.append(opened.run("document.activeElement.id"))
    assert met[:5] == ["class", "action", "text", "to", "set"]
    opened.run("document.getElementById('to').value = 'exclude'; document.getElementById('set').focus()")
    opened.press("Enter")
    assert set(actions(opened).values()) == {"exclude"}
    opened.run("document.getElementById('undo').focus()")
    opened.press("Space")
    assert actions(opened) == ALL and opened.run("document.activeElement.id") == "undo"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_axe_finds_nothing_after_changes(browser: Browser, page: Path, width: int, dark: bool):
    browser.open(page, width, dark)
    choose(browser, FAMILY.format("family-r0"), "exclude")
    choose(browser, "document.querySelector('[data-id=r7] select')", "keep")
    assert browser.errors == [] and browser.run("document.documentElement.scrollWidth") <= width
    if pictures := os.environ.get("HARNESS_PICTURES"):
        browser.picture(Path(pictures) / f"clean-{width}-{'dark' if dark else 'light'}.png")
    if not AXE.is_file():
        pytest.skip(f"no axe-core in {AXE}: make test installs it where there is npm")
    assert violations(browser) == []


MANY = 1_400


@pytest.fixture
def large(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A page of more rows than its HTML holds: families of two, then single ones."""
    images, labels = cells(MANY)
    kinds = [
        ("exact duplicate", f"family-{i // 2}", NASTY) if i < 700 else ("label error", "", "to red; likely")
        for i in range(MANY)
    ]
    verdicts = [Verdict(f"r{i}", kind, "keep", group, why) for i, (kind, group, why) in enumerate(kinds)]
    samples = Samples(np.array([f"r{i}" for i in range(MANY)]), images, labels)
    write_page(tmp_path / "clean.html", "Many", "drawn", [], verdicts, samples, CLASSES, tmp_path / "clean.csv")
    browser.open(tmp_path / "clean.html")
    yield browser
    assert browser.errors == []


def test_of_many_rows_those_near_the_window_have_controls(large: Browser):
    row = "document.querySelector('[data-id=r{}] select')"
    assert large.run(f"{row.format(0)} !== null && {row.format(MANY - 1)} === null")
    assert text(large, "count") == f"{MANY:,} of {MANY:,} rows shown"
    large.run("document.querySelector('section:last-of-type .family:last-child').scrollIntoView()")
    assert comes_true(large, f"{row.format(MANY - 1)} !== null")
    shown = f"{row.format(MANY - 1)}.closest('.row')"
    assert large.run(f"{shown}.querySelector('img').naturalWidth") > 0
    said = large.run(f"{shown}.textContent")
    assert "label error" not in said and said.endswith("to red; likely")
    choose(large, row.format(MANY - 1), "relabel")
    assert text(large, "changes") == "1 changed, not saved yet" and saved(large).count(",relabel,") == 1


def test_of_many_rows_those_that_were_never_near_are_changed_and_filtered_too(large: Browser):
    choose(large, "document.getElementById('kind')", "label error")
    choose(large, "document.getElementById('to')", "exclude")
    click(large, "set")
    assert text(large, "changes") == "700 changed, not saved yet" and saved(large).count(",exclude,") == 700
    large.run("(i => { i.value = 'r1399'; i.dispatchEvent(new Event('input')); })(document.getElementById('text'))")
    assert comes_true(large, "document.querySelector('[data-id=r1399] select')?.value === 'exclude'")
    assert in_sight(large) == {"r1399"}
    click(large, "undo")
    assert large.run("document.querySelector('[data-id=r1399] select').value") == "keep"
    assert text(large, "changes") == "nothing changed"
    choose(large, "document.getElementById('kind')", "")
    large.run(
        "(i => { i.value = 'family-349'; i.dispatchEvent(new Event('input')); })(document.getElementById('text'))"
    )
    assert comes_true(large, f"{FAMILY.format('family-349')} !== null") and in_sight(large) == {"r698", "r699"}
    choose(large, FAMILY.format("family-349"), "group")
    assert saved(large).count(",group,family-349,") == 2
