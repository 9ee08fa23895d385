"""Which source of the harness this is: processes that work on the same thing must have the same."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from harness import __version__


@functools.cache
def code_digest() -> str:
    """Version of the harness and 8 hex digits of its source."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"
