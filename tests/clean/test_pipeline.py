"""Which runs can tell label errors, and why others cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.clean.pipeline import clean_chosen
from harness.competition import find_competition
from tests.conftest import FOLDER_TOML


def test_a_run_on_several_labels_is_refused_for_its_task(tmp_path: Path):
    folder = tmp_path / "competitions" / "shapes"
    folder.mkdir(parents=True)
    text = FOLDER_TOML.replace('"accuracy"', '"macro_f1"').replace("[data]", 'task = "multilabel"\n[data]', 1)
    (folder / "competition.toml").write_text(text)
    with pytest.raises(
        UserError, match=r"--run one: label errors .* of several classes only; 'shapes' is task = 'multi"
    ):
        clean_chosen(find_competition(folder), DataOptions(), tmp_path, "one", False, LineWatcher(quiet=True))
