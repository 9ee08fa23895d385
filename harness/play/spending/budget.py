"""The budget: wall time, or fold-epochs where machines are to be compared. Spent amounts survive a kill."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import read_json, write_json

_BEAT = 1.0  # seconds between two notes of the time spent


class OutOfTime(Exception):
    """The deadline came while a step was under way."""


class Budget(Protocol):
    """How much there is in all, and how much is spent; in `unit`.

    reserve : kept for the last steps: what is under way ends when no more than it is left
    """

    unit: str
    total: float
    reserve: float

    @property
    def spent(self) -> float:
        """So far, earlier calls included."""
        ...

    @property
    def left(self) -> float:
        """Until the end; not below zero."""
        ...

    def pay(self, cost: float) -> None:
        """A step of this predicted cost is done; time passes by itself."""
        ...

    def check(self) -> None:
        """Raise `OutOfTime` when all is spent."""
        ...


class WallTime:
    """Seconds on this machine. The time that earlier calls spent counts, whatever became of it.

    Attributes
    ----------
    path : where the seconds spent are noted once a second, so that a kill loses one at most
    """

    def __init__(self, seconds: float, path: Path) -> None:
        self.unit, self.total, self.path, self.reserve = "s", seconds, path, 0.0
        self._before, self._began = _noted(path), time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds, earlier calls included."""
        return self._before + time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds; not below zero."""
        return max(self.total - self.spent, 0.0)

    def pay(self, cost: float) -> None:
        """Time passes by itself."""

    def check(self) -> None:
        """End the step under way, if its time and what is reserved for the last steps is all there is."""
        if self.left <= self.reserve:
            raise OutOfTime

    @contextmanager
    def running(self) -> Iterator[None]:
        """Note the seconds spent while the body runs."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT):
                self._note()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._note()

    def _note(self) -> None:
        with contextlib.suppress(OSError, UserError):  # a full disk is told by the step that needs it
            write_json(self.path, {"seconds": round(self.spent, 3)})


class FoldEpochs:
    """Epochs of one fold of the built-in `quick` recipe; dearer networks cost more by their arithmetic, time nothing.

    The same budget buys the same plan on every machine, and a kill costs nothing but time.
    """

    def __init__(self, total: float) -> None:
        self.unit, self.total, self.reserve = "fold-epochs", total, 0.0
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """Fold-epochs of steps that are done, by this call or an earlier one."""
        return self._spent

    @property
    def left(self) -> float:
        """Fold-epochs; not below zero."""
        return max(self.total - self._spent, 0.0)

    def pay(self, cost: float) -> None:
        """A step of this cost is done, now or by an earlier call."""
        self._spent += cost

    def check(self) -> None:
        """Nothing ends in the middle of a step."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Nothing is noted: the journal knows what was paid."""
        yield


def _noted(path: Path) -> float:
    with contextlib.suppress(OSError, UserError, KeyError, TypeError, ValueError):
        return float(read_json(path)["seconds"])
    return 0.0


class DeadlineWatcher(LineWatcher):
    """Passes everything on to another watcher and ends the work when the budget is spent."""

    def __init__(self, inner: LineWatcher, budget: Budget) -> None:
        self.inner, self.budget = inner, budget
        super().__init__(inner.quiet)

    def say(self, text: str) -> None:
        """Tell the user a line."""
        self.inner.say(text)

    def begin(self, stage: str) -> None:
        """A new stage begins."""
        self.inner.begin(stage)

    def expect(self, folds: int) -> None:
        """How many folds are worked on."""
        self.inner.expect(folds)

    def progress(self, fold: int, done: int, total: int, epoch: Mapping[str, float] | None = None) -> None:
        """A fold's progress."""
        self.budget.check()
        self.inner.progress(fold, done, total, epoch)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Around work that cannot tell how far it is."""
        with self.inner.waiting(what):
            yield

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far."""
        self.budget.check()
        self.inner.decoding(done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far."""
        self.budget.check()
        self.inner.unpacking(done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """How far a stage without folds is."""
        self.budget.check()
        self.inner.working(what, done, total)

    def downloading(self, done: int, total: int | None) -> None:
        """Bytes downloaded so far."""
        self.budget.check()
        self.inner.downloading(done, total)


def silent() -> Any:
    """A watcher that says nothing."""
    return LineWatcher(quiet=True)
