"""Progress for logs and pipes: a line an epoch and when something is done, and now and then how far long work is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from harness.base.terminal import is_quiet, note
from harness.base.untrusted_text import counted

T = TypeVar("T")

FEATURES = -1
"""Stands for the features of a frozen backbone where progress wants a fold's number."""

STAGE = "trained and predicted"
"""What is done to folds, unless another stage was begun."""

FIRST, EVERY = 5.0, 60.0
"""Seconds after which a log hears for the first time of work that goes on, and how often at most later: a tenth of what it took so far."""

BRIEF = 2.0
"""Seconds between two lines of epochs at least, and below which a wait is not worth a line; of long work a fiftieth of what it took so far."""

EPOCH_KEYS = ("epoch", "epochs", "seed", "loss", "valid_loss", "valid_score", "watched_loss")
"""What of an epoch's line is told, each a number."""


def lasting(seconds: float) -> str:
    """A duration for people.

    >>> lasting(42.4), lasting(600), lasting(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 180:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def epoch_words(told: Mapping[str, float]) -> str:
    """An epoch as it is shown: "epoch 3/12, loss 0.4123, score 0.9134"."""
    words = [f"epoch {told['epoch']:.0f}" + (f"/{told['epochs']:.0f}" if "epochs" in told else "")]
    if told.get("seed"):
        words[0] = f"network {told['seed'] + 1:.0f}, {words[0]}"
    for key, name in (("loss", "loss"), ("watched_loss", "held out"), ("valid_score", "score")):
        if key in told:
            words.append(f"{name} {told[key]:.4f}")
    return ", ".join(words)


class Shares:
    """How far a run is: the folds that are worked on at once, and those that wait."""

    def __init__(self, folds: int = 0) -> None:
        """folds : how many there are in all; 0 = not known"""
        self.folds, self.begun = folds, time.monotonic()
        self.of_fold: dict[int, float] = {}

    def note(self, fold: int, done: int, total: int) -> None:
        """A fold is so far. What comes before the first of them, features of a network or a cluster that is joined, says nothing of the time that folds take."""
        if fold == FEATURES or not total:
            return
        if not self.of_fold:
            self.begun = time.monotonic()
        self.of_fold[fold] = done / total

    @property
    def share(self) -> float:
        """Of all the work, from 0 to 1."""
        return min(sum(self.of_fold.values()) / self.folds, 1.0) if self.folds else 0.0

    @property
    def done(self) -> int:
        """Folds that are done."""
        return sum(share >= 1 for share in self.of_fold.values())

    def left(self) -> str:
        """The time left of the run, in words; "" where it is not known or only one fold is worked on."""
        spent = time.monotonic() - self.begun
        if self.folds < 2 or not 0 < self.share < 1 or spent < FIRST:
            return ""
        return f"the run about {lasting(spent * (1 - self.share) / self.share)}"


class LineWatcher:
    """For logs and pipes: a line an epoch and when something is done, and how far it is while it goes on."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet or is_quiet()
        self.started: dict[object, float] = {}
        self.told: dict[object, float] = {}
        self.stage = STAGE
        self.shares = Shares()

    def say(self, text: str) -> None:
        """Print a line to stderr, where progress goes."""
        if not self.quiet:
            note(text)

    def expect(self, folds: int) -> None:
        """So many folds are worked on from now on, so that the time left of all of them is known; 0: not known."""
        self.shares = Shares(folds)

    def progress(self, fold: int, done: int, total: int, epoch: Mapping[str, float] | None = None) -> None:
        """A fold's progress: batches done of all, as each fold's own bar or line.

        epoch : numbers of an epoch that has just ended, by the names of `EPOCH_KEYS`
        """
        self.shares.note(fold, done, total)
        if epoch is not None and "epoch" in epoch:
            self.epoch(fold, done, total, epoch)
        else:
            self.batches(fold, done, total)

    def batches(self, fold: int, done: int, total: int) -> None:
        """Batches of a fold that are done."""
        key, name = (self.stage, fold), "features" if fold == FEATURES else f"fold {fold}"
        self._tell(key, name, done, total)
        if done >= total:
            what = "features: computed" if fold == FEATURES else f"{name}: {self.stage}"
            left = self.shares.left()
            self.say(f"{what}, {lasting(time.monotonic() - self.started[key])}{f'; {left} left' if left else ''}")

    def epoch(self, fold: int, done: int, total: int, told: Mapping[str, float]) -> None:
        """An epoch of a fold has ended: a line, or every few seconds where epochs are short."""
        key, now = (self.stage, fold), time.monotonic()
        started = self.started.setdefault(key, now)
        if now - self.told.setdefault((*key, "epoch"), started) < min(max(BRIEF, (now - started) / 50), EVERY):
            return
        self.told[key] = self.told[(*key, "epoch")] = now
        left = [f"about {lasting((now - started) * (total - done) / done)}"] if 0 < done < total else []
        left += [self.shares.left()] if self.shares.left() else []
        self.say(f"fold {fold}: {epoch_words(told)}{'; ' + ', '.join(left) + ' left' if left else ''}")

    def _tell(self, key: object, name: str, done: int, total: int | None) -> None:
        """Say how far it is, if nothing was said of it for a while."""
        now = time.monotonic()
        started = self.started.setdefault(key, now)
        if now - self.told.setdefault(key, started) < _pause(now - started) or not total or not 0 < done < total:
            return
        self.told[key] = now
        left = lasting((now - started) * (total - done) / done)
        self.say(f"{name}: {100 * done / total:.0f} %, {lasting(now - started)} so far, about {left} left")

    def _done(self, key: object) -> None:
        """Forget when it began: the same work on other data begins anew."""
        self.started.pop(key, None)
        self.told.pop(key, None)

    def begin(self, stage: str) -> None:
        """What is done to the folds from now on, as it is said when one is done; one that was done before begins anew."""
        self.stage = stage
        self.expect(0)
        for fold in [key for key in self.started if isinstance(key, tuple) and key[0] == stage]:
            self._done(fold)
            self.told.pop((*fold, "epoch"), None)

    def decoding(self, done: int, total: int) -> None:
        """Images decoded so far."""
        self._tell("decoding", "decoding images", done, total)
        if done == total:
            self._done("decoding")
            self.say(f"decoded {counted(total, 'image')} (kept in the cache)")

    def unpacking(self, done: int, total: int) -> None:
        """Files unpacked so far."""
        self._tell("unpacking", "unpacking files", done, total)
        if done == total:
            self._done("unpacking")
            self.say(f"unpacked {counted(total, 'file')} (kept in the cache)")

    def working(self, what: str, done: int, total: int) -> None:
        """A stage without folds, by its name: said when it begins, then now and then how far it is."""
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
        """Around work that cannot tell how far it is: said once it is worth a line, then now and then how long it has taken."""
        started, ended = time.monotonic(), threading.Event()

        def tell() -> None:
            if ended.wait(BRIEF):
                return
            self.say(f"{what} ...")
            while not ended.wait(_pause(time.monotonic() - started)):
                self.say(f"{what}: {lasting(time.monotonic() - started)} so far")

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


def _pause(spent: float) -> float:
    """How long a log waits for the next word of work that has taken so long."""
    return min(max(FIRST, spent / 10), EVERY)
