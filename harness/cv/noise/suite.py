"""What the noise suite leaves in a run folder: noise/fold-K-rows-N.npz, written by a fold and read by all who look."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.damage import DAMAGED
from harness.base.storage.manifest import MANIFEST, faults, manifest_beside, sealed_file


@dataclass(frozen=True)
class Suite:
    """Predictions under corruption, labels known; each row by the model that did not see it.

    Attributes
    ----------
    names : of the corruptions
    rows : int64 (m,), which of the training rows
    proba : float16 (corruptions, severities, m, C); of numbers float32
    statistics : float32 (corruptions, severities, m, S); clean_statistics : (m, S)
    """

    names: tuple[str, ...]
    rows: np.ndarray
    proba: np.ndarray
    statistics: np.ndarray
    clean_statistics: np.ndarray

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Suite:
        """Put the folds' files together.

        Raises
        ------
        UserError
            If one is damaged or was written before the suite described its images.
        """
        parts = []
        for path in paths:
            if not suite_stands(path):
                raise UserError(f"{path}: damaged. Repeat harness.cv with --noise: it is predicted anew.")
            try:
                with np.load(path, allow_pickle=False) as file:
                    parts.append({name: file[name] for name in file.files})
                parts[-1]["clean_statistics"]
            except (OSError, *DAMAGED) as error:
                raise UserError(
                    f"{path}: damaged, or of an older version ({error}). Delete it and repeat harness.cv with --noise."
                ) from error
        return cls(
            names=tuple(parts[0]["names"].tolist()),
            rows=np.concatenate([p["rows"] for p in parts]),
            proba=np.concatenate([p["proba"] for p in parts], axis=2),
            statistics=np.concatenate([p["statistics"] for p in parts], axis=2),
            clean_statistics=np.concatenate([p["clean_statistics"] for p in parts]),
        )

    def save(self, path: Path) -> None:
        """Write one fold's file and its checksum."""
        with sealed_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{**vars(self), "names": np.array(self.names)})


def suite_stands(path: Path) -> bool:
    """Whether a fold's file is there and what was written; of one from before there were checksums, whether it is there."""
    sums = manifest_beside(path)
    return path.is_file() and not (faults(sums) if sums.exists() else [])


def noise_path(run: Path, fold: int, rows: int) -> Path:
    """Where a fold's predictions under corruption lie."""
    return run / "noise" / f"fold-{fold}-rows-{rows}.npz"


def suite_paths(run: Path, folds: Iterable[int]) -> list[Path] | None:
    """The folds' predictions under corruption by the largest suite that all of them took; None where there is none.

    Raises
    ------
    UserError
        If one that was written is not there any more.
    """
    by_rows: dict[int, list[Path]] = {}
    numbers = list(folds)
    for fold in numbers:
        for sums in sorted((run / "noise").glob(f"fold-{fold}-rows-*.npz.{MANIFEST}")):
            path = sums.with_name(sums.name.removesuffix(f".{MANIFEST}"))
            if not path.is_file():
                raise UserError(f"{path}: is not there. Repeat harness.cv with --noise: it is predicted anew.")
        for path in sorted((run / "noise").glob(f"fold-{fold}-rows-*.npz")):
            by_rows.setdefault(int(path.stem.rpartition("-")[2]), []).append(path)
    whole = [rows for rows, paths in by_rows.items() if len(paths) == len(numbers)]
    if not whole:
        if not by_rows and (run / "noise.json").is_file():
            raise UserError(
                f"{run / 'noise'}: is not there, and noise.json says that it was. Repeat harness.cv with --noise: it is predicted anew."
            )
        if by_rows:
            some = max(map(len, by_rows.values()))
            print(
                f"note: {run}: the noise suite was run for {some} of {len(numbers)} folds and is not used; repeat harness.cv with --noise",
                file=sys.stderr,
            )
        return None
    return by_rows[0 if 0 in whole else max(whole)]
