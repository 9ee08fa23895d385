"""Small files of ours, read defensively: they may be half-written, another program's, or gone the moment they are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from harness.base.untrusted_text import plain

T = TypeVar("T")

_MOST_BYTES = 2**24


class Reader:
    """Reads a file again only when it has changed.

    Attributes
    ----------
    troubles : what is wrong with files that could not be read, by path; those that are read well again are taken out
    """

    def __init__(self) -> None:
        self.troubles: dict[Path, str] = {}
        self._kept: dict[tuple[Path, str], tuple[tuple[int, int], Any]] = {}

    def json(self, path: Path) -> dict[str, Any]:
        """A JSON object; {} where there is none, or it is damaged."""
        return self.read(path, _object, {})

    def read(self, path: Path, how: Callable[[Path], T], otherwise: T) -> T:
        """What `how` makes of a file; `otherwise` where it is not there, too large, or damaged (OSError, ValueError)."""
        try:
            about = path.stat()
            state, key = (about.st_mtime_ns, about.st_size), (path, how.__name__)
            if self._kept.get(key, (None,))[0] != state:
                if about.st_size > _MOST_BYTES:
                    raise ValueError(f"has {about.st_size:,} bytes")
                self._kept[key] = (state, how(path))
            self.troubles.pop(path, None)
            found: T = self._kept[key][1]
            return found
        except FileNotFoundError:
            self.troubles.pop(path, None)
            return otherwise
        except (OSError, ValueError, RecursionError) as error:
            self.troubles[path] = plain(error, 120)
            return otherwise


def _object(path: Path) -> dict[str, Any]:
    told = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(told, dict):
        raise ValueError("is no JSON object")
    return told


def table_in(told: Any, *keys: str) -> dict[str, Any]:
    """The object below these keys; {} where it is none."""
    for key in keys:
        told = told.get(key) if isinstance(told, dict) else None
    return told if isinstance(told, dict) else {}


def text_in(told: Any, key: str, longest: int = 200) -> str:
    """A plain line; "" where there is none."""
    value = told.get(key) if isinstance(told, dict) else None
    return plain(value, longest) if isinstance(value, str) else ""


def number_in(told: Any, key: str) -> float | None:
    """A finite number, or None."""
    value = told.get(key) if isinstance(told, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if -1e300 < value < 1e300 else None
