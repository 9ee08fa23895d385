"""A project with drawn shapes, in which functions are called as a script would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import make_shapes

FAST = {"train.epochs": 1, "cv.folds": 2}
"""Of the recipe 'tiny' of the drawn shapes: trained in a second."""


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder with the competition 'shapes'."""
    folder = tmp_path_factory.mktemp("project")
    make_shapes(folder)
    return folder


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is the current one."""
    monkeypatch.chdir(project)
    return project
