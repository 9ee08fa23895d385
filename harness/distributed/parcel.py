"""What a node without the driver's files needs of a job: packed once, put into the object store once, unpacked once per node."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file, read_json, write_json

_FOLDERS = ("run", "competition", "cache")
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
    "report.html",
)


@dataclasses.dataclass(frozen=True)
class Parcel:
    """A job's folders as bytes.

    Attributes
    ----------
    key : 16 hex digits of names and sizes; nodes keep what they unpacked under it
    files : {"cache/train/images.npy": uint8 array of the file's bytes}
    """

    key: str
    files: dict[str, np.ndarray]

    @classmethod
    def pack(cls, job: Any) -> Parcel:
        """Of a job with the attributes run, competition and cache (folders), and the stored features of its run; results are left out."""
        files: dict[str, np.ndarray] = {}
        folders = {name: getattr(job, name) for name in _FOLDERS}
        if features := read_json(job.run / "environment.json").get(_FEATURES):
            folders[_FEATURES] = Path(features)
        for name, folder in folders.items():
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                inside = path.relative_to(folder).as_posix()
                if name == "run" and inside.startswith(_LEFT_OUT):
                    continue
                files[f"{name}/{inside}"] = np.fromfile(path, dtype=np.uint8)
        digest = hashlib.sha256()
        for inside, content in files.items():
            digest.update(f"{inside} {len(content)}\n".encode() + bytes(content[:65_536]))
        return cls(digest.hexdigest()[:16], files)

    def unpack(self, job: Any) -> Any:
        """The job with its folders on this node; a folder that stands is taken as it is."""
        import filelock

        root = Path(tempfile.gettempdir()) / "competition-harness-cluster" / self.key
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / ".lock"):
            if not (root / ".complete").is_file():
                for inside, content in self.files.items():
                    target = root / inside
                    with complete_file(target) as temporary:
                        content.tofile(temporary)
                _point_to_features(root)
                (root / ".complete").touch()
        folders = {name: root / name for name in _FOLDERS}
        folders["competition"] = _named(root / "competition", job.competition.name)
        return dataclasses.replace(job, **folders)


def _point_to_features(root: Path) -> None:
    """The run's environment names the driver's folder; on this node they lie in the parcel."""
    path, features = root / "run" / "environment.json", root / _FEATURES
    if features.is_dir():
        write_json(path, {**read_json(path), _FEATURES: str(features)})


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
