"""Progress in a notebook: one output below the cell, with the lines that were said and a bar for each fold.

It needs nothing but IPython's display, which every notebook has (rich's own bars need ipywidgets there); what stands in the end is kept
with the notebook.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any

_EVERY = 0.2  # seconds between two pictures
_LINES = 200


def in_notebook() -> bool:
    """Whether a notebook shows what cells put out: Jupyter, Kaggle, Colab, an editor; IPython is not imported for it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


@dataclass
class _Bar:
    name: str
    done: int = 0
    total: int | None = None
    begun: float = field(default_factory=time.monotonic)

    def html(self) -> str:
        """The bar with the time that it took, and that is left."""
        took = time.monotonic() - self.begun
        if not self.total:
            return f"<tr><td>{escape(self.name)}</td><td><progress></progress></td><td></td></tr>"
        left = took * (self.total - self.done) / self.done if self.done else None
        told = f"{100 * self.done / self.total:.0f} %"
        if left is not None and self.done < self.total:
            told += f", about {left:.0f} s left"
        bar = f'<progress value="{self.done}" max="{self.total}"></progress>'
        return f"<tr><td>{escape(self.name)}</td><td>{bar}</td><td>{told}</td></tr>"


class NotebookBars:
    """What `BarWatcher` draws its bars with, in place of rich's.

    Attributes
    ----------
    width : columns of a line, more than any has: the browser wraps
    """

    width = 1_000_000

    def __init__(self) -> None:
        self.console = self
        self._lines: list[str] = []
        self._bars: dict[int, _Bar] = {}
        self._shown, self._handle = 0.0, _new_output()

    def print(self, text: str, **style: Any) -> None:
        """A line of text, which is plain already."""
        self._lines = [*self._lines, text][-_LINES:]
        self.show()

    def add_task(self, name: str, total: int | None = None) -> int:
        """A new bar; returns its number."""
        number = max(self._bars, default=-1) + 1
        self._bars[number] = _Bar(name, total=total)
        return number

    def update(self, number: int, *, description: str, completed: int, total: int | None) -> None:
        """How far it is."""
        bar = self._bars[number]
        bar.name, bar.done, bar.total = description, completed, total
        if completed == total or time.monotonic() - self._shown >= _EVERY:
            self.show()

    def remove_task(self, number: int) -> None:
        """Take a bar away."""
        del self._bars[number]

    def show(self) -> None:
        """Draw everything anew, in the place where it stands."""
        self._shown = time.monotonic()
        lines = f"<pre style='white-space:pre-wrap'>{escape(chr(10).join(self._lines))}</pre>" if self._lines else ""
        bars = "".join(bar.html() for bar in self._bars.values())
        text = "\n".join(self._lines)
        told = {"text/html": f"{lines}<table>{bars}</table>" if bars else lines, "text/plain": text}
        self._handle.update(told, raw=True)


def _new_output() -> Any:
    from IPython.display import display

    return display({"text/plain": ""}, raw=True, display_id=True)
