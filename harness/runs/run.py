"""Write, read and verify a run folder (its tree is drawn in the package's docstring)."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.files import complete_file, read_json, write_json, write_text
from harness.competition import Recipe
from harness.competition.schema import validate
from harness.runs.folds import Folds


@dataclass(frozen=True)
class FoldResult:
    """What a fold's training yields.

    Attributes
    ----------
    fold : its number
    valid_index : int64 array (n_valid,), rows of the training set
    valid_proba : float32 array (n_valid, C)
    test_proba : float32 array (n_test, C), by the same weights and TTA; n_test = 0 where the test is hidden
    history : one dict per seed and epoch
    seconds : wall time of training and prediction
    """

    fold: int
    valid_index: np.ndarray
    valid_proba: np.ndarray
    test_proba: np.ndarray
    history: list[dict[str, Any]]
    seconds: float


@dataclass(frozen=True)
class RunFolder:
    """The files of a run, while it grows."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def started(self) -> bool:
        return (self.path / "environment.json").is_file()

    @property
    def finished(self) -> bool:
        return (self.path / "scores.json").is_file()

    def fold_path(self, fold: int) -> Path:
        return self.path / f"fold-{fold}.npz"

    def checkpoint_path(self, fold: int) -> Path:
        return self.path / "checkpoints" / f"fold-{fold}.safetensors"

    def done(self, k: int) -> list[int]:
        """Folds whose result stands."""
        return [fold for fold in range(k) if self.fold_path(fold).is_file()]

    def recipe(self) -> Recipe:
        return _recipe(self.path)

    def environment(self) -> dict[str, Any]:
        return read_json(self.path / "environment.json")

    @property
    def verdicts_path(self) -> Path:
        """The verdicts on training rows that the run goes by; absent where there are none."""
        return self.path / "clean.csv"

    def start(self, recipe: Recipe, folds: Folds, environment: dict[str, Any], verdicts: str | None = None) -> None:
        """Write what is known before training; environment.json comes last and marks the run as started."""
        write_json(self.path / "recipe.json", recipe.model_dump(mode="json"))
        folds.save(self.path / "folds.csv")
        if verdicts is not None:
            write_text(self.verdicts_path, verdicts)
        write_json(self.path / "environment.json", environment)

    def save_fold(self, result: FoldResult) -> None:
        with complete_file(self.fold_path(result.fold)) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                valid_index=result.valid_index,
                valid_proba=result.valid_proba,
                test_proba=result.test_proba,
                history=np.array(json.dumps(result.history)),
                seconds=np.array(result.seconds),
            )

    def load_fold(self, fold: int) -> FoldResult:
        """Read fold-K.npz.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        path = self.fold_path(fold)
        try:
            with np.load(path, allow_pickle=False) as file:
                return FoldResult(
                    fold,
                    file["valid_index"],
                    file["valid_proba"],
                    file["test_proba"],
                    json.loads(str(file["history"])),
                    float(file["seconds"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: missing or damaged ({error}). Delete it and run again with --resume.") from error

    def save_tables(self, oof: Any, test: Any | None, history: list[dict[str, Any]]) -> None:
        """Write oof.parquet, test.parquet (pandas tables) and history.jsonl."""
        for table, name in ((oof, "oof.parquet"), (test, "test.parquet")):
            if table is not None:
                with complete_file(self.path / name) as temporary:
                    table.to_parquet(temporary, index=False)
        write_text(self.path / "history.jsonl", "".join(json.dumps(line) + "\n" for line in history))


@dataclass(frozen=True)
class Run:
    """A finished run, read back.

    Attributes
    ----------
    path, recipe, scores, environment : as saved
    folds : of the training rows, in the competition's order
    labels : int64 array (n,)
    oof : float32 array (n, C); NaN in rows whose fold was not trained
    test_ids : str array (n_test,), test : float32 array (n_test, C); both None where the test is hidden
    """

    path: Path
    recipe: Recipe
    scores: dict[str, Any]
    environment: dict[str, Any]
    folds: Folds
    labels: np.ndarray
    oof: np.ndarray
    test_ids: np.ndarray | None
    test: np.ndarray | None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def classes(self) -> list[str]:
        return self.environment["competition"]["classes"]

    @property
    def complete(self) -> bool:
        """Whether every fold was trained."""
        return len(self.scores["folds"]) == self.folds.k


def load_run(path: Path) -> Run:
    """Read a finished run and check that its parts belong together.

    Raises
    ------
    UserError
        If the folder is no run, is unfinished, or was copied only half.
    """
    import pandas as pd

    if not (path / "recipe.json").is_file():
        known = [p.parent.name for p in path.parent.glob("*/scores.json")]
        raise UserError(
            f"{path}: no run there{nearest(path.name, known)}. Runs beside it: {', '.join(sorted(known)) or 'none'}."
        )
    if not (path / "scores.json").is_file():
        raise UserError(f"{path}: the run is not finished. Finish it: run harness.cv again with --resume.")
    folds, environment = Folds.load(path / "folds.csv"), read_json(path / "environment.json")
    columns = [proba_column(c) for c in environment["competition"]["classes"]]
    oof = _read_parquet(path / "oof.parquet", ["id", "label", *columns])
    if not np.array_equal(oof["id"].to_numpy(dtype=np.str_), folds.ids):
        raise UserError(
            f"{path}: oof.parquet and folds.csv hold different ids. The folder was mixed up: copy it again."
        )
    test = pd.DataFrame()
    if environment["data"]["n_test"]:
        test = _read_parquet(path / "test.parquet", ["id", *columns])
    return Run(
        path=path,
        recipe=_recipe(path),
        scores=read_json(path / "scores.json"),
        environment=environment,
        folds=folds,
        labels=oof["label"].to_numpy(),
        oof=oof[columns].to_numpy(dtype=np.float32),
        test_ids=test["id"].to_numpy(dtype=np.str_) if len(test) else None,
        test=test[columns].to_numpy(dtype=np.float32) if len(test) else None,
    )


def runs_of(out: Path, slug: str) -> list[Path]:
    """Folders of a competition's finished runs, sorted by name."""
    return sorted(path.parent for path in (out / "oof" / slug).glob("*/scores.json"))


def proba_column(class_name: str) -> str:
    """Name of a class's probability column in oof.parquet and test.parquet."""
    return f"proba_{class_name}"


def _recipe(path: Path) -> Recipe:
    return validate(Recipe, read_json(path / "recipe.json"), str(path / "recipe.json"))


def _read_parquet(path: Path, columns: list[str]) -> Any:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. The run folder is incomplete; copy it again or repeat the run.") from error
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise UserError(f"{path}: damaged or of other classes ({error}). Copy it again or repeat the run.") from error
