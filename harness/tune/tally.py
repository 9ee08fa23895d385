"""How many trials of a study ended how, by a look at its journal: Optuna is not needed, nothing is mended, whoever works on it is not disturbed."""

from __future__ import annotations

import json
from pathlib import Path

STATES = ("running", "complete", "pruned", "failed", "waiting")
"""In the order of Optuna's numbers."""

_CREATE, _SET_STATE = 4, 6
_MOST_BYTES = 2**26


def tally(journal: Path) -> dict[str, int]:
    """Trials by STATES; lines that are none of Optuna's are passed over, and of a journal beyond 64 MiB nothing is told ({}).

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if journal.stat().st_size > _MOST_BYTES:
        return {}
    states: list[int] = []
    for text in journal.read_bytes().splitlines():
        try:
            _take(json.loads(text), states)
        except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
            continue
    return {name: states.count(number) for number, name in enumerate(STATES)}


def _take(line: dict[str, object], states: list[int]) -> None:
    if line["op_code"] == _CREATE:
        states.append(_state(line.get("state", 0)))
    elif line["op_code"] == _SET_STATE:
        trial = line["trial_id"]
        if (
            isinstance(trial, int) and 0 <= trial < len(states) and states[trial] in (0, 4)
        ):  # ended ones stay as they are
            states[trial] = _state(line["state"])


def _state(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < len(STATES) else 0
