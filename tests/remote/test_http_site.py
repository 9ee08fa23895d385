"""What any service over HTTP gets: credentials from one of two places, pages of a list, answers of another shape refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError
from requests.utils import select_proxy

from harness.base.errors import UserError
from harness.remote.credentials import Credentials
from harness.remote.errors import NoCredentials, OddAnswer, Unreachable
from harness.remote.http_site import HttpSite

STORE = Credentials("Store", {"key": "STORE_KEY", "user": "STORE_USER", "word": "STORE_WORD"}, (("key",), ("user", "word")), ".store.json", "user")  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def site(url: str = "https://store.example", **answers: Any) -> HttpSite:
    made = HttpSite(
        "store",
        own_hosts=("store.example",),
        url=url,
        named_by="shop.toml",
        variable="STORE_URL",
        credentials=STORE,
        authorize=dict,
        cures={},
    )
    made.get = answers.__getitem__  # type: ignore[method-assign]
    return made


def test_one_of_the_ways_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(
        NoCredentials, match=r'set STORE_KEY, or STORE_USER and STORE_WORD, or put {"user": \.\.\., "word"'
    ):
        STORE.required()
    monkeypatch.setenv("STORE_USER", "me")
    with pytest.raises(NoCredentials, match="no Store credentials"):
        STORE.required()
    monkeypatch.setenv("STORE_WORD", "secret")
    assert STORE.required() == {"user": "me", "word": "secret"}


def test_the_file_is_its_owners_and_an_object(home: Path):
    path = home / ".store.json"
    for content, said in (
        ("{", r'is no JSON .*Write {"user": "\.\.\.", "word": "\.\.\."}, or with "key"'),
        ("[]", "wants an object"),
    ):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(UserError, match=said):
            STORE.found()
    path.write_text('{"key": "that-nobody-may-see", "more": 1}')
    assert (
        STORE.required() == {"key": "that-nobody-may-see"}
        and site().redact("so that-nobody-may-see") == "so [redacted]"
    )
    path.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        STORE.found()


@pytest.mark.parametrize(("user", "shown"), [("somebody", True), ("some@body.example", False)])
def test_a_persons_name_is_no_secret_but_an_address_is_private(monkeypatch: pytest.MonkeyPatch, user: str, shown: bool):
    monkeypatch.setenv("STORE_USER", user)
    monkeypatch.setenv("STORE_WORD", "pass-phrase")
    assert site().redact(f"{user}: pass-phrase") == f"{user if shown else '[redacted]'}: [redacted]"


def test_a_list_is_read_to_its_last_page_on_the_same_site():
    found = site(
        first={"results": [{"id": 1}], "next": "https://elsewhere.example/second?page=2"},
        **{"/second?page=2": [{"id": 2}]},
    )
    assert found.pages("first") == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("told", [{"results": {}}, {"results": [{"name": "no id"}]}, ["text"], "text"])
def test_a_list_of_another_shape_is_no_empty_list(told: Any):
    with pytest.raises(OddAnswer):
        site(first=told).pages("first")


@pytest.mark.parametrize(("url", "through"), [("http://127.0.0.1:8000", False), ("https://store.example", True)])
def test_what_goes_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch, url: str, through: bool):
    """A login over plain http would be told to the proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:1")
        monkeypatch.setenv(name.lower(), "http://proxy.example:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STORE_URL", url)
    found: list[bool] = []

    def send(self: Any, request: Any, **options: Any) -> Any:
        found.append(bool(select_proxy(request.url, options["proxies"])))
        raise ConnectionError("this is far enough")

    monkeypatch.setattr(HTTPAdapter, "send", send)
    with pytest.raises(Unreachable):
        site().ask("GET", "/x", None, {})
    with pytest.raises(Unreachable):
        site().put_file(f"{url}/y", b"z", "text/plain")
    assert found == [through, through]


def test_a_host_that_nobody_agreed_to_is_told_by_who_names_it(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match=r"^shop\.toml: names other\.example"):
        site("https://other.example")
    monkeypatch.setenv("STORE_URL", "https://other.example/")
    with pytest.raises(UserError, match="^STORE_URL: names other"):
        site()
