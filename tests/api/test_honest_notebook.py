"""docs/notebooks/honest.ipynb: its cells one after the other, as a script, on a shorter training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.api.conftest import SMALL
from tests.conftest import REPOSITORY, run_script_inside

NOTEBOOK = REPOSITORY / "docs" / "notebooks" / "honest.ipynb"
SHORT = (
    ('"train.epochs": 8', SMALL),
    ('"cv.folds": 3', '"cv.folds": 2'),
    ("noise_rows=100", "noise_rows=20"),
)
SHOWN = """
assert len(pairs) == 1 and 0 <= pairs["p_value"][0] <= 1 and pairs["low"][0] <= pairs["difference"][0] <= pairs["high"][0]
assert {"mean", "hill_climbing", "stacking"} <= set(both.methods.index) and both.members == [run.name, other.name]
assert run.noisy["rows"] == other.noisy["rows"] == 20
assert forecast.public.low <= forecast.public.value <= forecast.public.high
assert not any("noise suite was not run" in note for note in forecast.notes), forecast.notes
"""


def test_its_cells_run_as_a_script(tmp_path: Path):
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert 6 <= len(book["cells"]) <= 12 and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    text = "\n\n".join("".join(cell["source"]) for cell in code)
    for long, short in SHORT:
        assert long in text
        text = text.replace(long, short)
    shutil.copytree(REPOSITORY / "competitions" / "digit-recognizer", tmp_path / "competitions" / "digit-recognizer")
    done = run_script_inside(text + SHOWN, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nScore(metric='accuracy'" in done.stdout
