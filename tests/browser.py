"""A real headless Chromium for tests of pages, driven by Playwright: the one of the system, so that none is fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
FLAGS = ("--disable-dev-shm-usage", "--disable-gpu")
PATIENCE = 90_000
"""Milliseconds that an answer may take: axe-core on a large page, on a machine that does other work."""


def browser_path() -> str | None:
    """The browser that HARNESS_CHROMIUM names, or that is on the path; None where there is none."""
    return os.environ.get("HARNESS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A desk's window and a phone's, of which one is looked at. `errors` holds what the console and the network complained of
    since the last `open`.

    Raises
    ------
    playwright.sync_api.Error
        If the browser does not start.
    """

    def __init__(self, path: str) -> None:
        self.errors: list[str] = []
        self._own: str | None = None
        self._playwright = sync_playwright().start()
        try:
            self._chromium = self._playwright.chromium.launch(executable_path=path, args=FLAGS, chromium_sandbox=False)
        except Exception:
            self._playwright.stop()
            raise
        self._tabs: dict[bool, tuple[Page, CDPSession]] = {}
        self._page, self._devtools = self._tab(is_phone=False)

    def open(self, page: Path | str, width: int = 1280, dark: bool = False) -> None:
        """Open a file, or an address whose page may ask its own server, and wait until it is loaded. Below 600 px it is a phone."""
        self._page.goto("about:blank")  # what the page before still asks for is none of this one's
        self.errors = []
        url = page if isinstance(page, str) else page.absolute().as_uri()
        self._own = "/".join(url.split("/")[:3]) + "/" if isinstance(page, str) else None
        self._page, self._devtools = self._tab(is_phone=width < 600)
        self._page.set_viewport_size({"width": width, "height": 900})
        self._page.emulate_media(color_scheme="dark" if dark else "light")
        self._page.goto(url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it comes to.

        By the protocol itself: Playwright's own `evaluate` needs an eval(), which the policy of our pages forbids.
        """
        told = self._devtools.send(
            "Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True}
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """A key as a person presses it: 'Tab', 'Enter', 'Space', 'Escape', 'ArrowLeft', 'Shift+Tab' ..."""
        self._page.keyboard.press(key)

    def point(self, element: str, x: float = 0.5, y: float = 0.5, click: bool = False, scroll: bool = True) -> None:
        """Move the mouse onto an element, an expression, at these shares of its width and height; or click there."""
        if scroll:
            self.run(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # events of scrolling
        box = self.run(f"{element}.getBoundingClientRect().toJSON()")
        at = box["left"] + x * box["width"], box["top"] + y * box["height"]
        (self._page.mouse.click if click else self._page.mouse.move)(*at)

    def cpu_seconds(self) -> float:
        """Processor time of the page's main thread since it was opened."""
        told = self._devtools.send("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in told if metric["name"] == "TaskDuration")

    def picture(self, path: Path) -> None:
        """Save what the whole page looks like as PNG."""
        self._page.screenshot(path=path, full_page=True)

    def close(self) -> None:
        """End the browser."""
        self._chromium.close()
        self._playwright.stop()

    def _tab(self, is_phone: bool) -> tuple[Page, CDPSession]:
        if is_phone not in self._tabs:
            context = self._chromium.new_context(is_mobile=is_phone, has_touch=is_phone)
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            page.on("console", self._console)
            page.on("pageerror", lambda error: self.errors.append(str(error)))
            page.on("request", self._request)
            devtools = context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            self._tabs[is_phone] = page, devtools
        return self._tabs[is_phone]

    def _console(self, message: ConsoleMessage) -> None:
        self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if request.url.startswith("http") and (self._own is None or not request.url.startswith(self._own)):
            self.errors.append(f"asks the network for {request.url}")


def comes_true(browser: Browser, expression: str) -> bool:
    """Whether it is true within five seconds: what follows a key or a scroll may come later than the call."""
    look = f"const look = () => {expression} ? done(true) : setTimeout(look, 20); look()"
    return browser.run(f"new Promise(done => {{ {look}; setTimeout(() => done(false), 5000); }})")
