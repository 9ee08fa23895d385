"""A page that was written, shown in a notebook or opened in a browser."""

from __future__ import annotations

import os
import webbrowser
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Page(os.PathLike[str]):
    """A page on the disk; a notebook shows it as the value of a cell, `open` takes the browser."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> Page:
        """Show it in the browser."""
        webbrowser.open(self.path.resolve().as_uri())
        return self

    def _repr_html_(self) -> str:
        """The page in a frame of its own: its styles and scripts reach nothing of the notebook."""
        page = escape(self.path.read_text(encoding="utf-8"), quote=True)
        shown = f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width:100%;height:600px;border:1px solid #8888"></iframe>'
        return f"{shown}<div>{escape(str(self.path))}</div>"
