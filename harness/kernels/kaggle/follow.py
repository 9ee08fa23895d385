"""A session on Kaggle as progress here: its state, the lines of its log, its bars with the time left."""

from __future__ import annotations

import contextlib
import json
import time

from harness.base.errors import UserError
from harness.base.progress import RELAY, LineWatcher, replay
from harness.base.untrusted_text import plain
from harness.kernels.kaggle.account import Account, Look
from harness.remote.errors import Refused, Unreachable
from harness.remote.patience import poll_seconds

_PATIENT = 20  # looks in a row that go wrong before it is given up to look


def follow(account: Account, name: str, watcher: LineWatcher, where: str, again: str) -> Look:
    """Ask until the session is over; what it prints is told as it comes.

    where : its page; again : the command that follows it anew

    Raises
    ------
    UserError
        If Kaggle cannot be asked for a long time; the session goes on.
    Refused
        If it does not tell.
    """
    pause = poll_seconds()
    log, state, failed, started = Log(account, name, watcher), "", 0, time.monotonic()
    while True:
        try:
            look = account.look(name)
        except Unreachable as error:
            failed += 1
            if failed >= _PATIENT:
                raise UserError(
                    f"{error.args[0]}\n  The session goes on at {where}; follow it again: {again}"
                ) from error
            watcher.say(f"cannot ask how it stands: {error.args[0]}; asks again")
            time.sleep(min(pause * 2**failed, 300.0))
            continue
        failed = 0
        if look.state != state:
            state = look.state
            watcher.say(f"Kaggle: {state}")
        log.read()
        if look.end:
            return look
        time.sleep(min(pause + (time.monotonic() - started) / 100, 4 * pause))


class Log:
    """What a session has printed so far; each line is told once."""

    def __init__(self, account: Account, name: str, watcher: LineWatcher) -> None:
        self.account, self.name, self.watcher = account, name, watcher
        self.seen, self._rest, self._over = 0, "", False

    def read(self) -> None:
        """Tell what is new. A log that cannot be had is no reason to end: what counts is what comes back."""
        if self._over:
            return
        patience = poll_seconds()
        try:
            pieces, self.seen, self._over = self.account.log(self.name, self.seen, patience)
        except (Unreachable, Refused):
            return
        *lines, self._rest = (self._rest + "".join(pieces)).split("\n")
        self._rest = self._rest[-10_000:]
        for line in lines:
            tell(line, self.watcher)
        if self._over:
            self.watcher.say("the log is too long to be read on; the session is followed by its state")


def tell(line: str, watcher: LineWatcher) -> None:
    """A line of the log: progress where it is that, else a line."""
    if line.startswith(RELAY):
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
            replay(json.loads(line[len(RELAY) :]), watcher)
    elif line.strip():
        watcher.say(f"  | {plain(line, 500)}")
