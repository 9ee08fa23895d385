"""How far the work on a fold is: progress-K.jsonl in the run's folder, a line an epoch, gone when the fold stands.

A line is JSON: fold, stage, time (seconds since 1970), host, pid, done and total (images), eta (seconds left of the fold), images_per_s;
after an epoch also seed, epoch, epochs, loss, lr and what else was measured. Long epochs add a line every half a minute, so that the age
of the last line tells work that goes on from work that was killed. Whoever shares the folder can read it, from any machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.progress import FEATURES
from harness.base.untrusted_text import plain

Progress = Callable[..., None]
"""As `LineWatcher.progress`: fold, done, total, and where an epoch has ended its numbers."""

TRAINING, NOISE, COMPUTING = "training", "noise suite", "features"
"""Stages that a line may name."""

BEAT = 30.0
"""Seconds after which a line is written though no epoch has ended."""

DEAD = 4 * BEAT
"""Age in seconds of a last line from which on nobody is at work."""

_NAME = re.compile(r"progress-(-?\d+)\.jsonl")
_MOST_BYTES, _LONGEST = 2**20, 60
_NUMBERS = (
    *("time", "pid", "done", "total", "eta", "images_per_s", "seed", "epoch", "epochs"),
    *("loss", "lr", "watched_loss", "valid_loss", "valid_score", "train_score"),
)


class ProgressFile:
    """Written by the process that does the work. What cannot be written is left out: a full disk stops the work elsewhere."""

    def __init__(
        self,
        run: Path,
        fold: int,
        stage: str,
        inner: Progress,
        together: Sequence[int] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """fold : its number, or FEATURES; inner : who else is told of progress; together : folds that are worked on by the same call."""
        self.path, self.together = run / f"progress-{fold}.jsonl", list(together)
        self.inner, self.now, self.about = inner, now, {"fold": fold, "stage": stage}
        self.fold = fold
        self.done = self.total = self._before = 0
        self.last = self.started = now()

    def __enter__(self) -> ProgressFile:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._write({"host": socket.gethostname(), "pid": os.getpid(), "together": self.together})
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
        else:
            self._write({"stopped": True})

    def progress(self, fold: int, done: int, total: int) -> None:
        """As `LineWatcher.progress`, which is told too."""
        self.inner(fold, done, total)
        if self.done == 0:
            self.started = self.now()  # opening the data is no measure of what is to come
        self.done, self.total = done, total
        if self.now() - self.last >= BEAT:
            self._write({})

    def epoch(self, **told: Any) -> None:
        """An epoch has ended: numbers, None where one is not known."""
        known = {key: value for key, value in told.items() if value is not None}
        self._write(known)
        self.inner(self.fold, self.done, self.total, known)

    def _write(self, told: dict[str, Any]) -> None:
        now = self.now()
        line = {**self.about, "time": round(now, 2), **told, **self._pace(now)}
        self.last, self._before = now, self.done
        with contextlib.suppress(OSError), self.path.open("ab") as file:  # closed at once: what is written is seen
            file.write((json.dumps(line) + "\n").encode())

    def _pace(self, now: float) -> dict[str, Any]:
        if not 0 < self.done <= self.total:
            return {}
        found: dict[str, Any] = {"done": self.done, "total": self.total}
        if now > self.last and self.done > self._before:
            found["images_per_s"] = round((self.done - self._before) / (now - self.last), 1)
        if now > self.started:
            found["eta"] = round((now - self.started) * (self.total - self.done) / self.done, 1)
        return found


@dataclass(frozen=True)
class FoldProgress:
    """What a progress file says.

    Attributes
    ----------
    fold : FEATURES of the features of a frozen backbone
    lines : one of each epoch that has ended, as they were written, of its keys only those whose values are numbers
    last : the newest value of each key
    began, told : when the first and the last line were written, seconds since 1970
    stopped : whether the work ended before the fold stood, and said so
    together : folds that the same call works on; () where that is not told
    """

    fold: int
    stage: str
    lines: tuple[dict[str, float], ...]
    last: dict[str, float]
    began: float
    told: float
    host: str
    stopped: bool
    together: tuple[int, ...]

    def is_running(self, now: float | None = None) -> bool:
        """Whether somebody is at work: the last line is young, and the process lives where that can be seen."""
        age = (time.time() if now is None else now) - self.told
        return not self.stopped and age < DEAD and not (self.host == socket.gethostname() and _is_dead(self.last))


def _is_dead(last: dict[str, float]) -> bool:
    pid = int(last.get("pid", 0))
    if os.name != "posix" or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)  # no signal: asks whether it is there
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def read_progress(run: Path) -> list[FoldProgress]:
    """What the progress files of a run say, features first; lines that are no such are passed over, as a last one that is cut off."""
    found = []
    for path in run.glob("progress-*.jsonl"):
        name = _NAME.fullmatch(path.name)
        lines = _lines(path) if name else []
        if name and lines:
            found.append(_told(int(name[1]), lines))
    return sorted(found, key=lambda told: told.fold)


def remove_progress(run: Path, fold: int) -> None:
    """Take away what is said of a fold; nothing, where there is none."""
    (run / f"progress-{fold}.jsonl").unlink(missing_ok=True)


def _lines(path: Path) -> list[dict[str, Any]]:
    """Objects with a time, of the file's last MiB."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _MOST_BYTES, 0))
            content = file.read(_MOST_BYTES)
    except OSError:
        return []
    found = []
    for text in content[: content.rfind(b"\n") + 1].splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            line = json.loads(text)
            if isinstance(line, dict) and _is_number(line.get("time")):
                found.append(line)
    return found


def _told(fold: int, lines: list[dict[str, Any]]) -> FoldProgress:
    numbers = [{key: line[key] for key in _NUMBERS if _is_number(line.get(key))} for line in lines]
    last: dict[str, float] = {}
    for line in numbers:
        last |= line
    stage = next((line["stage"] for line in lines if line.get("stage") in (NOISE, COMPUTING)), TRAINING)
    host = next((plain(line["host"], _LONGEST) for line in lines if isinstance(line.get("host"), str)), "")
    return FoldProgress(
        fold=fold,
        stage=stage if fold != FEATURES else COMPUTING,
        lines=tuple(line for line in numbers if "epoch" in line),
        last=last,
        began=numbers[0]["time"],
        told=numbers[-1]["time"],
        host=host,
        stopped=lines[-1].get("stopped") is True,
        together=_folds(lines[0].get("together")),
    )


def _folds(told: Any) -> tuple[int, ...]:
    return tuple(fold for fold in told if isinstance(fold, int))[:1000] if isinstance(told, list) else ()


def _is_number(value: Any) -> bool:
    """A finite number; JSON's NaN and numbers that no float holds are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
