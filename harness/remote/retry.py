"""Try again after a pause, for calls that may be made twice."""

from __future__ import annotations

import math
import queue
import random
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from harness.remote.errors import NoCredentials, Unreachable
from harness.remote.patience import call_seconds, retry_seconds

T = TypeVar("T")

_TRIES, _LONGEST_PAUSE = 4, 60.0
_LONGEST_ASKED = 366 * 86400.0  # seconds: who asks for more asks for ever


def with_retries(call: Callable[[], T], tries: int = _TRIES, only: type[Unreachable] = Unreachable) -> T:
    """The call's result; after Unreachable once more, with a jittered pause that doubles, or as long as the platform asks.

    only : the errors after which it is tried again

    Raises
    ------
    Unreachable
        The last one, or at once where the platform asks for more than a minute, or took as long as a call may take.
    """
    first, started = retry_seconds(), time.monotonic()
    longest = call_seconds()  # after a call that hung so long another one would too
    for number in range(tries):
        try:
            return call()
        except NoCredentials:
            raise
        except only as error:
            asked = error.args[1] if len(error.args) > 1 and error.args[1] else 0.0
            if number == tries - 1 or asked > _LONGEST_PAUSE or time.monotonic() - started > longest:
                raise
            time.sleep(max(min(first * 2**number, _LONGEST_PAUSE) * random.uniform(0.5, 1.0), asked))
    raise AssertionError("unreachable")


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, a year at most: a number, or an HTTP date; None where it is neither."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_ASKED) if math.isfinite(seconds) else None


def wait_words(seconds: float | None) -> str:
    """When it may be tried again, after too many calls."""
    if seconds is None:
        return "; it does not say when to try again: wait some minutes"
    form = "%H:%M" if seconds < 43_200 else "%Y-%m-%d %H:%M"
    at = time.strftime(form, time.localtime(time.time() + seconds))
    return f"; it asks to wait {seconds:.0f} s, until {at}"


def within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or TimeoutError: a server that drips a byte now and then never runs into a socket's time-out.

    The call itself goes on in a thread of its own until it ends; what it gives then is nobody's.
    """
    done: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def run() -> None:
        try:
            done.put((True, call()))
        except BaseException as error:  # handed over to who waits
            done.put((False, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        well, found = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no whole answer within {seconds:.0f} s") from None
    if not well:
        raise found
    return found
