"""docs/how-to/python.md: its snippets, one after the other, are run and type-checked; the reference has every name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import harness
from docs.made import PARTS
from tests.api.test_harness import checked
from tests.conftest import REPOSITORY
from tests.e2e.snippets import blocks

PAGE = REPOSITORY / "docs" / "how-to" / "python.md"
SNIPPETS = [block.text for block in blocks(PAGE) if block.kind == "python"]


def test_the_snippets_run(tmp_path: Path):
    (tmp_path / "competitions").mkdir()
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", tmp_path / "competitions" / "digit-recognizer")
    pinned = '"train.precision": "fp32", "train.channels_last": False, "train.epochs": 1'
    short = [text.replace('"train.epochs": 3', pinned).replace('"train.epochs": 2', pinned) for text in SNIPPETS]
    (tmp_path / "script.py").write_text("\n".join(short), encoding="utf-8")
    command = [sys.executable, "script.py"]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "(1097, 10)" in done.stdout and "(600, 10)" in done.stdout


def test_the_snippets_are_typed(tmp_path: Path):
    done = checked("\n".join(SNIPPETS), tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_readmes_snippet_is_typed(tmp_path: Path):
    (text,) = [block.text for block in blocks(REPOSITORY / "README.md") if block.kind == "python"]
    done = checked(f"from typing import Any\nimages: Any = ...\nlabels: Any = ...\nnew: Any = ...\n{text}", tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_reference_has_every_name_and_parameter():
    page = PARTS["python"]()
    for name in harness.__all__:
        assert f"## `harness.{name}" in page, name
    assert "| `workers` | folds side by side" in page and "## `FinishedRun`" in page and "| `oof` |" in page
    assert "-----" not in page.replace("---", "", 1) or "\n---\n" not in page
