"""Write, read and verify a run folder (its tree is drawn in the package's docstring)."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.damage import DAMAGED
from harness.base.errors import UserError, nearest
from harness.base.files import complete_file, dump_json, read_json, write_json, write_text
from harness.base.manifest import MANIFEST, faults, read_manifest, write_manifest
from harness.base.plain import plain
from harness.competition import Recipe
from harness.competition.schema import validate
from harness.runs.folds import Folds
from harness.runs.probabilities import check_probabilities
from harness.runs.tables import open_table, rows_of_table


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
        return self.path.name

    @property
    def started(self) -> bool:
        return (self.path / "environment.json").is_file()

    @property
    def finished(self) -> bool:
        """Whether scores and manifest are there (of a run from before there were manifests: the scores)."""
        return (self.path / "scores.json").is_file() and (self.is_old or (self.path / MANIFEST).is_file())

    @property
    def is_old(self) -> bool:
        """Whether the run is from before there were manifests."""
        if (
            (self.path / _START).exists()
            or (self.path / MANIFEST).exists()
            or any(self.path.glob("fold-*.manifest.json"))
        ):
            return False
        try:
            return "format" not in json.loads((self.path / "environment.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return False

    def fold_path(self, fold: int) -> Path:
        return self.path / f"fold-{fold}.npz"

    def checkpoint_path(self, fold: int) -> Path:
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
        return _recipe(self.path)

    def environment(self) -> dict[str, Any]:
        told = read_json(self.path / "environment.json")
        if not isinstance(told, dict):
            raise UserError(self.damaged(["environment.json is no object"]))
        return told

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
        self._save_start({"environment.json": (self.path / ".environment.json").read_bytes()})
        (self.path / ".environment.json").replace(self.path / "environment.json")

    def restore_start(self) -> list[str]:
        """Put right what was written before training, from its second place or into it; names of the files that were."""
        if self.is_old:
            return []
        second = self._read_start()
        if second is None:
            if not self._start_is_sound():
                (self.path / "environment.json").unlink(
                    missing_ok=True
                )  # so that the run is started anew; its folds stay
                return []
            self._save_start({})
            return [_START]
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
        second = self._read_start()
        if second is None:
            return [f"{_START} is not there or damaged"]
        wrong = []
        for name, content in second.items():
            path = self.path / name
            if not path.is_file():
                wrong.append(f"{name} is not there")
            elif path.read_bytes() != content:
                wrong.append(f"{name} is not what was written")
        return wrong

    def _save_start(self, given: dict[str, bytes]) -> None:
        with (
            complete_file(self.path / _START) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file,
        ):
            for name in _STARTING:
                content = given.get(name)
                if content is None and (self.path / name).is_file():
                    content = (self.path / name).read_bytes()
                if content is not None:
                    file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)

    def _read_start(self) -> dict[str, bytes] | None:
        try:
            with zipfile.ZipFile(self.path / _START) as file:
                found = {name: file.read(name) for name in file.namelist() if name in _STARTING}
        except (OSError, *DAMAGED):
            return None
        return (
            found if {"recipe.json", "folds.csv", "environment.json"} <= set(found) and self._is_mine(found) else None
        )

    def _is_mine(self, start: dict[str, bytes]) -> bool:
        """Whether what was written before training was written for this run, and not for another one."""
        try:
            return json.loads(start["environment.json"])["run"] == self.name
        except (ValueError, KeyError, TypeError):
            return False

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
                **{
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
        return isinstance(table, np.memmap) and path.is_file() and Path(table.filename) == path.resolve()

    def _check_predictions(self, result: FoldResult) -> None:
        try:
            ids = Folds.load(self.path / "folds.csv").ids[result.valid_index]
        except (UserError, IndexError):  # lost, and about to be restored
            ids = result.valid_index.astype(np.str_)
        check_probabilities(result.valid_proba, ids, f"fold {result.fold}, validation rows", _UNSTABLE)
        rows = np.arange(len(result.test_proba)).astype(np.str_)  # a fold does not know the test's ids
        check_probabilities(result.test_proba, rows, f"fold {result.fold}, test rows (by number from 0)", _UNSTABLE)

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
        self._check_predictions(found)
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
        names = [name for name in (*_STARTING, _START, *_FINISHED, *_TABLES) if (self.path / name).is_file()]
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
        for content in ((self._read_start() or {}).get("environment.json"), self._plain("environment.json")):
            with contextlib.suppress(ValueError, TypeError):
                told = told or json.loads(content or b"{}")
        ensemble = told.get("ensemble") if isinstance(told, dict) else None
        if ensemble:
            members = " ".join(f"--run {plain(name)}" for name in ensemble.get("members", {}))
            how = f" --method {ensemble.get('method')}" if ensemble.get("method") != "consensus" else ""
            slug = told["competition"]["slug"]
            return f"Save it again: python -m harness.oof ensemble {slug}{how} {members}"
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


_START, _FORMAT = "start.zip", 2
_STARTING = ("recipe.json", "folds.csv", "clean.csv", "environment.json")
_TABLES = ("proba/oof.npy", "proba/test.npy")
_FINISHED = ("oof.parquet", "test.parquet", "history.jsonl", "report.html", "scores.json")
_UNSTABLE = (
    "Its model gives no numbers for these images: try --set train.precision=fp32, a lower train.lr, or gradient clipping "
    "(train.clip_norm), and look at the images (harness.data preview): a constant one has no deviation to divide by."
)


@dataclass(frozen=True)
class Run:
    """A finished run, read back.

    Attributes
    ----------
    path, recipe, scores, environment : as saved
    folds : of the training rows, in the competition's order
    labels : int64 array (n,)
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
        If the folder is no run, is unfinished, damaged, or was copied only half.
    """
    try:
        return _loaded(path)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:  # sound files of another shape
        wrong = f"its files are not those of a run ({type(error).__name__}: {plain(error, 200)})"
        raise UserError(RunFolder(path).damaged([wrong])) from error


def _loaded(path: Path) -> Run:
    import pandas as pd

    folder = RunFolder(path)
    if not any((path / name).exists() for name in (*_STARTING, _START, *_FINISHED, MANIFEST, "checkpoints")):
        known = [p.name for p in runs_in(path.parent)]
        raise UserError(
            f"{path}: no run there{nearest(path.name, known)}. Runs beside it: {', '.join(sorted(known)) or 'none'}."
        )
    if not folder.finished:
        began = folder.start_faults()
        if began or (path / "scores.json").is_file():
            raise UserError(folder.damaged(began or [f"{MANIFEST} is not there"]))
        raise UserError(f"{path}: the run is not finished. {folder.cure()}")
    read = (*_STARTING, *_FINISHED, *_TABLES)
    wrong = folder.faults([name for name in read_manifest(path / MANIFEST) or [] if name in read])
    if wrong:
        raise UserError(folder.damaged(wrong))
    folds, environment = Folds.load(path / "folds.csv"), folder.environment()
    columns = [proba_column(c) for c in environment["competition"]["classes"]]
    oof, table = _read_table(folder, "oof", ["id", "label"], columns)
    if not np.array_equal(oof["id"].to_numpy(dtype=np.str_), folds.ids):
        raise UserError(folder.damaged(["oof.parquet and folds.csv hold different ids"]))
    test, test_table = pd.DataFrame(), None
    if environment["data"]["n_test"]:
        test, test_table = _read_table(folder, "test", ["id"], columns)
    scores = read_json(path / "scores.json")
    _check_read(folder, folds, scores, table, test, test_table)
    return Run(
        path=path,
        recipe=_recipe(path),
        scores=scores,
        environment=environment,
        folds=folds,
        labels=oof["label"].to_numpy(),
        oof=table,
        test_ids=test["id"].to_numpy(dtype=np.str_) if len(test) else None,
        test=test_table if len(test) else None,
    )


def _check_read(
    folder: RunFolder, folds: Folds, scores: dict[str, Any], oof: np.ndarray, test: Any, test_table: np.ndarray | None
) -> None:
    """Rows of trained folds must be probabilities, and so must the test's."""
    rows = np.flatnonzero(np.isin(folds.fold, [f["fold"] for f in scores["folds"]]))
    where = f"run '{folder.name}'"
    check_probabilities(rows_of_table(oof, rows), folds.ids[rows], f"{where}, OOF", folder.cure())
    if test_table is not None:
        check_probabilities(test_table, test["id"].to_numpy(dtype=np.str_), f"{where}, test", folder.cure())


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


def runs_of(out: Path, slug: str) -> list[Path]:
    """Folders of a competition's finished runs, sorted by name; damaged ones are among them."""
    return runs_in(out / "oof" / slug)


def runs_in(home: Path) -> list[Path]:
    """Folders of the finished runs in a folder of runs, sorted by name; damaged ones are among them."""
    found = {path.parent for name in ("scores.json", MANIFEST) for path in home.glob(f"*/{name}")}
    return sorted(found)


def proba_column(class_name: str) -> str:
    """Name of a class's probability column in oof.parquet and test.parquet."""
    return f"proba_{class_name}"


def _recipe(path: Path) -> Recipe:
    told = read_json(path / "recipe.json")
    if not isinstance(told, dict):
        raise UserError(f"{path / 'recipe.json'}: is no object. {RunFolder(path).cure()}")
    return validate(Recipe, told, str(path / "recipe.json"))


def _read_parquet(path: Path, columns: list[str]) -> Any:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there. The run folder is incomplete; copy it again or repeat the run.") from error
    except (pa.ArrowException, OSError, *DAMAGED) as error:
        raise UserError(f"{path}: damaged or of other classes ({error}). Copy it again or repeat the run.") from error
