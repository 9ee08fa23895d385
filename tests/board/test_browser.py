"""The board in a real browser: as a file and served, on wide and narrow screens, dark and light; it follows what runs, and compares."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.board.overview import read_overview
from harness.board.page import write_board
from harness.board.reading import Reader
from harness.board.server import Board, Server
from tests.board.drawn import draw_board, draw_progress, draw_run
from tests.browser import Browser, browser_path
from tests.conftest import REPOSITORY

AXE = Path(os.environ.get("HARNESS_AXE", REPOSITORY / ".venv/npm/node_modules/axe-core/axe.min.js"))

pytestmark = pytest.mark.skipif(browser_path() is None, reason="no Chromium here (or name it: HARNESS_CHROMIUM)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = browser_path()
    assert path
    try:
        found = Browser(path)
    except (OSError, TimeoutError) as error:
        pytest.skip(f"{path} does not start here: {error}")
    yield found
    found.close()


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
    browser.run(AXE.read_text(encoding="utf-8") + "; 0")
    told = "r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).slice(0, 3).join(' | '))"
    assert browser.run(f"axe.run().then(r => {told})") == []


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
