"""The readers of data, of competitions and of recipes, a module for each kind of file; `made` has what they share."""

from __future__ import annotations

from benchmarks.fuzz.parts import Reader
from benchmarks.fuzz.readers import archives, images, settings, tables


def readers_of_data() -> list[Reader]:
    """Of what a competition brings."""
    return [reader for kind in (archives, images, tables, settings) for reader in kind.readers()]
