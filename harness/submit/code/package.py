"""Everything that a code submission sends, in one file: <run>.code, a zip of these:

competition_harness-*.whl   the harness, which reads the images and writes the file
<slug>.pack                 the competition's folder
<run>.bundle                model.py with its weights (see `harness.submit.bundle`)
about.json                  what the notebook is told, and what is known of it here
ids.json, expected.csv      all rows of the file; the harness's own answers to some of them
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import DAMAGED

CODE = ".code"
"""The ending of a package."""

SENT = (".whl", ".pack", ".bundle")
"""Endings of what goes into the data set."""


@dataclass(frozen=True)
class About:
    """What a package says of itself.

    Attributes
    ----------
    slug, run, folder : the competition; its run; the name of the folder that Kaggle mounts its files as
    competitions, data_sets : what Kaggle attaches
    data : [data] as the run's images were read; classes : the competition's
    output : name of the file that is written
    margin, numeric : how far its own answers may be off where they are numbers; the columns that are, with their units
    accelerator : by Kaggle's name, "none" = no GPU
    seconds : the platform's limit; hidden_rows : images of the hidden test, None = not known
    """

    slug: str
    run: str
    folder: str
    competitions: tuple[str, ...]
    data_sets: tuple[str, ...]
    data: dict[str, Any]
    classes: tuple[str, ...]
    margin: float
    numeric: dict[str, float]
    seconds: float
    hidden_rows: int | None
    accelerator: str = "none"
    output: str = "submission.csv"


def write_package(path: Path, about: About, files: dict[str, bytes]) -> None:
    """Write a package: nothing is compressed, so that the same content gives the same bytes."""
    told = json.dumps(vars(about), sort_keys=True, indent=1).encode()
    with complete_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted({**files, "about.json": told}.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


@dataclass(frozen=True)
class Package:
    """A package that is read back."""

    path: Path
    about: About
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """One of its files."""
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    @property
    def hashes(self) -> dict[str, str]:
        """{name: sha256} of what goes into the data set."""
        return {name: hashlib.sha256(self.read(name)).hexdigest() for name in self.names if name.endswith(SENT)}

    @property
    def mark(self) -> str:
        """16 hex digits of what goes into the data set."""
        return hashlib.sha256(repr(sorted(self.hashes.items())).encode()).hexdigest()[:16]

    def unpack(self, folder: Path) -> list[Path]:
        """Write what goes into the data set into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for name in self.names:
            if name.endswith(SENT) and "/" not in name:
                with complete_file(folder / name) as temporary:
                    temporary.write_bytes(self.read(name))
                found.append(folder / name)
        return found


def open_package(path: Path) -> Package:
    """Read a package.

    Raises
    ------
    UserError
        If it is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = tuple(archive.namelist())
            told = json.loads(archive.read("about.json"))
        lists = {key: tuple(told[key]) for key in ("competitions", "data_sets", "classes")}
        return Package(path, About(**{**told, **lists}), names)
    except (OSError, *DAMAGED) as error:
        raise UserError(
            f"{path}: is no package of code ({type(error).__name__}). Make it again: harness.submit --code"
        ) from error


def model_digest(path: Path) -> str:
    """SHA-256 of a package's model and of what it answers with."""
    package = open_package(path)
    [bundle] = [name for name in package.names if name.endswith(".bundle")]
    return hashlib.sha256(package.read(bundle)).hexdigest()
