"""What the steps work on: the drawn shapes, in their own folder."""

from pathlib import Path

import pytest

from harness.base.progress import LineWatcher
from harness.competition import find_competition
from harness.data.dataset import load_dataset
from harness.play.steps.table import Table


@pytest.fixture
def table(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.chdir(shapes)
    contest = find_competition("shapes")
    dataset = load_dataset(contest, shapes / "data")
    home = shapes / "oof" / "shapes" / "play"
    return Table(dataset.competition or contest, dataset, shapes, home, LineWatcher(quiet=True), "shapes", workers=1)
