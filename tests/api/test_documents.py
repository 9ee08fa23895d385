"""docs/how-to/python.md: its snippets, one after the other, are run and type-checked; the reference has every name."""

from __future__ import annotations

import shutil
from pathlib import Path

import harness
from docs.made import PARTS
from tests.api.conftest import PINNED, SMALL
from tests.conftest import REPOSITORY, run_script_inside
from tests.e2e.snippets import blocks

PAGE = REPOSITORY / "docs" / "how-to" / "python.md"
SNIPPETS = [block.text for block in blocks(PAGE) if block.kind == "python"]


def test_the_snippets_run(tmp_path: Path):
    (tmp_path / "competitions").mkdir()
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", tmp_path / "competitions" / "digit-recognizer")
    short = [text.replace('"train.epochs": 3', SMALL).replace('"train.epochs": 2', PINNED) for text in SNIPPETS]
    done = run_script_inside("\n".join(short), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "(1097, 10)" in done.stdout and "(600, 10)" in done.stdout


def test_the_snippets_are_typed(checked):
    done = checked("\n".join(SNIPPETS))
    assert done.returncode == 0, done.stdout


ARRAYS = """
import numpy as np
labels = np.arange(30) % 3
images = np.random.default_rng(0).integers(0, 80, (30, 12, 12, 3), dtype=np.uint8)
images[np.arange(30), ..., labels] += 100
new = images[:4]
"""
README = [block.text for block in blocks(REPOSITORY / "README.md") if block.kind == "python"]


def test_the_readmes_snippet_runs(tmp_path: Path):
    shown = "print(run.oof.shape, found.predict_proba(new).shape, found.oof_score_.value > 0.5)"
    done = run_script_inside("\n".join([ARRAYS, *README, shown]), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "(30, 6) (4, 3) True" in done.stdout


def test_the_readmes_snippet_is_typed(checked):
    (text,) = README
    done = checked(f"from typing import Any\nimages: Any = ...\nlabels: Any = ...\nnew: Any = ...\n{text}")
    assert done.returncode == 0, done.stdout


def test_the_reference_has_every_name_and_parameter():
    page = PARTS["python"]()
    for name in harness.__all__:
        assert f"## `harness.{name}" in page, name
    assert "| `workers` | folds side by side" in page and "## `FinishedRun`" in page and "| `oof` |" in page
    assert "-----" not in page.replace("---", "", 1) or "\n---\n" not in page
