"""How long pages take to open that hold much: 42,000 rows, 50 runs; in a real headless Chromium.

python -m benchmarks.pages [--rounds 5] [--keep DIR] [--json]

Each page is opened several times, in turns. Bytes: of the file. Script: bytes of what is inlined. Nodes: of the document when
it is loaded. Load: from the start of the navigation to the load event. First use: until a click on the first head of a table (else of a
link) was answered and the next picture drawn. Of the page's own thread: its processor time until then, which a busy machine changes least.
Medians, and in brackets the slowest. The bounds: 5 MB, 30 kB of script, 1 s.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import load_before, say
from benchmarks.pages.drawn import draw_pages
from harness.base.errors import UserError
from harness.board.server import Board, Server
from tests.browser import Browser, browser_path

MOST_BYTES, MOST_SCRIPT, MOST_SECONDS = 5_000_000, 30_000, 1.0

_LOAD = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
_FIRST_USE = """new Promise(done => {
  (document.querySelector('main th button') || document.body).click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() / 1000)));
})"""
_SENT = "performance.getEntriesByType('navigation')[0].decodedBodySize"
_NODES = "document.getElementsByTagName('*').length"
_SCRIPTS = "[...document.querySelectorAll('script:not([type])')].map(s => new Blob([s.textContent]).size)"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--keep", type=Path, default=None, help="folder that the pages stay in")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    path = browser_path()
    if path is None:
        raise UserError("no Chromium here; name it: HARNESS_CHROMIUM=/usr/bin/chromium")
    with tempfile.TemporaryDirectory() as scratch:
        say("drawing the pages")
        out = given.keep or Path(scratch)
        pages: dict[str, Path | str] = {**draw_pages(out)}
        with served(out) as address:
            pages["board, served"] = address
            found = measured(path, pages, given.rounds)
    print(json.dumps({"pages": found, "load_before": load_before()}, indent=1) if given.json else table(found))


@contextmanager
def served(out: Path) -> Iterator[str]:
    """The address of the board of a folder of results, while it is served."""
    with Server(Board(out)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.address
        server.shutdown()


def measured(browser_at: str, pages: Mapping[str, Path | str], rounds: int) -> dict[str, dict[str, Any]]:
    """Each page's figures; the browser opens all of them in turns, after one turn that is not measured."""
    browser = Browser(browser_at)
    found: dict[str, dict[str, Any]] = {name: {"load": [], "first use": [], "thread": []} for name in pages}
    try:
        for number in range(rounds + 1):
            for name, path in pages.items():
                browser.open(path)
                load, use = browser.run(_LOAD), browser.run(_FIRST_USE)
                if not number:
                    scripts = browser.run(_SCRIPTS)
                    size = path.stat().st_size if isinstance(path, Path) else browser.run(_SENT)
                    told = {"script": sum(scripts), "nodes": browser.run(_NODES), "errors": browser.errors}
                    found[name] |= {"bytes": size} | told
                    continue
                found[name]["load"].append(load)
                found[name]["first use"].append(use)
                found[name]["thread"].append(browser.cpu_seconds())
    finally:
        browser.close()
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    """A line for each page, and which of them break a bound."""
    lines = [
        f"{'page':<32}{'bytes':>11}{'script':>9}{'nodes':>9}  {'load, s':<16}{'first use, s':<16}{'thread, s':<16}"
    ]
    for name, of in found.items():
        times = [f"{median(of[key]):.2f} ({max(of[key]):.2f})" for key in ("load", "first use", "thread")]
        over = [
            what
            for what, is_over in (
                ("too large", of["bytes"] > MOST_BYTES),
                ("too much script", of["script"] > MOST_SCRIPT),
                ("too slow", median(of["first use"]) > MOST_SECONDS),
                *((error, True) for error in of["errors"]),
            )
            if is_over
        ]
        lines.append(
            f"{name:<32}{of['bytes']:>11,}{of['script']:>9,}{of['nodes']:>9,}  {''.join(f'{time:<16}' for time in times)}{', '.join(over)}".rstrip()
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
