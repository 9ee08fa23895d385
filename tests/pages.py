"""What every page must be, looked at in a real browser: on wide and narrow screens, light and dark."""

from __future__ import annotations

import os
from pathlib import Path

from tests.browser import Browser
from tests.conftest import REPOSITORY

AXE = Path(os.environ.get("HARNESS_AXE", REPOSITORY / ".venv/npm/node_modules/axe-core/axe.min.js"))
LOOKS = [(width, dark) for width in (1280, 390) for dark in (False, True)]

_VIOLATIONS = (
    "axe.run({}).then(r => r.violations.map(v => v.id + ': '"
    " + v.nodes.map(n => n.html.slice(0, 120)).slice(0, 3).join(' | ')))"
)
_LINKED = "[...document.querySelectorAll('a[href]')].map(a => a.href).filter(h => h.startsWith('file:'))"


def faults_of(browser: Browser, page: Path, width: int, dark: bool) -> list[str]:
    """What is wrong with a page as it is opened: console, network, width, landmarks, links that lead nowhere, axe-core where it is
    installed; [] where nothing is. HARNESS_PICTURES names a folder that gets a picture of it."""
    browser.open(page, width, dark)
    if pictures := os.environ.get("HARNESS_PICTURES"):
        name = "-".join(page.parts[-3:]).removesuffix(".html")
        browser.picture(Path(pictures) / f"{name}-{width}-{'dark' if dark else 'light'}.png")
    found = list(browser.errors)
    wide = browser.run("document.documentElement.scrollWidth")
    found += [f"{wide} px wide"] if wide > width else []
    found += ["not one <main> with one <h1>"] * (browser.run("document.querySelectorAll('main, h1').length") != 2)
    links = {link.partition("#")[0] for link in browser.run(_LINKED)}
    found += [f"dead link {link}" for link in sorted(links) if not path_of(link).exists()]
    return found + violations(browser)


def violations(browser: Browser, part: str = "document") -> list[str]:
    """What axe-core, where it is installed, says of the page as it is now, or of an element, an expression."""
    if not AXE.is_file():
        return []
    browser.run(AXE.read_text(encoding="utf-8") + "; 0")
    found: list[str] = browser.run(_VIOLATIONS.replace("{}", part))
    return found


def path_of(link: str) -> Path:
    """The file that a file: address names."""
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(link).path))


def one_of_each(*roots: Path) -> list[Path]:
    """A page of each kind below some folders: by its file's name, and runs by what made them."""
    found: dict[tuple[str, bool, bool], Path] = {}
    for root in roots:
        for page in sorted(root.rglob("*.html")):
            home = page.parent.name
            found.setdefault((page.name, "ensemble-" in home, "cluster" in home), page)
    return list(found.values())
