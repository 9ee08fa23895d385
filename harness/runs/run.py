"""Read a finished run back and verify it (its folder's tree is drawn in the package's docstring)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json
from harness.base.storage.damage import DAMAGED
from harness.base.storage.manifest import MANIFEST, read_manifest
from harness.base.untrusted_text import plain
from harness.competition import Recipe
from harness.competition.tasks import Task
from harness.runs.folder import RunFolder, task_of
from harness.runs.folds import Folds
from harness.runs.layout import FINISHED, TABLES
from harness.runs.probabilities import check_probabilities
from harness.runs.probability_tables import open_table, rows_of_table
from harness.runs.start import START, STARTING


@dataclass(frozen=True)
class Run:
    """A finished run, read back.

    Attributes
    ----------
    path, recipe, scores, environment : as saved
    folds : of the training rows, in the competition's order
    labels : int64 array (n,), of several labels and of numbers float32 (n, K)
    oof : float32 array (n, C), of many classes a float16 map; NaN in rows whose fold was not trained
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
        """The folder's name."""
        return self.path.name

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities' columns."""
        classes: list[str] = self.environment["competition"]["classes"]
        return classes

    @property
    def task(self) -> Task:
        """The kind of task."""
        return task_of(self.environment)

    @property
    def complete(self) -> bool:
        """Whether every fold was trained."""
        return len(self.scores["folds"]) == self.folds.k


def nearest_run(name: str, known: Sequence[str]) -> str:
    """The run that was probably meant, as `nearest`; where a recipe's name was given, its runs."""
    near = difflib.get_close_matches(name, [*known, *map(_recipe_of, known)], n=1)
    of_recipe = [run for run in known if run in near or _recipe_of(run) in near or run.rpartition("-")[2] == name]
    if not of_recipe:
        return ""
    return f" (did you mean {' or '.join(repr(run) for run in sorted(of_recipe)[:3])}?)"


def _recipe_of(run: str) -> str:
    """The recipe's part of a run's name."""
    return run.removeprefix("sample-").rpartition("-")[0]


def require_run(path: Path) -> None:
    """Refuse a folder in which there is nothing of a run (UserError); what there is of one is not looked at."""
    if not any((path / name).exists() for name in (*STARTING, START, *FINISHED, MANIFEST, "checkpoints")):
        known = [p.name for p in runs_in(path.parent)]
        raise UserError(
            f"{path}: no run there{nearest_run(path.name, known)}. Runs beside it: {', '.join(sorted(known)) or 'none'}."
        )


def load_run(path: Path) -> Run:
    """Read a finished run and check that its parts belong together.

    Raises
    ------
    UserError
        If the folder is no run, is unfinished, damaged, or was copied only half.
    """
    import pyarrow as pa

    try:
        return _loaded(path)
    except (
        *DAMAGED,
        pa.ArrowException,
    ) as error:  # sound files of another shape, columns that are none when they are looked at
        wrong = f"its files are not those of a run ({type(error).__name__}: {plain(error, 200)})"
        raise UserError(RunFolder(path).damaged([wrong])) from error


def _loaded(path: Path) -> Run:
    import pandas as pd

    require_run(path)
    folder = RunFolder(path)
    if not folder.finished:
        began = folder.start_faults()
        if began or (path / "scores.json").is_file():
            raise UserError(folder.damaged(began or [f"{MANIFEST} is not there"]))
        raise UserError(f"{path}: the run is not finished. {folder.cure()}")
    read = (*STARTING, *FINISHED, *TABLES)
    wrong = folder.faults([name for name in read_manifest(path / MANIFEST) or [] if name in read])
    if wrong:
        raise UserError(folder.damaged(wrong))
    folds, environment = Folds.load(path / "folds.csv"), folder.environment()
    columns = [proba_column(c) for c in environment["competition"]["classes"]]
    task, classes = task_of(environment), environment["competition"]["classes"]
    of_targets = target_columns(task, classes)
    oof, table = _read_table(folder, "oof", ["id", *of_targets], columns)
    if not np.array_equal(oof["id"].to_numpy(dtype=np.str_), folds.ids):
        raise UserError(folder.damaged(["oof.parquet and folds.csv hold different ids"]))
    test, test_table = pd.DataFrame(), None
    if environment["data"]["n_test"]:
        test, test_table = _read_table(folder, "test", ["id"], columns)
    scores = read_json(path / "scores.json")
    _check_read(folder, folds, scores, table, test, test_table, task)
    return Run(
        path=path,
        recipe=folder.recipe(),
        scores=scores,
        environment=environment,
        folds=folds,
        labels=oof["label"].to_numpy() if task.is_one_class else oof[of_targets].to_numpy(dtype=np.float32),
        oof=table,
        test_ids=test["id"].to_numpy(dtype=np.str_) if len(test) else None,
        test=test_table if len(test) else None,
    )


