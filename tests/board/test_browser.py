"""The board in a real browser: as a file and served, on wide and narrow screens, dark and light; it follows what runs, and compares."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.board.overview import read_overview
from harness.board.page import write_board
from harness.board.reading import Reader
from harness.board.server import Board, Server
from harness.clean.page import write_page as write_clean
from harness.clean.verdicts import Verdict, read_verdicts, write_verdicts
from harness.competition import Samples
from tests.board.drawn import draw_board, draw_progress, draw_run
from tests.browser import Browser, browser_path
from tests.clean.cells import cells
from tests.pages import AXE, violations

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    out = draw_board(tmp_path_factory.mktemp("out"), runs=12)
    with Server(Board(out)) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def wait_for(browser: Browser, script: str) -> None:
    """Until an expression in the page is true, which may be loaded anew meanwhile: twenty seconds at most."""
    end = time.monotonic() + 20
    while not browser.run(f"document.querySelector('main') !== null && ({script})"):
        assert time.monotonic() < end, (script, browser.run("document.querySelector('main')?.innerText"))
        time.sleep(0.05)


LIVE = "document.querySelector('#s1').parentElement"


@pytest.mark.parametrize("served", [False, True], ids=["file", "served"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_board_fits_and_axe_finds_nothing(
    browser: Browser, server: Server, served: bool, dark: bool, width: int, tmp_path: Path
):
    page: Path | str = server.address if served else write_board(read_overview(server.board.out, Reader()))
    browser.open(page, width, dark)
    if served:
        wait_for(
            browser, f"{LIVE}.querySelector('svg') !== null && document.querySelector('input[type=checkbox]') !== null"
        )
        browser.run("document.querySelector('input[type=checkbox]').click()")
    assert browser.errors == [] and browser.run("document.title") == "Board"
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('main, h1').length") == 2
    if pictures := os.environ.get("HARNESS_PICTURES"):
        browser.picture(
            Path(pictures) / f"board-{'served' if served else 'file'}-{width}-{'dark' if dark else 'light'}.png"
        )
    if not AXE.is_file():
        pytest.skip(f"no axe-core in {AXE}: make test installs it where there is npm")
    assert violations(browser) == []


def test_it_follows_what_runs(browser: Browser, server: Server):
    browser.open(server.address)
    wait_for(browser, f"{LIVE}.innerText.includes('4 of 10')")
    assert "cells, study quick-1a2b: quick-trial" in browser.run(f"{LIVE}.innerText")
    wait_for(browser, f"{LIVE}.innerText.includes('1 running, 1 complete')")
    draw_progress(server.board.out / "oof/cells/quick-running", 1, epochs=9)
    wait_for(browser, f"{LIVE}.innerText.includes('9 of 10')")
    draw_progress(server.board.out / "oof/cells/quick-running", 1, epochs=4)
    assert browser.errors == []


def test_runs_that_are_ticked_are_compared(browser: Browser, server: Server):
    browser.open(server.address)
    wait_for(browser, "document.querySelector('input[type=checkbox]') !== null")
    boxes = (
        "[...document.querySelectorAll('input[type=checkbox]')].filter(b => b.ariaLabel.startsWith('compare quick'))"
    )
    bar = "document.querySelector('.bar')"
    assert browser.run(f"{bar}.hidden") is True
    browser.run(f"{boxes}.slice(0, 1).forEach(b => b.click())")
    assert "Tick another" in browser.run(f"{bar}.innerText")
    browser.run(f"{boxes}.slice(1, 2).forEach(b => b.click())")
    labels = browser.run(f"{boxes}.slice(0, 2).map(b => b.ariaLabel.replace('compare ', ''))")
    target = browser.run(f"{bar}.querySelector('a').getAttribute('href')")
    assert target == f"cells/compare-runs.html?run={labels[0]}&run={labels[1]}"
    browser.run("document.querySelector('input[aria-label^=\"compare x\"]').click()")
    assert "several competitions" in browser.run(f"{bar}.innerText")
    draw_run(server.board.out / "oof/cells/quick-later")
    wait_for(browser, f"{LIVE}.innerText.includes('Runs have changed')")
    assert browser.errors == []
    browser.run("document.querySelectorAll('input:checked').forEach(b => b.click())")
    wait_for(browser, "document.body.innerText.includes('quick-later')")


def test_verdicts_are_saved_from_the_page_of_cleaning(browser: Browser, server: Server):
    images, labels = cells(3)
    rows = [Verdict(f"r{i}", "foreign", "keep", "", f"odd {i}") for i in range(3)]
    folder = server.board.out / "oof/cells/clean"
    write_verdicts(
        folder / "clean.csv", [*rows[:2], replace(rows[2], action="exclude")]
    )  # changed since the page was written
    samples = Samples(np.array(["r0", "r1", "r2"]), images[:3], labels[:3])
    write_clean(
        folder / "clean.html", "Cells: clean", "drawn", [], rows, samples, ("a", "b", "c"), folder / "clean.csv"
    )
    browser.open(server.address + "oof/cells/clean/clean.html")
    wait_for(browser, "document.querySelector('.row[data-id=r2] select').value === 'exclude'")
    browser.run(
        "(s => { s.value = 'group'; s.dispatchEvent(new Event('change')); })(document.querySelector('.row select'))"
    )
    assert browser.run("document.querySelector('#changes').textContent") == "1 changed, not saved yet"
    browser.run("document.querySelector('#save').click()")
    wait_for(browser, "document.querySelector('#changes').textContent.includes('1 changed, saved in clean.csv')")
    assert [v.action for v in read_verdicts(folder / "clean.csv")] == ["group", "keep", "exclude"]
    assert browser.run("document.querySelectorAll('.row.changed').length") == 0 and browser.errors == []
    browser.run(
        "{const s = document.querySelector('section .all select'); s.value = 'exclude'; s.dispatchEvent(new Event('change'));}"
    )
    assert (
        browser.run("document.querySelector('#changes').textContent") == "2 changed, not saved yet"
    )  # one was excluded
    browser.run("document.querySelector('#save').click()")
    wait_for(browser, "document.querySelector('#changes').textContent.includes('2 changed, saved in clean.csv')")
    assert [v.action for v in read_verdicts(folder / "clean.csv")] == ["exclude"] * 3
    browser.run("document.querySelector('#undo').click(); document.querySelector('#save').click()")
    wait_for(browser, "document.querySelector('#changes').textContent.includes('2 changed, saved in clean.csv')")
    assert [v.action for v in read_verdicts(folder / "clean.csv")] == ["group", "keep", "exclude"]
