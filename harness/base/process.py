"""Processes that must not outlive who started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

NO_GUARD = 77
"""Exit code of a worker that was made to run the user's whole script again."""


def end_if_run_again() -> None:
    """End a worker process in which a script without a main guard is being run again, before it does any work.

    Worker processes import the script that they are started from; one that does its work at the top level would start anew in each.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(NO_GUARD)


def end_with_parent() -> None:
    """End this process as soon as its parent has ended, whatever it is doing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
