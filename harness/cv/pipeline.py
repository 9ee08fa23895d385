"""k-fold cross-validation from a competition and a recipe to a finished run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.files import explain_disk_errors, write_json
from harness.competition import Competition, Recipe
from harness.cv.executor import run_jobs
from harness.cv.fold_job import FoldJob
from harness.cv.folds import load_or_make_folds
from harness.cv.prepare import PrepareJob, describe_environment, pick_devices, plan_threads, usable_cores
from harness.cv.scores import score_run
from harness.data import Dataset
from harness.runs import FoldResult, Folds, Run, RunFolder, load_run
from harness.runs.run import proba_column


class Watcher(Protocol):
    """Who is told how the work goes on."""

    def say(self, text: str) -> None: ...

    def progress(self, fold: int, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Options:
    """How a cross-validation is carried out; none of it belongs to the recipe.

    Attributes
    ----------
    out : folder that oof/ is written under
    folds : fold numbers to train, or None for all
    resume : go on with a started run
    fresh : train a started or finished run anew
    workers : processes side by side; None = one per GPU, or per CPU core up to the number of folds
    device : "auto", "cpu", "cuda", "cuda:N", "mps"
    """

    out: Path
    folds: tuple[int, ...] | None = None
    resume: bool = False
    fresh: bool = False
    workers: int | None = None
    device: str = "auto"


def cross_validate(
    competition: Competition, recipe: Recipe, dataset: Dataset, options: Options, watcher: Watcher
) -> Run:
    """Train every fold that is missing, then put OOF, test probabilities, scores and report together.

    Returns
    -------
    The finished run. A run whose folds all stand is not trained again.

    Raises
    ------
    UserError
        For whatever the user can put right; folds that were finished stay.
    """
    homes = options.out / "oof" / competition.slug
    folds = load_or_make_folds(dataset.train, competition.classes, recipe.cv, homes / "folds", dataset.fingerprint)
    folder = RunFolder(homes / run_name(recipe, dataset, folds))
    wanted = _wanted_folds(options.folds, folds.k)
    with _locked(folder):
        missing = _missing_folds(folder, wanted, options, watcher)
        if missing or not folder.finished:
            workers, devices = _crew(options, len(wanted))
            if not folder.started:
                environment = _environment(competition, dataset, folds, devices, workers)
                job = _prepare_job(folder, competition, dataset, recipe, folds, environment)
                run_jobs([job], workers, watcher.progress)
            _say_plan(folder, missing, workers, watcher)
            jobs = _fold_jobs(folder, competition, dataset, missing)
            run_jobs(jobs, workers, watcher.progress, lanes=[job.device for job in jobs])
            finish_run(folder, competition, dataset, folds)
    return load_run(folder.path)


def run_name(recipe: Recipe, dataset: Dataset, folds: Folds) -> str:
    """The recipe's name and 8 hex digits of what makes the result: recipe, data, folds. The sample's says so."""
    digest = hashlib.sha256(f"{recipe.digest()} {dataset.fingerprint} {folds.hash}".encode()).hexdigest()[:8]
    return f"{'sample-' if dataset.is_sample else ''}{recipe.name}-{digest}"


def finish_run(folder: RunFolder, competition: Competition, dataset: Dataset, folds: Folds) -> None:
    """Put the folds that stand together: oof.parquet, test.parquet, history.jsonl, report.html and, last, scores.json."""
    from harness.cv.report import write_report

    results = [folder.load_fold(fold) for fold in folder.done(folds.k)]
    oof = pool_oof(results, len(dataset.train), len(competition.classes))
    test = np.mean([r.test_proba for r in results], axis=0, dtype=np.float64).astype(np.float32)
    columns = [proba_column(c) for c in competition.classes]
    history = [line for result in results for line in result.history]
    folder.save_tables(
        _table({"id": dataset.train.ids, "label": dataset.train.labels, "fold": folds.fold}, columns, oof),
        _table({"id": dataset.test.ids}, columns, test) if dataset.test else None,
        history,
    )
    scores = score_run(competition, dataset.train.labels, oof, folds, [r.fold for r in results])
    scores["seconds"] = {str(r.fold): round(r.seconds, 2) for r in results}
    write_report(folder, competition, dataset, folds, oof, test, history, scores)
    write_json(folder.path / "scores.json", scores)


def pool_oof(results: list[FoldResult], n: int, n_classes: int) -> np.ndarray:
    """Out-of-fold probabilities float32 (n, C), each row by the model that did not see it; NaN where none has."""
    oof = np.full((n, n_classes), np.nan, dtype=np.float32)
    for result in results:
        oof[result.valid_index] = result.valid_proba
    return oof


def _table(columns: dict[str, np.ndarray], names: list[str], proba: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame(columns | {name: proba[:, i] for i, name in enumerate(names)})


def _wanted_folds(asked: tuple[int, ...] | None, k: int) -> list[int]:
    wanted = sorted(set(range(k) if asked is None else asked))
    outside = [fold for fold in wanted if not 0 <= fold < k]
    if outside or not wanted:
        raise UserError(f"--folds {','.join(map(str, asked or ()))}: this recipe has folds 0 to {k - 1}")
    return wanted


def _missing_folds(folder: RunFolder, wanted: list[int], options: Options, watcher: Watcher) -> list[int]:
    """Folds to train, after the user's word on what already stands."""
    if options.fresh:
        _clear(folder)
    done = folder.done(max(wanted) + 1) if folder.started else []
    missing = [fold for fold in wanted if fold not in done]
    if missing and done and not options.resume:
        raise UserError(
            f"{folder.path}: this run stands with folds {_list(done)} done and {_list(missing)} missing. "
            "Add --resume to train what is missing, or --fresh to begin anew."
        )
    if not missing and folder.finished:
        watcher.say(
            f"{folder.path}: all of these folds stand already; nothing is trained (--fresh would train them anew)."
        )
    return missing


