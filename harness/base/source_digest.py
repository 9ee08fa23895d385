"""Which source of the harness this is: processes that work on the same thing must have the same."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from harness import __version__
from harness.base.places.templates import IN_WHEEL


@functools.cache
def code_digest() -> str:
    """Version of the harness and 8 hex digits of its source: the same in a checkout and installed from its wheel."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] == IN_WHEEL:
            continue  # competitions that come with it, which a checkout has elsewhere
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"
