"""Progress of long work, on stderr: bars on a terminal, lines elsewhere, lines for another machine, nothing for --json and --quiet.

lines : a line an epoch and when something is done; bars : for people; relay : for whoever follows from another machine
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.base.progress.bars import BarWatcher, bar_watcher
from harness.base.progress.lines import FEATURES, STAGE, LineWatcher
from harness.base.progress.relay import RELAY, RelayWatcher, replay
from harness.base.python.notebook import NotebookBars, in_notebook
from harness.base.terminal import is_quiet

__all__ = ["FEATURES", "RELAY", "STAGE", "BarWatcher", "LineWatcher", "RelayWatcher", "replay", "watching"]


@contextmanager
def watching(quiet: bool = False) -> Iterator[LineWatcher]:
    """Bars when stderr is a terminal or in a notebook, else lines; lines for another machine where $HARNESS_PROGRESS is "relay"; nothing after --quiet."""
    quiet = quiet or is_quiet()
    if os.environ.get("HARNESS_PROGRESS") == "relay" and not quiet:
        yield RelayWatcher()
    elif quiet or not (sys.stderr.isatty() or in_notebook()):
        yield LineWatcher(quiet)
    elif in_notebook():
        yield BarWatcher(NotebookBars())
    else:
        with bar_watcher() as watcher:
            yield watcher
