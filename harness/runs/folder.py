"""The files of a run: written while it grows, marked complete by checksums, named when they are damaged, restored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file, dump_json, read_json, write_json, write_text
from harness.base.storage.damage import DAMAGED
from harness.base.storage.manifest import MANIFEST, faults, read_manifest, write_manifest
from harness.base.untrusted_text import plain
from harness.competition import Recipe
from harness.competition.schema import validate
from harness.competition.tasks import TASKS, Task
from harness.report.links import refresh_run
from harness.runs.cure import cure
from harness.runs.fold_result import FoldResult
from harness.runs.folds import Folds
from harness.runs.layout import FINISHED, TABLES, RunLayout
from harness.runs.notes.progress import remove_progress
from harness.runs.probabilities import check_probabilities
from harness.runs.start import START, STARTING, read_start, save_start


@dataclass(frozen=True)
class RunFolder(RunLayout):
    """The files of a run, while it grows and afterwards.

    What is written carries checksums: each fold's files by fold-K.manifest.json, which marks the fold as done, those of a
    finished run by manifest.json, written last. What is known before training lies a second time in start.zip. Runs from
    before there were manifests are read as they are.
    """

    def fold_stands(self, fold: int) -> bool:
        """Whether the fold is done and its files are what was written."""
        return fold in self.done(fold + 1) and not self.fold_faults(fold)

    def fold_faults(self, fold: int, names: Iterable[str] | None = None) -> list[str]:
        """What is wrong with a fold's files (or with these of them), in words."""
        return [] if self.is_old else faults(self.fold_manifest(fold), names)

    def remove_fold(self, fold: int) -> None:
        """Take away what stands of a fold, its manifest first."""
        for path in (self.fold_manifest(fold), *self.fold_files(fold), *(self.path / "noise").glob(f"fold-{fold}-*")):
            path.unlink(missing_ok=True)
        remove_progress(self.path, fold)

    def recipe(self) -> Recipe:
        """The recipe that the run was trained by."""
        return _recipe(self.path)

    def environment(self) -> dict[str, Any]:
        """Competition, data, versions and machine of the run, as environment.json holds them."""
        told = read_json(self.path / "environment.json")
        if not isinstance(told, dict):
            raise UserError(self.damaged(["environment.json is no object"]))
        return told

    @property
    def task(self) -> Task:
        """The kind of task that the run's outputs are of, as environment.json has it."""
        try:
            return task_of(self.environment())
        except UserError:  # lost, and about to be restored
            return TASKS["single"]

    def start(self, recipe: Recipe, folds: Folds, environment: dict[str, Any], verdicts: str | None = None) -> None:
        """Write what is known before training, twice; environment.json comes last and marks the run as started."""
        write_json(self.path / "recipe.json", recipe.model_dump(mode="json"))
        folds.save(self.path / "folds.csv")
        if verdicts is not None:
            write_text(self.verdicts_path, verdicts)
        environment = {**environment, "format": _FORMAT, "run": self.name}
        with complete_file(self.path / ".environment.json") as temporary:
            temporary.write_text(dump_json(environment), encoding="utf-8")
        save_start(self.path, {"environment.json": (self.path / ".environment.json").read_bytes()})
        (self.path / ".environment.json").replace(self.path / "environment.json")

    def restore_start(self) -> list[str]:
        """Put right what was written before training, from its second place or into it; names of the files that were."""
        if self.is_old:
            return []
        second = read_start(self.path)
        if second is None:
            if not self._start_is_sound():
                (self.path / "environment.json").unlink(
                    missing_ok=True
                )  # so that the run is started anew; its folds stay
                return []
            save_start(self.path)
            return [START]
        restored = []
        for name, content in second.items():
            path = self.path / name
            if not path.is_file() or path.read_bytes() != content:
                with complete_file(path) as temporary:
                    temporary.write_bytes(content)
                restored.append(name)
        return restored

    def start_faults(self) -> list[str]:
        """What is wrong with the files written before training, in words; of an unfinished run."""
        if self.is_old:
            return []
        second = read_start(self.path)
        if second is None:
            return [f"{START} is not there or damaged"]
        wrong = []
        for name, content in second.items():
            path = self.path / name
            if not path.is_file():
                wrong.append(f"{name} is not there")
            elif path.read_bytes() != content:
                wrong.append(f"{name} is not what was written")
        return wrong

    def _start_is_sound(self) -> bool:
        try:
            self.recipe()
            told = self.environment()
            return told.get("run") == self.name and Folds.load(self.path / "folds.csv").hash == told["folds"]["hash"]
        except (UserError, KeyError, TypeError):
            return False

    def save_fold(self, result: FoldResult) -> None:
        """Write fold-K.npz and, last, the manifest of the fold's files; its checkpoint was written before.

        Raises
        ------
        UserError
            If its predictions are no probabilities: a model that gives NaN must not be scored.
        """
        self._check_predictions(result)
        apart = {of: self._lies_apart(result.fold, of, table) for of, table in result.tables().items()}
        result.save(self.fold_path(result.fold), [of for of, there in apart.items() if not there])
        names = [path.relative_to(self.path).as_posix() for path in self.fold_files(result.fold)]
        write_manifest(self.fold_manifest(result.fold), names)

    def _lies_apart(self, fold: int, of: str, table: np.ndarray) -> bool:
        """Whether a table is the map of its own file already."""
        path = self.fold_table(fold, of)
        return (
            isinstance(table, np.memmap)
            and table.filename is not None  # a copy of a map is a memmap without a file
            and path.is_file()
            and Path(table.filename) == path.resolve()
        )

    def _check_predictions(self, result: FoldResult) -> None:
        task, where = self.task, f"fold {result.fold}, validation rows"
        try:
            check_probabilities(result.valid_proba, result.valid_index.astype(np.str_), where, _UNSTABLE, task)
        except UserError:  # only then their ids are wanted: reading them takes longer than all else
            check_probabilities(result.valid_proba, self._ids_of(result.valid_index), where, _UNSTABLE, task)
            raise
        rows = np.arange(len(result.test_proba)).astype(np.str_)  # a fold does not know the test's ids
        check_probabilities(
            result.test_proba, rows, f"fold {result.fold}, test rows (by number from 0)", _UNSTABLE, task
        )

    def _ids_of(self, rows: np.ndarray) -> np.ndarray:
        """Ids of rows; their numbers where folds.csv is lost, and about to be restored."""
        try:
            return np.asarray(Folds.load(self.path / "folds.csv").ids[rows])
        except (UserError, IndexError):
            return rows.astype(np.str_)

    def load_fold(self, fold: int) -> FoldResult:
        """Read fold-K.npz.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        path = self.fold_path(fold)
        tables = [self.fold_table(fold, of) for of in ("valid", "test")]
        names = [p.relative_to(self.path).as_posix() for p in (path, *tables)]
        wrong = self.fold_faults(
            fold, [n for n in names if n in (read_manifest(self.fold_manifest(fold)) or names[:1])]
        )
        if wrong:
            raise UserError(self.damaged(wrong))
        try:
            found = FoldResult.load(path, fold, *tables)
        except (OSError, *DAMAGED) as error:
            raise UserError(self.damaged([f"{path.name} cannot be read ({plain(error, 200)})"])) from error
        if not found.is_sound():
            raise UserError(self.damaged([f"{path.name} holds other arrays than a fold's"]))
        try:
            self._check_predictions(found)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        return found

    def checked_checkpoint(self, fold: int) -> Path:
        """The fold's weights, where they are what was written.

        Raises
        ------
        UserError
            If they are missing or damaged.
        """
        path = self.checkpoint_path(fold)
        if not path.is_file():
            raise UserError(f"{path}: not there. {self.cure()}")
        wrong = self.fold_faults(fold, [path.relative_to(self.path).as_posix()])
        if wrong:
            raise UserError(self.damaged(wrong))
        return path

    def save_tables(self, oof: Any, test: Any | None, history: list[dict[str, Any]]) -> None:
        """Write oof.parquet, test.parquet (pandas tables) and history.jsonl."""
        for table, name in ((oof, "oof.parquet"), (test, "test.parquet")):
            if table is not None:
                with complete_file(self.path / name) as temporary:
                    table.to_parquet(temporary, index=False)
        write_text(self.path / "history.jsonl", "".join(json.dumps(line) + "\n" for line in history))

    def finish(self, scores: dict[str, Any]) -> None:
        """Write scores.json and, last, the manifest of everything that is read back."""
        (self.path / MANIFEST).unlink(missing_ok=True)
        write_json(self.path / "scores.json", scores)
        k = Folds.load(self.path / "folds.csv").k
        names = [name for name in (*STARTING, START, *FINISHED, *TABLES) if (self.path / name).is_file()]
        for fold in self.done(k):
            paths = [self.fold_manifest(fold), *self.fold_files(fold)]
            names += [path.relative_to(self.path).as_posix() for path in paths]
        write_manifest(self.path / MANIFEST, names)

    def unfinish(self) -> None:
        """Take the marks of a finished run away: its scores will not be true any more."""
        for name in (MANIFEST, "scores.json", "noise.json.manifest.json", "noise.json", "noise.html"):
            (self.path / name).unlink(missing_ok=True)
        refresh_run(self.path)

    def faults(self, names: Iterable[str] | None = None) -> list[str]:
        """What is wrong with a finished run's files (or with these of them), in words; [] where nothing is."""
        return [] if self.is_old else faults(self.path / MANIFEST, names)

    def cure(self) -> str:
        """What heals this run."""
        return cure(self.path)

    def damaged(self, wrong: Sequence[str]) -> str:
        """What to say of a damaged run: what is wrong, and what heals it."""
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"{self.path}: the run is damaged: {wrong[0]}{more}. {self.cure()}"


def task_of(environment: dict[str, Any]) -> Task:
    """The kind of task in environment.json; of runs from before there were others: one of several classes."""
    told = environment.get("competition")
    return TASKS.get(told.get("task", "single") if isinstance(told, dict) else "single", TASKS["single"])


_FORMAT = 2
_UNSTABLE = (
    "Its model gives no numbers for these images: try --set train.precision=fp32, a lower train.lr, or gradient clipping "
    "(train.clip_norm), and look at the images (harness.data preview): a constant one has no deviation to divide by."
)


def _recipe(path: Path) -> Recipe:
    told = read_json(path / "recipe.json")
    if not isinstance(told, dict):
        raise UserError(f"{path / 'recipe.json'}: is no object. {RunFolder(path).cure()}")
    return validate(Recipe, told, str(path / "recipe.json"), saved=True)
