"""Tables of every command fit 80 columns, and cut no number and no interval."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.conftest import PINNED, make_shapes

METRICS = 'also = ["macro_f1", "log_loss", "roc_auc", "brier"]\n'
TINY = ("--recipe", "tiny", "--set", "cv.folds=2", "--set", "train.epochs=1", "--workers", "1", *PINNED)
COMMANDS = [
    ("harness.cv", "shapes", *TINY, "--noise", "--noise-rows", "10"),
    ("harness.oof", "compare", "shapes"),
    ("harness.oof", "ensemble", "shapes"),
    ("harness.oof", "errors", "shapes"),
    ("harness.submit", "shapes", "--dry-run"),
    ("harness.clean", "shapes"),
    ("harness.play", "shapes", "--fold-epochs", "50", "--dry-run"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    home = tmp_path_factory.mktemp("width")
    make_shapes(home)
    toml = home / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace("classes =", METRICS + "classes ="))
    first = home / "data" / "shapes" / "train" / "circle" / "0.png"
    (first.parent / "copy.png").write_bytes(first.read_bytes())  # something to clean
    for seed in "01":
        done = run_command_module("harness.cv", "shapes", *TINY, "--set", f"seed={seed}", cwd=home)
        assert done.returncode == 0, done.stderr
    return home


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_tables_fit_80_columns(words: tuple[str, ...], project: Path, run_command):
    done = run_command(*words, cwd=project, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if re.match("[┏┃┡│├└]", line)]
    assert lines and max(map(cell_len, lines)) <= 80 and "…" not in done.stdout
    cells = [cell.strip() for line in lines for cell in line.split("│")]
    assert all(cell.count("[") == cell.count("]") for cell in cells), "an interval over two lines"
