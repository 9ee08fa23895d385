"""A child process that answers one JSON line per JSON line, and can be killed: for clients that know no deadline."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness

_START_SECONDS = 120  # imports on a busy machine

_RUN = """
import runpy, sys
module, root = sys.argv[1:]
sys.path.insert(0, root)
import harness
sys.path.remove(root)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""Runs a module of this harness, wherever that lies, without the folder it lies in, or the current one, among those of other imports.

`python -m` would look into the current folder first: a kaggle.py there would be given the credentials.
"""


_ROOT = Path(harness.__file__).parents[1]


class NoAnswer(Exception):
    """The child died, said something else, or took too long; it was killed."""


class Child:
    """A module of the harness as a program, started when it is first asked, and anew after it was killed.

    Nothing is imported from the current folder. The module writes a line when it is ready, and then one for each that it reads.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()

    def ask(self, request: dict[str, Any], seconds: float, alive: Callable[[], Any] | None = None) -> dict[str, Any]:
        """The answer to a request.

        alive : asked again and again; whenever its answer is new, the seconds begin anew

        Raises
        ------
        NoAnswer
            If there is none in time.
        """
        process = self._process if self._process and self._process.poll() is None else self._start()
        assert process.stdin
        try:
            process.stdin.write(json.dumps({**request, "seconds": None if alive else seconds}) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=seconds) if alive is None else self._wait(seconds, alive)
        except queue.Empty:
            self.kill()
            raise NoAnswer(f"no answer within {seconds:.0f} s") from None
        except OSError as error:
            self.kill()
            raise NoAnswer(f"the client's process is gone ({error})") from error
        try:
            if line is None:
                raise ValueError("it ended")
            return json.loads(line)
        except ValueError as error:
            self.kill()
            raise NoAnswer(f"the client's process gave no answer ({error})") from error

    def _wait(self, seconds: float, alive: Callable[[], Any]) -> str | None:
        seen, since = alive(), time.monotonic()
        while True:
            try:
                return self._answers.get(timeout=0.5)
            except queue.Empty:
                now = alive()
                if now != seen:
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > seconds:
                    raise

    def kill(self) -> None:
        """End it, whatever it is doing."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        environment = {
            k: v for k, v in os.environ.items() if k not in ("VERBOSE", "VERBOSE_OUTPUT")
        }  # kaggle would print the Authorization
        answers: queue.Queue[str | None] = queue.Queue()
        self._answers = answers
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", _RUN, self.module, str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what clients print there may hold secrets
            text=True,
            env=environment,
        )

        def read() -> None:
            assert process.stdout
            for line in process.stdout:
                answers.put(line)
            answers.put(None)

        threading.Thread(target=read, daemon=True).start()
        try:
            if answers.get(timeout=_START_SECONDS) is None:
                raise NoAnswer("the client's process ended before it was ready")
        except queue.Empty:
            self.kill()
            raise NoAnswer(f"the client's process was not ready within {_START_SECONDS} s") from None
        return process

    def __del__(self) -> None:
        self.kill()
