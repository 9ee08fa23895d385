"""Try again after a pause, for calls that may be made twice."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from harness.remote.errors import NoCredentials, Unreachable

T = TypeVar("T")

_TRIES, _LONGEST_PAUSE = 4, 60.0


def patiently(call: Callable[[], T], tries: int = _TRIES, only: type[Unreachable] = Unreachable) -> T:
    """The call's result; after Unreachable once more, with a jittered pause that doubles, or as long as the platform asks.

    only : the errors after which it is tried again

    Raises
    ------
    Unreachable
        The last one, or at once where the platform asks for more than a minute.
    """
    first = float(os.environ.get("HARNESS_RETRY_SECONDS", "2"))
    for number in range(tries):
        try:
            return call()
        except NoCredentials:
            raise
        except only as error:
            asked = error.args[1] if len(error.args) > 1 and error.args[1] else 0.0
            if number == tries - 1 or asked > _LONGEST_PAUSE:
                raise
            time.sleep(max(min(first * 2**number, _LONGEST_PAUSE) * random.uniform(0.5, 1.0), asked))
    raise AssertionError("unreachable")
