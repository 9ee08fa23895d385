"""Groups of rows that share a fold, by a pattern on their ids."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain

_SECONDS_PER_ID, _SECONDS = 1.0, 120.0


def groups_by_pattern(ids: Sequence[str], pattern: str) -> np.ndarray:
    """Group numbers int64 (n,): rows whose ids the pattern's groups (...) find alike have the same one.

    A row in which it finds nothing is a group of its own. The pattern may be a stranger's: it has a limit of time.

    Raises
    ------
    UserError
        If it takes too long: some patterns take exponential time (`(a+)+$`).
    """
    import regex

    compiled, ends, names = regex.compile(pattern), time.monotonic() + _SECONDS, []
    for i in ids:
        try:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            found = compiled.search(i, timeout=min(left, _SECONDS_PER_ID))
        except TimeoutError as error:
            raise UserError(
                f"data.group = '{plain(pattern, 80)}' in competition.toml: takes too long, on id '{plain(i, 80)}'. Write it without "
                "a repetition inside a repetition."
            ) from error
        names.append("|".join(map(str, found.groups())) if found else f"\n{i}")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
