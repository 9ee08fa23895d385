"""Keep credentials out of everything that is printed, logged or kept."""

from __future__ import annotations

import html
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from harness.base.errors import UserError

_NAMES = ("KAGGLE_API_TOKEN", "KAGGLE_KEY", "CODABENCH_TOKEN", "CODABENCH_PASSWORD")
_IS = r"(?:[\"'\\]*\s*(?:[:=]|%3D)\s*[\"'\\]*|>)"  # what stands between a name and its value: JSON, URL, header, XML
_PATTERNS = (
    re.compile(r"(?i)\b(authorization\s*[:=]\s*)[^\r\n]+"),
    re.compile(r"(?i)\b((?:basic|bearer|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        rf"(?i)((?:password|token|key|secret|api_key|access_token|refresh_token|upload_id){_IS})[^\s\"'\\,}}&<%]{{4,}}"
    ),
    re.compile(rf"(?i)((?:X-(?:Amz|Goog)-[A-Za-z-]+|[a-z]*signature[a-z]*|AWSAccessKeyId){_IS})[^\s\"'\\&<%]+"),
    re.compile(r"(?i)([?&](?:amp;)?(?:sig|se|sp|sv)=)[^&\s\"'<]+"),
    re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)"),
)
_LONGEST = 2000


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without credentials: values of the known variables, of `secrets`, and whatever looks like one; cut off."""
    found = [os.environ.get(name, "") for name in _NAMES]
    for value in sorted({*found, *secrets}, key=len, reverse=True):
        if len(value) >= 4:
            for form in (value, json.dumps(value)[1:-1], quote(value, safe=""), html.escape(value)):
                text = text.replace(form, "[redacted]")
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
