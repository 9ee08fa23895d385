"""A project with drawn shapes, in which functions are called as a script would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, make_shapes

FAST = {"train.epochs": 1, "cv.folds": 2}
"""Of the recipe 'tiny' of the drawn shapes: trained in a second."""

PINNED = '"train.epochs": 1, "train.precision": "fp32", "train.channels_last": False'
"""Settings in a document's code instead of more epochs; nothing is timed."""

SMALL = f'{PINNED}, "model.args.stages": [[4], [8]], "predict.tta": ["identity"]'
"""The same with a network of a few filters for the digits of the sample, which are 28 pixels wide."""


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


MYPY = """\
[mypy]
strict = true
follow_imports = silent
ignore_missing_imports = true

[mypy-torch.*,torchvision.*,timm.*,huggingface_hub.*,sqlalchemy.*,matplotlib.*,rich.*,typer.*,filelock.*,PIL.*]
follow_imports = skip
"""
"""Strict about the script; libraries that no script needs to know are left out, a fifth of the time."""


@pytest.fixture(scope="package")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """mypy's word on a user's script, strictly; what it learnt of the package is kept for the next script."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "mypy.ini").write_text(MYPY)

    def check(script: str) -> subprocess.CompletedProcess[str]:
        (folder / "script.py").write_text(script)
        command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "script.py"]
        environment = {**os.environ, "MYPYPATH": str(REPOSITORY)}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return check
