"""Credentials are taken out of foreign text in every form in which they travel."""

from __future__ import annotations

import base64
import json
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.secrets import redact

SECRET = 'pa ss"w/ord+&é\\=~%1'
FORMS = {
    "plain": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "json twice": json.dumps(json.dumps(SECRET))[1:-1],
    "json, other letters as they are": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "url": quote(SECRET, safe=""),
    "url, small letters": quote(SECRET, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9"),
    "form": quote_plus(SECRET),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "user:key": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "Basic user:key": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode(),
    "user:key in a url": quote(base64.b64encode(f"some:{SECRET}".encode()).decode(), safe=""),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_taken_out(form: str):
    said = redact(f"who are you? {FORMS[form]}!", [SECRET])
    core = FORMS[form].removeprefix("Basic ")
    assert "[redacted]" in said and said.startswith("who are you?")
    assert not any(core[i : i + 8] in said for i in range(len(core) - 8))


@settings(max_examples=200, deadline=None)
@given(
    secret=st.text(string.ascii_letters + string.digits + "-_.~+/=", min_size=10, max_size=50),
    before=st.text(string.ascii_letters + ":", max_size=9),
    after=st.text(string.ascii_letters, max_size=5),
)
def test_base64_is_found_wherever_it_stands(secret: str, before: str, after: str):
    content = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    assert content.rstrip("=") not in redact(f"echo {content} echo", [secret])


def test_foreign_text_is_one_plain_line():
    assert redact("no\r\nerror: pay \x1b[31m\u202e", []) == "no error: pay \\x1b[31m\\u202e"
