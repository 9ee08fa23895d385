"""What a fuzzed reader is made of: its seeds, their forms, the dice of an input."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_INPUT = 4 * 2**20
PLACE = "fuzz-place"  # the folder of the file that is read; its name must stand in a refusal
OUTSIDE = "/tmp/harness-fuzz-escaped"  # an absolute name that hostile archives hold

CLASSES = ("cat", "dog", "owl")


class Dice(random.Random):
    """Random numbers of one input, and a note of what was done to it."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Remember what was done."""
        self.notes.append(text[:60])


Form = Callable[[Dice, bytes], bytes]
"""Changes a file as its format is built: cells, values, members, headers with right checksums."""


@dataclass(frozen=True)
class Seed:
    """A small valid file: its name below the place, its bytes, and what changes it by its structure."""

    name: str
    content: bytes
    form: Form | None = None


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes
    ----------
    name : in the table
    seeds : makes the valid files
    read : reads the changed file at a path; a list that it returns is one of problems in words
    tokens : words of the format, put in anywhere
    beside : makes the files that lie beside the changed one, by name
    """

    name: str
    seeds: Callable[[], list[Seed]]
    read: Callable[[Path], Any]
    tokens: tuple[bytes, ...] = ()
    beside: Callable[[], dict[str, bytes]] = dict


# Words of the formats, put in anywhere

ZIP_WORDS = (
    *(b"PK" + mark for mark in (b"\x03\x04", b"\x01\x02", b"\x05\x06", b"\x06\x06", b"\x06\x07")),
    b"\x01\x00\x10\x00",
)
CSV_WORDS = (b'"', b"\x00", b"\xff", b",,,", b"\r\n", b"\r", b"\xef\xbb\xbf", b'"' * 3, b"\n\n", b"nan")
NPY_WORDS = (b"\x93NUMPY\x01\x00", b"'descr'", b"'|O'", b"shape", *ZIP_WORDS[:5])
JSON_WORDS = (*b'NaN null {} \\ud800 1e999 " ,'.split(), b"\x00", b"\xff", b"[" * 3_000, b"9" * 5_000)
TOML_WORDS = (*b"""[ [[ = nan # { . ''' \"\"\" """.split(), b"\x00", b"\xff", b"\r", b"\n[x]\n", b"9" * 5_000)
