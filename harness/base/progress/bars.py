"""Progress for people at a terminal: a bar per fold with its epoch, loss and score, and one of the whole run with the time left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.base.progress.lines import FEATURES, LineWatcher, epoch_words
from harness.base.terminal import console, hanging
from harness.base.untrusted_text import plain, shown

_RUN = "the run"
_STEPS = 1000  # the run's bar goes from 0 to this


class BarWatcher(LineWatcher):
    """For people: a bar per fold with the time left, and one of all folds together."""

    def __init__(self, bars: Any) -> None:
        super().__init__()
        self.bars = bars
        self.tasks: dict[object, Any] = {}
        self._said: dict[object, str] = {}

    def begin(self, stage: str) -> None:
        """What is done to the folds from now on; bars of an earlier turn of it go."""
        super().begin(stage)
        for fold in [key for key in self.tasks if isinstance(key, tuple) and key[0] == stage]:
            self._remove(fold)

    def say(self, text: str) -> None:
        """Print a line to stderr, where progress goes."""
        lines = (hanging(line, self.bars.console.width) for line in shown(text).split("\n"))
        self.bars.console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)

    def expect(self, folds: int) -> None:
        """So many folds are worked on from now on: the run has a bar of its own where there are several."""
        super().expect(folds)
        self._remove(_RUN)
        if folds > 1:
            self._show(_RUN, f"{_RUN}: 0 of {folds} folds", 0, _STEPS)

    def batches(self, fold: int, done: int, total: int) -> None:
        """Batches of a fold that are done."""
        key = (self.stage, fold)
        named = {FEATURES: "features"}.get(fold, f"fold {fold}, noise" if "noise" in self.stage else f"fold {fold}")
        if done < total and key in self._said:
            named = f"{named}, {self._said[key]}"
        self._show(key, named, done, total)
        if self.shares.folds > 1:
            name = f"{_RUN}: {self.shares.done} of {self.shares.folds} folds"
            self._show(_RUN, name, round(_STEPS * self.shares.share), _STEPS)

    def epoch(self, fold: int, done: int, total: int, told: Mapping[str, float]) -> None:
        """An epoch of a fold has ended: its numbers stand beside the bar."""
        self._said[self.stage, fold] = epoch_words(told)
        self.batches(fold, done, total)

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far."""
        self._show("decoding", "decoding images", done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far."""
        self._show("unpacking", "unpacking", done, total)

    def working(self, what: str, done: int, total: int) -> None:
        """A stage without folds, by its name."""
        self._show(what, what, done, total)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Around work that cannot tell how far it is: a bar that moves, and goes with the work."""
        key = (what, time.monotonic())
        self._show(key, what, 0, None)
        try:
            yield
        finally:
            self._remove(key)

    def downloading(self, done: int, total: int | None) -> None:
        """Bytes downloaded so far; total None where the server does not tell."""
        self._show("downloading", f"downloading, {done / 2**20:,.0f} MiB", done, total)

    def _show(self, key: object, name: str, done: int, total: int | None) -> None:
        if key not in self.tasks:
            self.tasks[key] = self.bars.add_task(plain(name), total=total)
        self.bars.update(self.tasks[key], description=plain(name), completed=done, total=total)

    def _remove(self, key: object) -> None:
        self._said.pop(key, None)
        if key in self.tasks:
            self.bars.remove_task(self.tasks.pop(key))


@contextmanager
def bar_watcher() -> Iterator[BarWatcher]:
    """Bars on stderr, within 80 columns; the time that is left, or when it is done the time that it took."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console(stderr=True)) as bars:
        yield BarWatcher(bars)
