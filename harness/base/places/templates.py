"""The competition folders that come with the harness: competitions/ of a checkout, harness/templates/ of a wheel.

setup.py imports this module where nothing is installed: it needs the standard library alone.
"""

from __future__ import annotations

from pathlib import Path

SHIPPED = ("bloodcells", "cifar-10", "datasciencebowl", "digit-recognizer", "flickr8k", "pneumonia", "ucm-multilabel")
"""Their slugs. Others in a checkout's competitions/ are the user's own, and go into no wheel."""

IN_WHEEL = "templates"
"""Folder of the package that a wheel keeps them in."""

_FILES = ("competition.toml", "competition.py", "README.md", "classes.txt", "recipes/*.toml")


def package_folder() -> Path:
    """The folder of the package harness."""
    return Path(__file__).resolve().parent.parent.parent


def templates_root() -> Path:
    """The folder that holds the competitions that come with the harness."""
    installed = package_folder() / IN_WHEEL
    return installed if installed.is_dir() else package_folder().parent / "competitions"


def templates() -> dict[str, list[str]]:
    """The files of each competition that comes with the harness, as {slug: paths below its folder}, sorted."""
    root = templates_root()
    found = {
        slug: sorted(path.relative_to(root / slug).as_posix() for form in _FILES for path in (root / slug).glob(form))
        for slug in SHIPPED
    }
    return {slug: files for slug, files in found.items() if "competition.toml" in files}
