"""The readers of what the harness itself stored: runs, caches, weights, verdicts, ledgers, journals."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.fuzz.changes import csv_cells, json_lines, json_values
from benchmarks.fuzz.forms import (
    npy_lies,
    parquet_columns,
    safetensors_header,
    sqlite_cells,
    zip_lies,
)
from benchmarks.fuzz.parts import (
    CLASSES,
    CSV_WORDS,
    JSON_WORDS,
    NPY_WORDS,
    Form,
    Reader,
    Seed,
)

_RUN_FORMS: dict[str, Form] = {
    "recipe.json": json_values,
    "environment.json": json_values,
    "scores.json": json_values,
    "folds.csv": csv_cells,
    "oof.parquet": parquet_columns,
    "test.parquet": parquet_columns,
}


def readers_of_stored_files() -> list[Reader]:
    """Of what the harness itself stored."""
    return [
        Reader("json", lambda: [_run_seed("recipe.json"), _run_seed("environment.json")], _read_json, JSON_WORDS),
        Reader("run", lambda: [_run_seed(name) for name in _RUN_FORMS], _read_run, (*JSON_WORDS, b"PAR1"), _run_files),
        Reader("fold", lambda: [_run_seed("fold-0.npz")], _read_fold, NPY_WORDS),
        Reader("folds", lambda: [_run_seed("folds.csv")], _read_folds, CSV_WORDS),
        Reader("cache", _caches, _read_cache, NPY_WORDS, _cache_files),
        Reader("weights", _weights, _read_weights, (b"F32", b"data_offsets", b"[0,0]", b"__metadata__")),
        Reader("checkpoint", _checkpoints, _read_checkpoint, (b"F32", b"data_offsets", b"[0,0]", b"__metadata__")),
        Reader("clean", _clean_csvs, _read_clean, (*CSV_WORDS, b"exclude", b"relabel", b"to cat;")),
        Reader("ledger", _ledgers, _read_ledger, (b"SQLite format 3\x00", b"CREATE TABLE", b"\xff" * 4)),
        Reader("journal", _journals, _read_journal, JSON_WORDS),
    ]  # fmt: skip


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as name:
        yield Path(name)


_made: dict[str, dict[str, bytes]] = {}


def _run_files() -> dict[str, bytes]:
    """A small finished run, file by file."""
    if "run" in _made:
        return _made["run"]
    import pandas as pd

    from harness.base.storage.atomic_files import write_json
    from harness.competition import Recipe
    from harness.runs import FoldResult, RunFolder
    from harness.runs.folds import Folds
    from harness.runs.run import proba_column

    ids, test_ids = np.array([f"r{n}" for n in range(6)]), ["t1", "t2", "t3"]
    folds = Folds(ids, np.arange(6), np.arange(6).astype(np.int8) % 2, np.arange(6) != 4)
    proba = np.full((6, 3), 1 / 3, dtype=np.float32)
    environment = {"competition": {"slug": "fuzz", "classes": list(CLASSES)}, "versions": {"numpy": "2.0"},
                   "data": {"n_train": 6, "n_test": 3, "fingerprint": "0" * 16, "source": "made up"}}  # fmt: skip
    with _folder() as name:
        folder, columns = RunFolder(name), [proba_column(c) for c in CLASSES]
        folder.start(Recipe.model_validate({"name": "one", "model": {"name": "cnn"}}), folds, environment)
        history = [{"epoch": 1, "loss": 0.5}]
        folder.save_fold(FoldResult(0, np.array([0, 2, 4]), proba[:3], proba[:3], history, 1.5))
        table = pd.DataFrame(proba, columns=columns)
        oof, test = table.assign(id=ids, label=np.arange(6) % 3), table[:3].assign(id=test_ids)
        folder.save_tables(oof, test, history)
        scores = {"folds": [{"fold": 0, "accuracy": 0.5}, {"fold": 1, "accuracy": 0.6}], "oof": {"accuracy": 0.55}}
        write_json(name / "scores.json", scores)
        files = {path.name: path.read_bytes() for path in sorted(name.iterdir()) if path.is_file()}
        # as a run from before there were checksums, which would refuse every change before a reader is reached
        kept = {n: content for n, content in files.items() if not n.endswith("manifest.json") and n != "start.zip"}
        told = {k: v for k, v in json.loads(files["environment.json"]).items() if k not in ("format", "run")}
        _made["run"] = kept | {"environment.json": json.dumps(told).encode()}
    return _made["run"]


def _run_seed(name: str) -> Seed:
    return Seed(name, _run_files()[name], {**_RUN_FORMS, "fold-0.npz": zip_lies(npy_lies)}[name])


def _read_json(path: Path) -> None:
    from harness.base.storage.atomic_files import read_json

    read_json(path)


def _read_run(path: Path) -> None:
    from harness.runs import load_run

    run = load_run(path.parent)
    _ = run.classes, run.complete, run.folds.hash, run.recipe.digest()


def _read_fold(path: Path) -> None:
    from harness.base.storage.manifest import write_manifest
    from harness.runs import RunFolder

    folder = RunFolder(path.parent)
    write_manifest(folder.fold_manifest(0), [path.name])  # else every change would be refused by its checksum
    folder.load_fold(0)


def _read_folds(path: Path) -> None:
    from harness.runs.folds import Folds

    folds = Folds.load(path)
    _ = folds.hash, [folds.valid_rows(fold) for fold in range(folds.k)]


def _cache_files() -> dict[str, bytes]:
    """A decoded data set."""
    if "cache" not in _made:
        ids, images = np.array([f"r{n}" for n in range(6)]), np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
        arrays = {"train/ids": ids, "train/images": images, "train/labels": np.arange(6) % 3, "train/groups": np.arange(6) // 2,
                  "test/ids": ids[:3], "test/images": images[:3]}  # fmt: skip
        files = {
            "meta.json": json.dumps(
                {"source": "made up", "is_sample": False, "fingerprint": "0" * 16, "notes": []}
            ).encode()
        }
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            files[f"{name}.npy"] = buffer.getvalue()
        _made["cache"] = files
    return _made["cache"]


def _caches() -> list[Seed]:
    return [
        Seed(name, content, json_values if name == "meta.json" else npy_lies)
        for name, content in _cache_files().items()
    ]


def _read_cache(path: Path) -> None:
    from harness.data.cache import open_cache

    root = path.parent if path.name == "meta.json" else path.parent.parent
    dataset = open_cache(root)
    _ = [np.asarray(samples.images).sum() for samples in (dataset.train, dataset.test) if samples]


BACKBONE = "test_efficientnet"  # the smallest of timm's: files of 400 KB


def _weights() -> list[Seed]:
    import timm
    from safetensors.torch import save

    model = timm.create_model(BACKBONE, pretrained=False)
    return [Seed("weights.safetensors", save(model.state_dict()), safetensors_header)]


def _read_weights(path: Path) -> None:
    from harness.models.weights import weights_digest, with_weights

    weights_digest({"weights": str(path)})
    with_weights(BACKBONE, str(path), "", {"in_chans": 1, "num_classes": 0})


def _checkpoints() -> list[Seed]:
    import torch
    from safetensors.torch import save

    states = {f"{seed}.{name}": torch.ones(3, 2) for seed in (0, 1) for name in ("conv.weight", "conv.bias")}
    return [Seed("fold-0.safetensors", save(states), safetensors_header)]


def _read_checkpoint(path: Path) -> None:
    from harness.cv.jobs.fold_job import FoldTraining

    folder = SimpleNamespace(checked_checkpoint=lambda fold: path, damaged=lambda wrong: f"{path}: {wrong[0]}")
    FoldTraining.saved_states(SimpleNamespace(fold=0, folder=folder))  # type: ignore[arg-type]  # all that it asks for


def _clean_csvs() -> list[Seed]:
    rows = [("r0", "near duplicate", "group", "g1", "of r1"), ("r1", "near duplicate", "group", "g1", "of r0"),
            ("r2", "suspect", "exclude", "", "loss 4.2"), ("r3", "suspect", "relabel", "", '"to dog; p = 0.99, sure"'),
            ("r4", "suspect", "keep", "", ""), ("x", "broken", "keep", "", "no image")]  # fmt: skip
    lines = ["id,verdict,action,group,evidence", *(",".join(row) for row in rows), ""]
    return [Seed("clean.csv", end.join(lines).encode(), csv_cells) for end in ("\n", "\r\n")]


def _read_clean(path: Path) -> None:
    from harness.clean.verdicts import apply_verdicts
    from harness.competition import Samples

    ids, images = np.array([f"r{n}" for n in range(6)]), np.zeros((6, 4, 4, 1), dtype=np.uint8)
    apply_verdicts(path, Samples(ids, images, labels=np.arange(6, dtype=np.int64) % 3), CLASSES)


def _ledgers() -> list[Seed]:
    from harness.ledger import Intent, State
    from harness.ledger.ledger import open_ledger

    with _folder() as out:
        ledger = open_ledger(out)
        for number in range(3):
            intent = Intent("fuzz", "kaggle", f"run{number}", ("a", "b"), "file.csv", str(number), str(number), 6, "said", "tag", "accuracy",
                            0.5, 0.4, 0.6, {"low": 0.4} if number else None)  # fmt: skip
            entry = ledger.add(intent)
            ledger.record(entry, State.PENDING, ref="7")
            ledger.record(entry, State.COMPLETE, public=0.5)
        ledger.add_snapshot("fuzz", "kaggle", [{"team": "a", "score": 0.9}])
        ledger.close()
        content = (out / "submissions" / "ledger.sqlite").read_bytes()
    return [Seed("submissions/ledger.sqlite", content, sqlite_cells)]


def _read_ledger(path: Path) -> None:
    from harness.ledger.ledger import open_ledger

    ledger = open_ledger(path.parent.parent)
    try:
        for entry in ledger.entries("fuzz"):
            ledger.events(entry.id)
        ledger.snapshot("fuzz", "kaggle")
        ledger.everything()
    finally:
        ledger.close()


def _plan(home: Path) -> Any:
    from harness.tune.study import Plan

    return Plan("fuzz", None, home, {"space": "x", "folds": "y"}, 4, "random", "none", 0)


def _trials(home: Path) -> Any:
    """What opening a study asks of its trials."""
    return SimpleNamespace(metric=SimpleNamespace(greater_is_better=True), objectives=("score",), recipe=None, space=None, home=home,
                           limits=SimpleNamespace(), watcher=SimpleNamespace(say=lambda text: None), competition=SimpleNamespace(slug="fuzz"))  # fmt: skip


def _journals() -> list[Seed]:
    from harness.tune.storage import requeue_dead_trials
    from harness.tune.study import open_study

    with _folder() as home:
        study = open_study(_plan(home), _trials(home))
        for number in range(3):
            trial = study.ask()
            trial.suggest_float("train.lr", 0.001, 0.1, log=True)
            trial.suggest_categorical("train.optimizer", ["adamw", "sgd"])
            trial.set_user_attr("beat", time.time() if number else 1.0)
            trial.report(0.5, 1)
            if number == 1:
                study.tell(trial, 0.5)
        fresh = (home / "study.journal").read_bytes()
        requeue_dead_trials(study)
        content = (home / "study.journal").read_bytes()
    return [Seed("study.journal", content, json_lines), Seed("study.journal", fresh, json_lines)]


def _read_journal(path: Path) -> None:
    from harness.tune.storage import requeue_dead_trials
    from harness.tune.study import open_study

    study = open_study(_plan(path.parent), _trials(path.parent))
    requeue_dead_trials(study)
    _ = [(trial.params, trial.user_attrs, trial.values) for trial in study.get_trials(deepcopy=False)]
