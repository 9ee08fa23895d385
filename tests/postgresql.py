"""A PostgreSQL server of our own on loopback, where one is installed: tests of what several machines share."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def why_not() -> str:
    """Why there is none to test with; "" where there is."""
    if _programs() is None:
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    return ""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh, empty database; the server ends with the block."""
    programs = _programs()
    assert programs
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder, _free_port() as port:
        run_as = _other_user() if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if run_as:
            shutil.chown(folder, run_as)
        data = Path(folder) / "data"
        options = {"cwd": folder, "user": run_as, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        initdb = [programs / "initdb", "-D", data, "-U", "harness", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, **options)
        settings = [
            f"-cport={port}",
            "-clisten_addresses=127.0.0.1",
            f"-cunix_socket_directories={folder}",
            "-cfsync=off",
        ]
        process = subprocess.Popen([programs / "postgres", "-D", data, *settings], **options)
        try:
            url = f"postgresql+psycopg://harness@127.0.0.1:{port}/postgres"
            _wait_for(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # at once, whoever is connected
            process.wait(20)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "postgres").exists()), None)


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


def _wait_for(url: str, process: subprocess.Popen) -> None:
    import sqlalchemy as sa

    ends = time.monotonic() + 30
    while True:
        try:
            with sa.create_engine(url).connect():
                return
        except sa.exc.OperationalError:
            if process.poll() is not None or time.monotonic() > ends:
                raise
            time.sleep(0.1)
