"""Groups of rows that share a fold: by texts, by a pattern on their ids, by both."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from harness.base.errors import UserError, needs
from harness.base.untrusted_text import plain

_SECONDS_PER_ID, _SECONDS = 1.0, 120.0


def matches(texts: Sequence[str], pattern: str, key: str) -> list[tuple[str | None, ...] | None]:
    """What a pattern's groups (...) match in each text (None: a group that takes no part); None where it finds nothing.

    The pattern may be a stranger's: it has a limit of time. key : of competition.toml

    Raises
    ------
    UserError
        If it takes too long: some patterns take exponential time (`(a+)+$`).
    """
    with needs(key, "regex"):
        import regex

    compiled, ends = regex.compile(pattern), time.monotonic() + _SECONDS
    found: list[tuple[str | None, ...] | None] = []
    for text in texts:
        try:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            match = compiled.search(text, timeout=min(left, _SECONDS_PER_ID))
        except TimeoutError as error:
            raise UserError(
                f"{key} = '{plain(pattern, 80)}' in competition.toml: takes too long, on id '{plain(text, 80)}'. Write it without "
                "a repetition inside a repetition."
            ) from error
        found.append(match.groups() if match else None)
    return found


def group_numbers(groups: Sequence[str]) -> np.ndarray:
    """int64 (n,): equal texts have the same number; a row without a text is a group of its own."""
    names = [group or f"\n{row}" for row, group in enumerate(groups)]
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def in_either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Group numbers int64 (n,): rows that share one of `first` or of `second` have the same one, by way of other rows too."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones, twos = (np.unique(numbers, return_inverse=True)[1] for numbers in (first, second))
    n = len(first)  # a node for each of the first groups, and behind them one for each of the second
    links = coo_array((np.ones(n), (ones, n + twos)), shape=(2 * n, 2 * n))
    return connected_components(links, directed=False)[1][ones].astype(np.int64)


def groups_by_pattern(ids: Sequence[str], pattern: str) -> np.ndarray:
    """Group numbers int64 (n,): rows whose ids the pattern's groups (...) find alike have the same one.

    A row in which it finds nothing is a group of its own. The pattern may be a stranger's: it has a limit of time.

    Raises
    ------
    UserError
        If it takes too long: some patterns take exponential time (`(a+)+$`).
    """
    found = matches(ids, pattern, "data.group")
    names = [f"\n{i}" if groups is None else "|".join(map(str, groups)) for i, groups in zip(ids, found, strict=True)]
    return group_numbers(names)
