"""What is known of a run before it is trained, a second time: start.zip, from which a lost file is restored."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import DAMAGED

START = "start.zip"
STARTING = ("recipe.json", "folds.csv", "clean.csv", "environment.json")
"""What it holds; clean.csv only where a run goes by verdicts."""


def save_start(run: Path, given: dict[str, bytes] | None = None) -> None:
    """Write start.zip of the files in a run's folder, or of the content that is given for some of them."""
    with complete_file(run / START) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for name in STARTING:
            content = (given or {}).get(name)
            if content is None and (run / name).is_file():
                content = (run / name).read_bytes()
            if content is not None:
                file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def read_start(run: Path) -> dict[str, bytes] | None:
    """The files in start.zip by their names; None where it is not there, damaged, or another run's."""
    try:
        with zipfile.ZipFile(run / START) as file:
            found = {name: file.read(name) for name in file.namelist() if name in STARTING}
        is_mine = json.loads(found["environment.json"])["run"] == run.name
    except (OSError, *DAMAGED):
        return None
    return found if is_mine and {"recipe.json", "folds.csv"} <= set(found) else None
