"""Which machines may be told credentials: the platform's own, and those that a person agreed to once.

A competition.toml may be a stranger's, and may name any address, a port of this machine too: nothing secret goes there unasked, and
nothing anywhere over plain http but to this machine itself.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from harness.base.command import home_folder
from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_json
from harness.base.untrusted_text import plain


def check_host(service: str, url: str, own: tuple[str, ...], named_by: str, by_user: bool = False) -> None:
    """Refuse to send a service's credentials to an address that nobody agreed to.

    Parameters
    ----------
    service : whose credentials, e.g. "codabench"
    url : where they would go
    own : the service's own hosts
    named_by : who names the address, in words; by_user : that is the user's own environment, which may name this machine unasked

    Raises
    ------
    UserError
        If it is no https address (http is for this machine only), or a host that is neither the service's nor agreed to. On a terminal
        it is asked once; the answer is kept.
    """
    scheme, host = _parts(url)
    if scheme not in ("http", "https") or not host:
        raise UserError(f"{named_by}: '{plain(url, 200)}' is no address of the form https://HOST")
    here = names_loopback(url)
    if here and by_user:
        return
    if scheme != "https" and not here:
        raise UserError(
            f"{named_by}: '{plain(url, 200)}' is not https; credentials would travel in the open. Nothing was sent. Write https://"
        )
    if host in own or host in _agreed(service):
        return
    if not _asked(service, host, named_by):
        raise UserError(
            f"{named_by}: names {plain(host, 200)}, which is not {service}'s own host ({', '.join(own)}), and to which your {service} "
            "credentials were never sent. Nothing was sent. If you trust it: python -m harness.submit --trust-host "
            f"{service}:{plain(host, 200)}"
        )
    agree(service, host)


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host of an address, of this machine with its port: there each is a program of its own; "" for what it lacks."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", ""
    if parts.username is not None:
        return parts.scheme, ""
    return parts.scheme, f"{host}:{port}" if port and is_loopback(host) else host


def names_loopback(url: str) -> bool:
    """Whether an address is of this machine; False for what is no address."""
    try:
        return is_loopback((urlsplit(url).hostname or "").lower())
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or its reserved name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def agree(service: str, host: str) -> Path:
    """Keep that a service's credentials may go to a host; returns the file that says so."""
    path = _path()
    write_json(path, {**_read(), service: sorted({*_agreed(service), host.lower()})})
    return path


def _asked(service: str, host: str, named_by: str) -> bool:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(
        f"{named_by} names the host {plain(host, 200)}. Send your {service} credentials there? [y/N] ",
        file=sys.stderr,
        end="",
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _agreed(service: str) -> set[str]:
    hosts = _read().get(service, [])
    return {host for host in hosts if isinstance(host, str)} if isinstance(hosts, list) else set()


def _read() -> dict[str, list[str]]:
    try:
        told = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing was agreed to that could be read
    return told if isinstance(told, dict) else {}


def _path() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(config) if config else home_folder("XDG_CONFIG_HOME") / ".config"
    return folder / "competition-harness" / "hosts.json"
