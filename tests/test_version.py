"""The version stands in harness/__init__.py; the build takes it from there, and what names it elsewhere agrees."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from harness import __version__

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_same_everywhere():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert setup["metadata"]["version"] == "attr: harness.__version__"
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
