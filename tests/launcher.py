"""Commands as processes of their own that do not import torch again: forked from a process that has.

A command that starts from nothing spends most of its time importing. Here `python -m tests.launcher` imports once what
all commands need and forks a fresh process for each; the rest is as on a command line: arguments, environment, folder,
exit code, signals. What concerns the start itself is tested with `subprocess`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent

_PRELOADED = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow.csv",
    "scipy.stats",
    "sklearn.model_selection",
    "PIL.Image",
    "pydantic",
    "typer",
    "rich.progress",
    "rich.table",
    "sqlalchemy",
    "timm",
    "optuna",
    "harness.cv.pipeline",
)
_POLL = 0.01


class Launcher:
    """The parent's side: one server, started with the first command."""

    def __init__(self) -> None:
        self.server: subprocess.Popen[bytes] | None = None

    def run(
        self, module: str, args: list[str], cwd: Path, env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` with the output captured as text."""
        command = [sys.executable, "-m", module, *args]
        if not Path(cwd).is_dir():
            raise NotADirectoryError(cwd)
        with tempfile.TemporaryDirectory(prefix="launch-") as name:
            folder = Path(name)
            self._send({"module": module, "args": args, "cwd": str(cwd), "env": env, "folder": name})
            code = self._wait(folder, command, timeout)
            said = [(folder / stream).read_bytes().decode(errors="replace") for stream in ("stdout", "stderr")]
        return subprocess.CompletedProcess(command, code, *said)

    def _send(self, order: dict[str, Any]) -> None:
        if self.server is None:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "tests.launcher"], cwd=REPOSITORY, stdin=subprocess.PIPE
            )
        assert self.server.stdin
        self.server.stdin.write(json.dumps(order).encode() + b"\n")
        self.server.stdin.flush()

    def _wait(self, folder: Path, command: list[str], timeout: float) -> int:
        assert self.server
        deadline = time.monotonic() + timeout
        while not (folder / "code").is_file():
            if self.server.poll() is not None:
                raise RuntimeError(f"the launcher has ended ({self.server.returncode})")
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout)
            time.sleep(_POLL)
        return int((folder / "code").read_text())


def _serve() -> dict[str, Any] | None:
    """Fork for each order on stdin; returns the order in the process that carries it out, None in the server's end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    for line in iter(sys.stdin.buffer.readline, b""):
        order = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            process = os.fork()
            if process == 0:
                return order
            _report(Path(order["folder"]), process)
    return None


def _report(folder: Path, process: int) -> None:
    """Wait for a command and leave its exit code in the folder."""
    with contextlib.suppress(OSError):  # the folder is gone where nobody waits any more
        (folder / "pid").write_text(str(process))
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(OSError):
        (folder / "code.part").write_text(str(code))
        (folder / "code.part").rename(folder / "code")
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    """Put this process where the command would have started."""
    for number, name in enumerate((os.devnull, *(f"{order['folder']}/{stream}" for stream in ("stdout", "stderr")))):
        file = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]
    sys.argv = [order["module"], *order["args"]]


def main() -> None:
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    order = _serve()
    if order is not None:
        _become(order)
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
