"""Processes that must not outlive who started them, and workers that know nothing of the script they are started from."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from multiprocessing import spawn
from multiprocessing.process import BaseProcess, current_process
from multiprocessing.util import Finalize
from typing import Any

_MAIN = ("init_main_from_name", "init_main_from_path")
"""What a spawned process is told of the script that it would run again."""

_LONGEST = 60  # bytes of the temporary folder's path; multiprocessing adds some 35

_starting = threading.Lock()


def keep_sockets_short() -> None:
    """Let multiprocessing put its sockets into /tmp where the temporary folder's path is long: a socket's has some 100 bytes at most."""
    config: dict[str, Any] = vars(current_process())["_config"]
    if os.name != "posix" or len(os.fsencode(tempfile.gettempdir())) <= _LONGEST or config.get("tempdir"):
        return
    folder = tempfile.mkdtemp(prefix="pymp-", dir="/tmp")  # made for us alone, with a name that is free
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=-100)  # as multiprocessing does with its own
    config["tempdir"] = folder


def start_without_main(process: BaseProcess) -> None:
    """Start a worker process that never imports `__main__`, so that a script needs no main guard.

    A spawned process, or one of a fork server, would run the script that it is started from once more, to find there what it is to do.
    Ours is found in the harness's own modules. Processes that others start meanwhile, in other threads, are left alone.
    """
    with _starting:
        theirs, here = spawn.get_preparation_data, threading.get_ident()

        def without_main(name: str) -> dict[str, Any]:
            told = theirs(name)
            return {k: v for k, v in told.items() if k not in _MAIN} if threading.get_ident() == here else told

        spawn.get_preparation_data = without_main
        try:
            process.start()
        finally:
            spawn.get_preparation_data = theirs


def end_with_parent() -> None:
    """End this process as soon as its parent has ended, whatever it is doing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
