"""What is sent: the harness's wheel and the competition's folder, as the files of one private data set."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UserError
from harness.base.places.wheel import build_wheel
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.manifest import sha256_of
from harness.kernels.job import Job

_MOST = 200 * 2**20
_LEFT_OUT = ("__pycache__", "recipes", "notebooks")


@dataclass(frozen=True)
class Pack:
    """The files of a job's data set.

    Attributes
    ----------
    wheel, content : files; content : the competition's folder and what the command reads, a zip with another ending, so that Kaggle
        leaves it packed
    """

    wheel: Path
    content: Path

    @property
    def files(self) -> tuple[Path, Path]:
        """Both."""
        return (self.wheel, self.content)

    @property
    def hashes(self) -> dict[str, str]:
        """{file name: sha256}."""
        return {path.name: sha256_of(path) for path in self.files}

    @property
    def mark(self) -> str:
        """16 hex digits of what is in it."""
        return hashlib.sha256(repr(sorted(self.hashes.items())).encode()).hexdigest()[:16]

    def moved(self, folder: Path) -> Pack:
        """The same files in another folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.wheel.parent.rename(folder)
        return Pack(folder / self.wheel.name, folder / self.content.name)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.files)


def build_pack(job: Job, folder: Path) -> Pack:
    """Write the files of a job's data set into a folder.

    Raises
    ------
    UserError
        If the competition's folder holds too much to be sent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = folder / f"{job.competition.slug}.pack"
    _write_zip(content, _content(job))
    return Pack(build_wheel(folder), content)


def _content(job: Job) -> dict[str, bytes]:
    home, found, size = job.competition.folder, {}, 0
    places = [(f"competition/{p.relative_to(home).as_posix()}", p) for p in _own_files(home)]
    places += [(f"out/{name}", path) for name, path in sorted(job.files.items())]
    for name, path in places:
        size += path.stat().st_size
        if size > _MOST:
            raise UserError(
                f"{path}: with it the competition's folder holds more than {_MOST / 2**20:.0f} MiB to send along. Data belong below --data, "
                "not into the competition's folder"
            )
        found[name] = path.read_bytes()
    return found


def _own_files(home: Path) -> list[Path]:
    """Of the competition's folder; recipes go with the job, so that another one does not make another data set."""
    return [
        path
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") or part in _LEFT_OUT for part in path.relative_to(home).parts)
        and path.suffix not in (".pyc", ".md", ".png")
    ]


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    """A zip whose bytes depend on nothing but names and contents: nothing is compressed, since zlib's versions differ."""
    with complete_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
