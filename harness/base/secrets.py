"""Keep credentials out of everything that is printed, logged or kept."""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

from harness.base.errors import UserError
from harness.base.untrusted_text import plain

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
_SHORTEST = 4  # of a secret: shorter ones would blot out common words


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Foreign text on one plain line without credentials: values of the known variables, of `secrets`, what looks like one.

    A secret is found in every form in which it travels: as it is, escaped for JSON, URLs or HTML, and in base64, alone or after a
    user's name.
    """
    found = {os.environ.get(name, "") for name in _NAMES}.union(secrets)
    for value in sorted(found, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = _forms(value).sub("[redacted]", text)
    text = plain(text, longest=20_000)
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1[redacted]", text)
    return plain(text, _LONGEST)


@functools.lru_cache(maxsize=64)
def _forms(value: str) -> re.Pattern[str]:
    """Matches a secret in each of its forms."""
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value)}
    escaped |= {value.encode("unicode_escape").decode("ascii"), json.dumps(json.dumps(value)[1:-1])[1:-1]}
    encoded = {quote(value, safe=""), quote(value), quote_plus(value), quote(quote(value, safe=""), safe="")}
    exact = [re.escape(form) for form in {value, *escaped}]
    loose = [f"(?i:{re.escape(form)})" for form in encoded]  # %2f and %2F are the same
    forms = sorted({*exact, *loose}, key=len, reverse=True)
    return re.compile("|".join([*_in_base64(value), *forms]))


def _in_base64(value: str) -> list[str]:
    """Patterns of a secret inside base64, at each of the three places that it can have in it, with what surrounds it there."""
    patterns = []
    content = value.encode()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + content).decode().rstrip("=")
        whole = len(text) - (1 if (before + len(content)) % 3 else 0)  # the last character depends on what follows
        core = text[-(-before * 4 // 3) : whole]  # the first ones on what stands before
        if len(core) >= 6:
            url_safe = core.replace("+", "-").replace("/", "_")
            either = "|".join(re.escape(c) for c in dict.fromkeys((core, url_safe, quote(core, safe=""))))
            patterns.append(rf"[A-Za-z0-9+/_-]*(?:{either})(?:[A-Za-z0-9+/_=-]|%2[bBfF]|%3[dD])*")
    return patterns


def check_private(path: Path) -> None:
    """Refuse a credentials file that others may read.

    Raises
    ------
    UserError
        Names the file and the command that mends it.
    """
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        raise UserError(f"{path}: others on this machine may read your credentials. Mend it: chmod 600 {path}")
