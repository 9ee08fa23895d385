"""How long a platform is waited for, as the environment says."""

from __future__ import annotations

import math
import os

from harness.base.errors import UserError

_DEFAULTS = {
    "HARNESS_CALL_SECONDS": 60.0,
    "HARNESS_RETRY_SECONDS": 2.0,
    "HARNESS_GRACE_SECONDS": 120.0,
    "HARNESS_POLL_SECONDS": 15.0,
    "HARNESS_READY_SECONDS": 900.0,
}


def call_seconds() -> float:
    """Longest time of one call."""
    return _seconds("HARNESS_CALL_SECONDS")


def retry_seconds() -> float:
    """First pause between two tries of a call."""
    return _seconds("HARNESS_RETRY_SECONDS")


def grace_seconds() -> float:
    """In which a submission may turn up late in the platform's list."""
    return _seconds("HARNESS_GRACE_SECONDS")


def poll_seconds() -> float:
    """Pause between two looks at what runs on the platform."""
    return _seconds("HARNESS_POLL_SECONDS")


def ready_seconds() -> float:
    """In which the platform is to have taken in uploaded files."""
    return _seconds("HARNESS_READY_SECONDS")


def check_patience() -> None:
    """Look at all of them before anything is sent.

    Raises
    ------
    UserError
        Names the variable that is no number of seconds.
    """
    for name in _DEFAULTS:
        _seconds(name)


def _seconds(name: str) -> float:
    told = os.environ.get(name, "")
    try:
        value = float(told) if told else _DEFAULTS[name]
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise UserError(f"{name}={told}: is no number of seconds; write e.g. {name}={_DEFAULTS[name]:.0f}")
    return value
