"""A real headless Chromium for tests of pages: driven over a pipe by its own protocol, so that nothing but the browser is needed."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

PATIENCE = 90
"""Seconds that an answer may take: axe-core on a large page, on a machine that does other work."""

KEYS = {
    **{"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " "), "Escape": (27, "")},
    **{"End": (35, ""), "Home": (36, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, "")},
}
"""Their numbers, and what they type."""


def browser_path() -> str | None:
    """The browser that HARNESS_CHROMIUM names, or that is on the path; None where there is none."""
    return os.environ.get("HARNESS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab. `errors` holds what the console and the network complained of since the last `open`."""

    def __init__(self, path: str) -> None:
        self._profile = tempfile.mkdtemp()
        to_browser, self._write = _pipe()
        self._read, from_browser = _pipe()
        actions = [(os.POSIX_SPAWN_DUP2, to_browser, 3), (os.POSIX_SPAWN_DUP2, from_browser, 4)]
        silent = os.open(os.devnull, os.O_RDWR)
        actions += [(os.POSIX_SPAWN_DUP2, silent, place) for place in (1, 2)]
        command = [path, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._pid = os.posix_spawn(path, command, os.environ, file_actions=actions)
        for end in (to_browser, from_browser, silent):
            os.close(end)
        self._ids, self._rest, self._session = itertools.count(1), b"", None
        self.errors: list[str] = []
        self._own: str | None = None
        target = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Performance.enable", timeDomain="threadTicks")
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)  # as if its window were in front

    def open(self, page: Path | str, width: int = 1280, dark: bool = False) -> None:
        """Open a file, or an address whose page may ask its own server, and wait until it is loaded."""
        self._navigate("about:blank")  # what the page before still asks for is none of this one's
        self.errors = []
        url = page if isinstance(page, str) else page.absolute().as_uri()
        self._own = "/".join(url.split("/")[:3]) + "/" if isinstance(page, str) else None
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._navigate(url)

    def _navigate(self, url: str) -> None:
        self._loaded = False
        self._call("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE
        while not self._loaded:
            self._receive(end)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it comes to."""
        told = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """A key as a person presses it: 'Tab', 'Enter', 'Space', 'Escape', 'Home', 'End', 'ArrowLeft', 'ArrowRight'."""
        code, text = KEYS[key]
        name = " " if key == "Space" else key
        about = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def point(self, element: str, x: float = 0.5, y: float = 0.5, click: bool = False, scroll: bool = True) -> None:
        """Move the mouse onto an element, an expression, at these shares of its width and height; or click there."""
        if scroll:
            self.run(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # events of scrolling
        box = self.run(f"{element}.getBoundingClientRect().toJSON()")
        at = {"x": box["left"] + x * box["width"], "y": box["top"] + y * box["height"]}
        self._call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def cpu_seconds(self) -> float:
        """Processor time of the page's main thread since it was opened."""
        told = self._call("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in told if metric["name"] == "TaskDuration")

    def picture(self, path: Path) -> None:
        """Save what the whole page looks like as PNG."""
        told = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)  # it ends when nobody listens
        os.waitpid(self._pid, 0)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        sent = memoryview(json.dumps(message).encode() + b"\0")
        while sent:
            sent = sent[os.write(self._write, sent) :]
        end = time.monotonic() + PATIENCE
        while (told := self._receive(end)).get("id") != number:
            pass
        assert "error" not in told, told["error"]
        return told["result"]

    def _receive(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], max(0, end - time.monotonic()))[0]:
                raise subprocess.TimeoutExpired("chromium", PATIENCE)
            found = os.read(self._read, 2**20)
            if not found:
                raise OSError("the browser ended")
            self._rest += found
        message, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        self._note(told)
        return told

    def _note(self, told: dict[str, Any]) -> None:
        method, parameters = told.get("method"), told.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.errors.append(str(parameters["args"]))
        elif method == "Network.requestWillBeSent" and parameters["request"]["url"].startswith("http"):
            url = parameters["request"]["url"]
            if self._own is None or not url.startswith(self._own):
                self.errors.append(f"asks the network for {url}")


def comes_true(browser: Browser, expression: str) -> bool:
    """Whether it is true within five seconds: what follows a key or a scroll may come later than the call."""
    look = f"const look = () => {expression} ? done(true) : setTimeout(look, 20); look()"
    return browser.run(f"new Promise(done => {{ {look}; setTimeout(() => done(false), 5000); }})")


def _pipe() -> tuple[int, int]:
    """Two ends with numbers above those that the browser takes."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
