"""Where the files of a run lie, and what their names tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.base.storage.damage import DAMAGED
from harness.base.storage.manifest import MANIFEST
from harness.runs.start import START

TABLES = ("proba/oof.npy", "proba/test.npy")
FINISHED = ("oof.parquet", "test.parquet", "history.jsonl", "scores.json")
"""What a finished run is read back from; its pages are not: their links change as others are written."""


@dataclass(frozen=True)
class RunLayout:
    """The paths of a run's files; nothing is read of them but their presence, and whether the run is an old one."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name: recipe and digest."""
        return self.path.name

    @property
    def started(self) -> bool:
        """Whether recipe, folds and environment were written."""
        return (self.path / "environment.json").is_file()

    @property
    def finished(self) -> bool:
        """Whether scores and manifest are there (of a run from before there were manifests: the scores)."""
        return (self.path / "scores.json").is_file() and (self.is_old or (self.path / MANIFEST).is_file())

    @property
    def is_old(self) -> bool:
        """Whether the run is from before there were manifests."""
        if (
            (self.path / START).exists()
            or (self.path / MANIFEST).exists()
            or any(self.path.glob("fold-*.manifest.json"))
        ):
            return False
        try:
            return "format" not in json.loads((self.path / "environment.json").read_text(encoding="utf-8"))
        except (OSError, *DAMAGED):
            return False

    def fold_path(self, fold: int) -> Path:
        """A fold's predictions and history."""
        return self.path / f"fold-{fold}.npz"

    def checkpoint_path(self, fold: int) -> Path:
        """A fold's weights."""
        return self.path / "checkpoints" / f"fold-{fold}.safetensors"

    def clusters_path(self, fold: int) -> Path:
        """The fold's clusters; of a run with [clusters]."""
        return self.path / "clusters" / f"fold-{fold}.npz"

    def fold_table(self, fold: int, of: str) -> Path:
        """Where a fold's probabilities of its validation ("valid") or test rows lie, where they are large (see `tables`)."""
        return self.path / "proba" / f"fold-{fold}-{of}.npy"

    def fold_manifest(self, fold: int) -> Path:
        """Checksums of the fold's files; a fold that has it is done."""
        return self.path / f"fold-{fold}.manifest.json"

    def fold_files(self, fold: int) -> list[Path]:
        """The fold's files that are there, its manifest not among them."""
        tables = (self.fold_table(fold, of) for of in ("valid", "test"))
        paths = (self.fold_path(fold), self.checkpoint_path(fold), self.clusters_path(fold), *tables)
        return [path for path in paths if path.is_file()]

    def done(self, k: int) -> list[int]:
        """Folds whose result stands, as far as a look at names tells."""
        if self.is_old:
            return [fold for fold in range(k) if self.fold_path(fold).is_file()]
        return [fold for fold in range(k) if self.fold_manifest(fold).is_file() and self.fold_path(fold).is_file()]

    @property
    def verdicts_path(self) -> Path:
        """The verdicts on training rows that the run goes by; absent where there are none."""
        return self.path / "clean.csv"
