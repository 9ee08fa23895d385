"""The files of a run: written while it grows, marked complete by checksums, named when they are damaged, restored."""

from __future__ import annotations

import contextlib
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
from harness.runs.folds import Folds
from harness.runs.probabilities import check_probabilities
from harness.runs.probability_tables import open_table
from harness.runs.start import START, STARTING, read_start, save_start


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
    """The files of a run, while it grows and afterwards.

    What is written carries checksums: each fold's files by fold-K.manifest.json, which marks the fold as done, those of a
    finished run by manifest.json, written last. What is known before training lies a second time in start.zip. Runs from
    before there were manifests are read as they are.
    """

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

    @property
    def verdicts_path(self) -> Path:
        """The verdicts on training rows that the run goes by; absent where there are none."""
        return self.path / "clean.csv"

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
        with complete_file(self.fold_path(result.fold)) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                valid_index=result.valid_index,
                **{  # type: ignore[arg-type]  # numpy's stub: a key could be allow_pickle
                    f"{of}_proba": table
                    for of, table in (("valid", result.valid_proba), ("test", result.test_proba))
                    if not self._lies_apart(result.fold, of, table)
                },
                history=np.array(json.dumps(result.history)),
                seconds=np.array(result.seconds),
            )
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
        try:
            ids = Folds.load(self.path / "folds.csv").ids[result.valid_index]
        except (UserError, IndexError):  # lost, and about to be restored
            ids = result.valid_index.astype(np.str_)
        task = self.task
        check_probabilities(result.valid_proba, ids, f"fold {result.fold}, validation rows", _UNSTABLE, task)
        rows = np.arange(len(result.test_proba)).astype(np.str_)  # a fold does not know the test's ids
        check_probabilities(
            result.test_proba, rows, f"fold {result.fold}, test rows (by number from 0)", _UNSTABLE, task
        )

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
            with np.load(path, allow_pickle=False) as file:
                found = FoldResult(
                    fold,
                    file["valid_index"],
                    file["valid_proba"] if "valid_proba" in file.files else open_table(tables[0]),
                    file["test_proba"] if "test_proba" in file.files else open_table(tables[1]),
                    json.loads(str(file["history"])),
                    float(file["seconds"]),
                )
        except (OSError, *DAMAGED) as error:
            raise UserError(self.damaged([f"{path.name} cannot be read ({plain(error, 200)})"])) from error
        if not _is_of_a_fold(found):
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

    def faults(self, names: Iterable[str] | None = None) -> list[str]:
        """What is wrong with a finished run's files (or with these of them), in words; [] where nothing is."""
        return [] if self.is_old else faults(self.path / MANIFEST, names)

    def damaged(self, wrong: Sequence[str]) -> str:
        """What to say of a damaged run: what is wrong, and what heals it."""
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"{self.path}: the run is damaged: {wrong[0]}{more}. {self.cure()}"

    def cure(self) -> str:
        """What heals this run."""
        told: dict[str, Any] = {}
        for content in ((read_start(self.path) or {}).get("environment.json"), self._plain("environment.json")):
            told = told or _dict_in(content)
        with contextlib.suppress(*DAMAGED):  # the file that says it may be the damaged one
            if told.get("ensemble"):
                return _saved_again(told)
        command = told.get("command") or "the command that trained it, with --resume"
        return (
            f"Heal it by: {plain(command)}   (what the folds hold is put together again, only a fold whose own files are lost is "
            "trained anew)"
        )

    def _plain(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None


def task_of(environment: dict[str, Any]) -> Task:
    """The kind of task in environment.json; of runs from before there were others: one of several classes."""
    told = environment.get("competition")
    return TASKS.get(told.get("task", "single") if isinstance(told, dict) else "single", TASKS["single"])


def _dict_in(content: bytes | None) -> dict[str, Any]:
    """A JSON object; {} where it is none."""
    with contextlib.suppress(*DAMAGED):
        told = json.loads(content or b"{}")
        return told if isinstance(told, dict) else {}
    return {}


def _saved_again(told: dict[str, Any]) -> str:
    """The command that saves an ensemble again."""
    ensemble, slug = told["ensemble"], plain(told["competition"]["slug"])
    members = " ".join(f"--run {plain(name)}" for name in ensemble.get("members", {}))
    how = f" --method {plain(ensemble.get('method'))}" if ensemble.get("method") != "consensus" else ""
    return f"Save it again: python -m harness.oof ensemble {slug}{how} {members}"


def _is_of_a_fold(found: FoldResult) -> bool:
    """Whether the types and shapes are those of a fold's arrays."""
    rows, tables = found.valid_index, (found.valid_proba, found.test_proba)
    if not all(isinstance(array, np.ndarray) for array in (rows, *tables)):
        return False  # a member of an .npz that is no array comes as bytes
    kinds = rows.dtype.kind in "iu" and all(table.dtype.kind == "f" for table in tables)
    return kinds and rows.ndim == 1 and all(table.ndim == 2 for table in tables) and len(rows) == len(found.valid_proba)


_FORMAT = 2
TABLES = ("proba/oof.npy", "proba/test.npy")
FINISHED = ("oof.parquet", "test.parquet", "history.jsonl", "report.html", "scores.json")
_UNSTABLE = (
    "Its model gives no numbers for these images: try --set train.precision=fp32, a lower train.lr, or gradient clipping "
    "(train.clip_norm), and look at the images (harness.data preview): a constant one has no deviation to divide by."
)


def _recipe(path: Path) -> Recipe:
    told = read_json(path / "recipe.json")
    if not isinstance(told, dict):
        raise UserError(f"{path / 'recipe.json'}: is no object. {RunFolder(path).cure()}")
    return validate(Recipe, told, str(path / "recipe.json"))