def _check_read(
    folder: RunFolder,
    folds: Folds,
    scores: dict[str, Any],
    oof: np.ndarray,
    test: Any,
    test_table: np.ndarray | None,
    task: Task,
) -> None:
    """Rows of trained folds must be probabilities, and so must the test's."""
    rows = np.flatnonzero(np.isin(folds.fold, [f["fold"] for f in scores["folds"]]))
    where = f"run '{folder.name}'"
    check_probabilities(rows_of_table(oof, rows), folds.ids[rows], f"{where}, OOF", folder.cure(), task)
    if test_table is not None:
        check_probabilities(test_table, test["id"].to_numpy(dtype=np.str_), f"{where}, test", folder.cure(), task)


def _read_table(folder: RunFolder, of: str, first: list[str], columns: list[str]) -> tuple[Any, np.ndarray]:
    """The first columns of oof.parquet or test.parquet, and the probabilities: float32, or the map of a large table."""
    path, large = folder.path / f"{of}.parquet", folder.path / "proba" / f"{of}.npy"
    if not large.is_file():
        table = _read_parquet(path, [*first, *columns])
        return table[first], table[columns].to_numpy(dtype=np.float32)
    table, proba = _read_parquet(path, first), open_table(large)
    if proba.shape != (len(table), len(columns)):
        raise UserError(folder.damaged([f"proba/{of}.npy is {proba.shape}, wanted ({len(table)}, {len(columns)})"]))
    return table, proba


def run_folder(home: Path, name: str) -> Path:
    """The folder of a run that was begun, finished or not, by its name; home : the folder of runs.

    Raises
    ------
    UserError
        If there is none (with what comes near).
    """
    folder = home / Path(name).name
    if name != folder.name or not RunFolder(folder).started:
        known = sorted(path.parent.name for path in home.glob("*/environment.json"))
        raise UserError(
            f"--run {name}: no run there{nearest_run(name, known)}. Runs in {home}: {', '.join(known) or 'none'}."
        )
    return folder


def runs_of(out: Path, slug: str) -> list[Path]:
    """Folders of a competition's finished runs, sorted by name; damaged ones are among them."""
    return runs_in(out / "oof" / slug)


def runs_in(home: Path) -> list[Path]:
    """Folders of the finished runs in a folder of runs, sorted by name; damaged ones are among them."""
    found = {path.parent for name in ("scores.json", MANIFEST) for path in home.glob(f"*/{name}")}
    return sorted(found)


def target_columns(task: Task, classes: Sequence[str]) -> list[str]:
    """Names of the targets' columns in oof.parquet."""
    return ["label"] if task.is_one_class else [f"label_{name}" for name in classes]


def target_table(task: Task, classes: Sequence[str], labels: np.ndarray) -> dict[str, np.ndarray]:
    """The targets' columns of oof.parquet."""
    columns = [labels] if task.is_one_class else list(labels.T)
    return dict(zip(target_columns(task, classes), columns, strict=True))


def proba_column(class_name: str) -> str:
    """Name of a class's probability column in oof.parquet and test.parquet."""
    return f"proba_{class_name}"


def _read_parquet(path: Path, columns: list[str]) -> Any:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. {RunFolder(path.parent).cure()}") from error
    except (pa.ArrowException, OSError, *DAMAGED) as error:
        wrong = f"{path.name} is damaged or of other classes ({plain(error, 200)})"
        raise UserError(RunFolder(path.parent).damaged([wrong])) from error
