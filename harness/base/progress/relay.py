"""Progress for a machine that somebody follows from elsewhere: all that is told, as lines that are told again there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from harness.base.progress.lines import EPOCH_KEYS, EVERY, LineWatcher
from harness.base.untrusted_text import plain

RELAY = "harness-progress "
"""Begins a line of progress that is meant for another machine's watcher."""

_RELAYED: dict[str, tuple[type, ...]] = {
    "begin": (str,),
    "expect": (int,),
    "progress": (int, int, int),
    "epoch": (int, int, int, dict),
    "working": (str, int, int),
    **dict.fromkeys(("decoding", "unpacking", "downloading"), (int, int)),
}
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

    def expect(self, folds: int) -> None:
        """How many folds there are, for the other side."""
        if folds:
            self._relay("expect", folds)

    def batches(self, fold: int, done: int, total: int) -> None:
        """A fold's progress, for the other side."""
        self._at_times((self.stage, fold), "progress", fold, done, total)

    def epoch(self, fold: int, done: int, total: int, told: Mapping[str, float]) -> None:
        """An epoch of a fold, for the other side."""
        numbers = {key: float(told[key]) for key in EPOCH_KEYS if key in told}
        if self._is_time((self.stage, fold, "epoch"), done, total + 1):
            self._relay("epoch", fold, done, total, numbers)

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
        if self._is_time(key, done, total):
            self._relay(call, *values)

    def _is_time(self, key: object, done: int, total: int) -> bool:
        now = time.monotonic()
        pause = min(5.0 + (now - self._begun) / 100, EVERY)
        if done < total and now - self.told.get(key, -EVERY) < pause:
            return False
        self.told[key] = now
        return True

    def _relay(self, call: str, *values: Any) -> None:
        self.say(RELAY + json.dumps([call, *values]))


def replay(told: Any, watcher: LineWatcher) -> None:
    """Tell a watcher what a line of a `RelayWatcher` says; one that says something else is passed over (it is a stranger's)."""
    if not (isinstance(told, list) and told and isinstance(told[0], str) and told[0] in _RELAYED):
        return
    kinds, values = _RELAYED[told[0]], told[1:]
    if len(values) != len(kinds) or not all(_is(v, kind) for v, kind in zip(values, kinds, strict=True)):
        return
    known: list[Any] = [plain(v, 100) if isinstance(v, str) else v for v in values]
    if told[0] == "epoch":
        fold, done, total, numbers = known
        watcher.progress(fold, done, total, {key: numbers[key] for key in EPOCH_KEYS if key in numbers})
    else:
        getattr(watcher, told[0])(*known)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, and a number within what is shown."""
    if kind is dict:
        return isinstance(value, dict) and "epoch" in value and all(map(_is_number, value.values()))
    return type(value) is kind and (kind is not int or -1 <= value < 2**53)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15
