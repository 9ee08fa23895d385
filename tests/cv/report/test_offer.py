"""How a run is handed in: a file; code where the test is hidden, in the form that its platform takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.competition import Competition
from harness.cv.report.offer import submission_offer

DRY = " --dry-run --sample"


def offer(platform: str, hidden: bool, run: str = "quick-1") -> list[str]:
    values = {"slug": "cells", "folder": Path("somewhere/cells"), "title": "Cells", "metric": "accuracy"}
    data = {"format": "image_folder", "size": 8}
    contest = Competition.model_validate({**values, "platform": platform, "data": data})
    return submission_offer(contest, run, DRY, hidden)


@pytest.mark.parametrize("platform", ["none", "kaggle", "codabench"])
def test_a_file_where_the_test_is_there(platform: str):
    assert offer(platform, False) == [f"python -m harness.submit somewhere/cells --run quick-1{DRY}"]


@pytest.mark.parametrize("platform", ["none", "codabench"])
def test_a_bundle_where_it_is_hidden(platform: str):
    assert offer(platform, True) == [f"python -m harness.submit somewhere/cells --run quick-1 --bundle{DRY}"]
    assert offer(platform, True, "") == [f"python -m harness.submit somewhere/cells --bundle{DRY}"]


def test_kaggle_takes_a_notebook_which_wants_example_images():
    said, command = offer("kaggle", True)
    assert "data.test" in said and said.endswith(":")
    assert command == f"python -m harness.submit somewhere/cells --code{DRY}"
