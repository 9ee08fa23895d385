"""Keep credentials out of everything that is printed, logged or kept."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from harness.base.errors import UserError

_NAMES = ("KAGGLE_API_TOKEN", "KAGGLE_KEY", "CODABENCH_TOKEN", "CODABENCH_PASSWORD")
_PATTERNS = (
    re.compile(r"(?i)\b(authorization\s*[:=]\s*)[^\r\n]+"),
    re.compile(r"(?i)\b((?:basic|bearer|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"(?i)(\"?(?:password|token|key|secret|api_key|access_token|refresh_token)\"?\s*[:=]\s*\"?)[^\s\"',}&]{4,}"
    ),
    re.compile(r"(?i)([?&](?:X-(?:Amz|Goog)-[A-Za-z-]*|signature|sig|AWSAccessKeyId|se|sp|sv|token|key)=)[^&\s\"']+"),
    re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)"),
)
_LONGEST = 2000


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without credentials: values of the known variables, of `secrets`, and whatever looks like one; cut off."""
    found = [os.environ.get(name, "") for name in _NAMES]
    for value in sorted({*found, *secrets}, key=len, reverse=True):
        if len(value) >= 4:
            text = text.replace(value, "[redacted]")
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1[redacted]", text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def check_private(path: Path) -> None:
    """Refuse a credentials file that others may read.

    Raises
    ------
    UserError
        Names the file and the command that mends it.
    """
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        raise UserError(f"{path}: others on this machine may read your credentials. Mend it: chmod 600 {path}")
