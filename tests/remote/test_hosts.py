"""Credentials go to the platform's own host, to those that were agreed to, and over plain http to nobody but this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.remote.hosts import agree, check_host

OWN = ("www.codabench.org",)


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def check(url: str) -> None:
    check_host("codabench", url, OWN, "competition.toml")


def test_the_own_host_gets_them_unasked():
    check("https://www.codabench.org")


@pytest.mark.parametrize("url", ["http://127.0.0.1:800", "http://localhost:1", "http://[::1]:1"])
def test_this_machine_gets_them_where_the_user_names_it_or_agreed_to_that_port(url: str):
    """A competition.toml may be a stranger's, and name a port that something else listens on."""
    check_host("codabench", url, OWN, "CODABENCH_URL", by_user=True)
    with pytest.raises(UserError, match=r"--trust-host codabench:\S+:\d+$") as refused:
        check(url)
    agree("codabench", str(refused.value).rpartition("codabench:")[2])
    check(url)
    with pytest.raises(UserError, match="--trust-host"):
        check(f"{url}9")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://www.codabench.org", "is not https"),
        ("http://evil.example", "is not https"),
        ("https://evil.example", "--trust-host codabench:evil.example"),
        ("https://www.codabench.org.evil.example", "which is not codabench's own host"),
        ("https://www.codabench.org@evil.example", "is no address"),
        ("http://127.0.0.1.evil.example", "is not https"),
        ("file:///etc/passwd", "is no address"),
        ("//codabench.org", "is no address"),
        ("https://[abc", "is no address"),
        ("https://www.codabench.org:abc", "is no address"),
    ],
)
def test_others_are_refused_with_the_cure(url: str, said: str):
    with pytest.raises(UserError, match=said):
        check(url)


def test_what_was_agreed_to_is_kept():
    agree("codabench", "bench.example")
    check("https://bench.example/")
    with pytest.raises(UserError, match="is not https"):
        check("http://bench.example")
    with pytest.raises(UserError, match="--trust-host"):
        check_host("kaggle", "https://bench.example", (), "x")  # of the one service only


def test_a_competition_of_a_stranger_gets_no_credentials(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    import requests

    from harness.competition import find_competition
    from harness.submit.platform import find_platform

    monkeypatch.delenv("CODABENCH_URL", raising=False)
    monkeypatch.setenv("CODABENCH_TOKEN", "token-that-nobody-may-see")
    monkeypatch.setattr(requests, "request", lambda *a, **k: pytest.fail("something was sent"))
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    toml.write_text(
        'platform = "codabench"\n' + toml.read_text() + '[codabench]\nphase = 1\nsite = "http://evil.example"\n'
    )
    with pytest.raises(UserError, match=r"\[codabench\] site: 'http://evil.example' is not https"):
        find_platform(find_competition(toml.parent))