def _clear(folder: RunFolder) -> None:
    """Take a run's results away; environment.json first, so that what is left never counts as started."""
    for pattern in ("environment.json", "scores.json", "fold-*.npz", "checkpoints/*.safetensors"):
        for path in folder.path.glob(pattern):
            path.unlink()


def _crew(options: Options, n_folds: int) -> tuple[int, list[str]]:
    devices = pick_devices(options.device)
    if options.workers is not None:
        return options.workers, devices[: options.workers]
    limit = usable_cores() if devices == ["cpu"] else len(devices)
    return max(min(limit, n_folds), 1), devices


def _environment(
    competition: Competition, dataset: Dataset, folds: Folds, devices: list[str], workers: int
) -> dict[str, Any]:
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "competition": {"slug": competition.slug, "metric": competition.metric, "classes": list(competition.classes)},
        "data": {
            "source": dataset.source,
            "is_sample": dataset.is_sample,
            "fingerprint": dataset.fingerprint,
            "n_train": len(dataset.train),
            "n_test": len(dataset.test) if dataset.test else 0,
        },
        "folds": {"k": folds.k, "hash": folds.hash},
        "workers": workers,
        "devices": [devices[fold % len(devices)] for fold in range(folds.k)],
        "threads": plan_threads(folds.k, workers, usable_cores()),
        **describe_environment(),
    }


def _prepare_job(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    recipe: Recipe,
    folds: Folds,
    environment: dict[str, Any],
) -> PrepareJob:
    return PrepareJob(
        run=folder.path,
        competition=competition.folder,
        cache=dataset.cache,
        timings=cache_root(),
        recipe=recipe,
        folds=folds,
        environment=environment,
        device=environment["devices"][0],
        threads=environment["threads"][0],
    )


def _fold_jobs(folder: RunFolder, competition: Competition, dataset: Dataset, missing: list[int]) -> list[FoldJob]:
    """Devices and threads are those the run was started with, so that a resumed run computes the same numbers."""
    plan = folder.environment()
    return [
        FoldJob(folder.path, competition.folder, dataset.cache, fold, plan["devices"][fold], plan["threads"][fold])
        for fold in missing
    ]


def _say_plan(folder: RunFolder, missing: list[int], workers: int, watcher: Watcher) -> None:
    plan = folder.environment()
    layout = plan["layout"]
    watcher.say(
        f"model: {plan['parameters']:,} parameters; {layout['precision']}"
        f"{' + channels_last' if layout['channels_last'] else ''} ({layout['how']}) on {plan['device_name']}; "
        f"{workers} fold{'s' if workers > 1 else ''} at a time"
    )
    for view in plan["doubtful_views"]:
        watcher.say(
            f"warning: predict.tta has '{view}', which is none of this competition's symmetries: it may change the label."
        )
    if len(missing) < plan["folds"]["k"]:
        watcher.say(f"training folds {_list(missing)}" if missing else "no fold is missing; putting the run together")


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Keep two processes from training the same run; the lock goes with the process, however it ends."""
    import filelock

    with explain_disk_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(
                f"{folder.path}: another process is training this run now. Wait for it, or stop it."
            ) from error
    try:
        yield
    finally:
        lock.release()


def _list(folds: list[int]) -> str:
    return ", ".join(map(str, folds))
