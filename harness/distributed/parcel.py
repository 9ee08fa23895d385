"""What a node without the driver's files needs of a job: its folders, each packed once, put into the object store once, unpacked once per node."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file, read_json, write_json

_OF_JOB = ("run", "competition", "cache")
_FEATURES = "features"  # a run's environment says where a frozen network's lie
_LEFT_OUT = (
    "fold-",
    "progress-",
    "about.json",
    "tensorboard",
    "wandb",
    "proba",
    "checkpoints",
    "clusters",
    "noise",
    ".lock",
    ".seen-",
    "report.html",
)


@dataclasses.dataclass(frozen=True)
class Parcel:
    """A folder as bytes.

    Attributes
    ----------
    key : 16 hex digits of names and sizes; nodes keep what they unpacked under it
    files : {"train/images.npy": uint8 array of the file's bytes}
    """

    key: str
    files: dict[str, np.ndarray]

    @classmethod
    def pack(cls, folder: Path, left_out: tuple[str, ...] = ()) -> Parcel:
        """All files of a folder but those whose names in it begin so."""
        files: dict[str, np.ndarray] = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            inside = path.relative_to(folder).as_posix()
            if not left_out or not inside.startswith(left_out):
                files[inside] = np.fromfile(path, dtype=np.uint8)
        digest = hashlib.sha256()
        for inside, content in files.items():
            digest.update(f"{inside} {len(content)}\n".encode() + bytes(content[:65_536]))
        return cls(digest.hexdigest()[:16], files)

    def unpack(self) -> Path:
        """The folder on this node; one that stands is taken as it is."""
        import filelock

        root = Path(tempfile.gettempdir()) / "competition-harness-cluster" / self.key
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / ".lock"):
            if not (root / ".complete").is_file():
                for inside, content in self.files.items():
                    with complete_file(root / "files" / inside) as temporary:
                        content.tofile(temporary)
                (root / ".complete").touch()
        return root / "files"


def folders_of(job: Any) -> dict[str, Path]:
    """What a job reads, by the names of its attributes run, competition and cache, and the stored features of its run."""
    folders = {name: getattr(job, name) for name in _OF_JOB}
    if features := read_json(job.run / "environment.json").get(_FEATURES):
        folders[_FEATURES] = Path(features)
    return folders


def pack(name: str, folder: Path) -> Parcel:
    """One of `folders_of`; of a run its results are left out."""
    return Parcel.pack(folder, _LEFT_OUT if name == "run" else ())


def unpacked(job: Any, parcels: Mapping[str, Parcel]) -> Any:
    """The job with its folders on this node."""
    folders = {name: parcel.unpack() for name, parcel in parcels.items()}
    if features := folders.pop(_FEATURES, None):
        _point_to(folders["run"], features)
    folders["competition"] = _named(folders["competition"], job.competition.name)
    return dataclasses.replace(job, **folders)


def _point_to(run: Path, features: Path) -> None:
    """A run's environment names the driver's folder of features; here it names this node's."""
    path = run / "environment.json"
    told = read_json(path)
    if told[_FEATURES] != str(features):
        write_json(path, {**told, _FEATURES: str(features)})


def _named(folder: Path, slug: str) -> Path:
    """A competition is called after its folder."""
    link = folder.parent / slug
    if not link.exists():
        link.symlink_to(folder, target_is_directory=True)
    return link


def results_of(run: Path, fold: int) -> dict[str, bytes]:
    """The files that a fold's job wrote, by their name in the run folder."""
    names: tuple[str, ...] = (f"fold-{fold}.npz", f"checkpoints/fold-{fold}.safetensors", f"clusters/fold-{fold}.npz")
    names = (*names, *(f"proba/fold-{fold}-{of}.npy" for of in ("valid", "test")), f"fold-{fold}.manifest.json")
    return {name: (run / name).read_bytes() for name in names if (run / name).is_file()}


def write_results(run: Path, files: dict[str, bytes]) -> None:
    """Write them into the driver's run folder; the manifest, which says that the fold is done, comes last."""
    for name in sorted(files, key=_last):
        target = run / name
        if run not in target.parents or ".." in name:
            raise UserError(f"{name}: a node sent a file that does not belong into {run}")
        with complete_file(target) as temporary:
            temporary.write_bytes(files[name])


def _last(name: str) -> tuple[bool, bool]:
    return name.endswith(".json"), name.startswith("fold-")
