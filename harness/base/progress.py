"""Progress of long work: bars with the time left on a terminal, a line per fold elsewhere, nothing for --json."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from harness.base.python.notebook import NotebookBars, in_notebook
from harness.base.terminal import console
from harness.base.untrusted_text import plain, shown

T = TypeVar("T")

FEATURES = -1
"""Stands for the features of a frozen backbone where progress wants a fold's number."""


STAGE = "trained and predicted"
"""What is done to folds, unless another stage was begun."""

EVERY = 60.0
"""Seconds after which a log hears again of work that goes on."""


class LineWatcher:
    """For logs and pipes: a line when something is done, and one a minute with the time left while it goes on."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.started: dict[object, float] = {}
        self.told: dict[object, float] = {}
        self.stage = STAGE

    def say(self, text: str) -> None:
        """Print a line to stderr, where progress goes."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def progress(self, fold: int, done: int, total: int) -> None:
        """A fold's progress: batches done of all, as each fold's own bar or line."""
        key, name = (self.stage, fold), "features" if fold == FEATURES else f"fold {fold}"
        self._tell(key, name, done, total)
        if done >= total:
            what = "features: computed" if fold == FEATURES else f"{name}: {self.stage}"
            self.say(f"{what}, {time.monotonic() - self.started[key]:.0f} s")

    def _tell(self, key: object, name: str, done: int, total: int | None) -> None:
        """Say how far it is, if nothing was said of it for a minute."""
        now = time.monotonic()
        started = self.started.setdefault(key, now)
        if now - self.told.setdefault(key, started) < EVERY or not total or not 0 < done < total:
            return
        self.told[key] = now
        left = (now - started) * (total - done) / done
        self.say(f"{name}: {100 * done / total:.0f} %, {now - started:.0f} s so far, about {left:.0f} s left")

    def _done(self, key: object) -> None:
        """Forget when it began: the same work on other data begins anew."""
        self.started.pop(key, None)
        self.told.pop(key, None)

    def begin(self, stage: str) -> None:
        """What is done to the folds from now on, as it is said when one is done; one that was done before begins anew."""
        self.stage = stage
        for fold in [key for key in self.started if isinstance(key, tuple) and key[0] == stage]:
            del self.started[fold]
            self.told.pop(fold, None)

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far."""
        self._tell("decoding", "decoding images", done, total)
        if done == total:
            self._done("decoding")
            self.say(f"decoded {total:,} images (kept in the cache)")

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far."""
        self._tell("unpacking", "unpacking files", done, total)
        if done == total:
            self._done("unpacking")
            self.say(f"unpacked {total:,} files (kept in the cache)")

    def working(self, what: str, done: int, total: int) -> None:
        """A stage without folds, by its name: said when it begins, then once a minute how far it is."""
        if what not in self.started:
            self.say(what)
        self._tell(what, what, done, total)

    def over(self, what: str, steps: Sequence[T]) -> Iterator[T]:
        """The steps of a stage one by one, told as they are done."""
        for done, step in enumerate(steps):
            self.working(what, done, len(steps))
            yield step
        if steps:
            self.working(what, len(steps), len(steps))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Around work that cannot tell how far it is: said when it begins, then once a minute how long it has taken."""
        self.say(what)
        started, ended = time.monotonic(), threading.Event()

        def tell() -> None:
            while not ended.wait(EVERY):
                self.say(f"{what}: {time.monotonic() - started:.0f} s so far")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()

    def downloading(self, done: int, total: int | None) -> None:
        """Bytes downloaded so far; total None where the server does not tell."""
        self._tell("downloading", "downloading", done, total)
        if done == total:
            self._done("downloading")
            self.say(f"downloaded {total / 2**20:,.1f} MiB")


class BarWatcher(LineWatcher):
    """For people: a bar per fold with the time left."""

    def __init__(self, bars: Any) -> None:
        super().__init__()
        self.bars = bars
        self.tasks: dict[object, Any] = {}

    def begin(self, stage: str) -> None:
        """What is done to the folds from now on; bars of an earlier turn of it go."""
        super().begin(stage)
        for fold in [key for key in self.tasks if isinstance(key, tuple) and key[0] == stage]:
            self.bars.remove_task(self.tasks.pop(fold))

    def say(self, text: str) -> None:
        """Print a line to stderr, where progress goes."""
        self.bars.console.print(shown(text), highlight=False, markup=False)

    def progress(self, fold: int, done: int, total: int) -> None:
        """A fold's progress: batches done of all, as each fold's own bar or line."""
        named = {FEATURES: "features"}.get(fold, f"fold {fold}, noise" if "noise" in self.stage else f"fold {fold}")
        self._show((self.stage, fold), named, done, total)

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far."""
        self._show("decoding", "decoding images", done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far."""
        self._show("unpacking", "unpacking", done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """A stage without folds, by its name."""
        self._show(what, what, done, total)

    def downloading(self, done: int, total: int | None) -> None:
        """Bytes downloaded so far; total None where the server does not tell."""
        self._show("downloading", f"downloading, {done / 2**20:,.0f} MiB", done, total)

    def _show(self, key: object, name: str, done: int, total: int | None) -> None:
        if key not in self.tasks:
            self.tasks[key] = self.bars.add_task(plain(name), total=total)
        self.bars.update(self.tasks[key], description=plain(name), completed=done, total=total)


RELAY = "harness-progress "
"""Begins a line of progress that is meant for another machine's watcher."""

_RELAYED = {"begin": (str,), "progress": (int, int, int), "working": (str, int, int)} | dict.fromkeys(
    ("decoding", "unpacking", "downloading"), (int, int)
)
"""What a line may ask of a watcher, and of what kinds its values are."""


class RelayWatcher(LineWatcher):
    """For a machine that somebody follows from elsewhere: all that is told, as lines that `replay` reads.

    Whoever follows reads the log from its beginning again and again, so lines come the more rarely the longer it takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()

    def begin(self, stage: str) -> None:
        """A new stage, for the other side."""
        super().begin(stage)
        self._relay("begin", stage)

    def progress(self, fold: int, done: int, total: int) -> None:
        """A fold's progress, for the other side."""
        self._at_times((self.stage, fold), "progress", fold, done, total)

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far, for the other side."""
        self._at_times("decoding", "decoding", done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far, for the other side."""
        self._at_times("unpacking", "unpacking", done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """A stage without folds, for the other side."""
        self._at_times(what, "working", what, done, total)

    def _at_times(self, key: object, call: str, *values: Any) -> None:
        """Every few seconds, and when it is done."""
        done, total = values[-2:]
        now = time.monotonic()
        pause = min(5.0 + (now - self._begun) / 100, EVERY)
        if done >= total or now - self.told.get(key, -EVERY) >= pause:
            self.told[key] = now
            self._relay(call, *values)

    def _relay(self, call: str, *values: Any) -> None:
        self.say(RELAY + json.dumps([call, *values]))


def replay(told: Any, watcher: LineWatcher) -> None:
    """Tell a watcher what a line of a `RelayWatcher` says; one that says something else is passed over (it is a stranger's)."""
    if not (isinstance(told, list) and told and isinstance(told[0], str) and told[0] in _RELAYED):
        return
    kinds, values = _RELAYED[told[0]], told[1:]
    if len(values) != len(kinds) or any(type(v) is not kind for v, kind in zip(values, kinds, strict=True)):
        return
    numbers = [v for v in values if isinstance(v, int)]
    if all(-1 <= number < 2**53 for number in numbers):
        getattr(watcher, told[0])(*(plain(v, 100) if isinstance(v, str) else v for v in values))


@contextmanager
def watching(quiet: bool = False) -> Iterator[LineWatcher]:
    """Bars when stderr is a terminal or in a notebook, else lines; lines for another machine where $HARNESS_PROGRESS is "relay"."""
    if os.environ.get("HARNESS_PROGRESS") == "relay" and not quiet:
        yield RelayWatcher()
        return
    if not quiet and in_notebook():
        yield BarWatcher(NotebookBars())
        return
    if quiet or not sys.stderr.isatty():
        yield LineWatcher(quiet)
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as bars:
        yield BarWatcher(bars)
