"""k-fold cross-validation from a competition and a recipe to a finished run."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.storage.atomic_files import explain_disk_errors, read_json
from harness.clean.verdicts import Cleaning, apply_verdicts
from harness.competition import Competition, Recipe
from harness.competition.metrics import row_pieces
from harness.competition.tasks.fitting import check_fits
from harness.cv.folds import FoldsJob, folds_path, load_folds, rare_classes, restore_folds, saved_faults
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.features_job import FeaturesJob
from harness.cv.jobs.fold_job import FoldJob
from harness.cv.options import Options, Watcher, describe_run, listed, planned_workers, say_plan
from harness.cv.prepare import PrepareJob, pick_devices, plan_rounds, usable_cores
from harness.cv.pseudo_labels import check_pseudo, pseudo_gain
from harness.cv.repair import repair_or_refuse
from harness.cv.scores import competition_metrics, score_run
from harness.data.cache import Dataset
from harness.runs import FoldResult, Folds, Run, RunFolder, load_run
from harness.runs.majority_vote import vote
from harness.runs.probability_tables import is_large, new_table
from harness.runs.run import proba_column, target_table


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
    opened = open_run(competition, recipe, dataset, options, watcher)
    folder, dataset, folds = opened.folder, opened.dataset, opened.folds
    wanted = _wanted_folds(options.folds, folds.k)
    with _locked(folder):
        repair_or_refuse(folder, folds, options, watcher)
        missing = _missing_folds(folder, wanted, options)
        if options.fresh or not folder.started:
            opened.start(competition, recipe, options, watcher)
        if missing:
            _remove_folds(folder, missing)
            _train(folder, competition, dataset, missing, options, watcher)
        if _up_to_date(folder, competition, folds.k, recipe):
            watcher.say(
                f"{folder.path}: these folds stand already; nothing is trained (--fresh would train them anew)."
            )
        else:
            finish_run(folder, competition, dataset, folds)
            _update_counterpart_report(folder, competition, dataset, recipe)
    return load_run(folder.path)


@dataclass(frozen=True)
class OpenedRun:
    """A run's folder with its data, by the verdicts that count, and its folds; nothing is trained yet.

    Attributes
    ----------
    folder, dataset, folds : as they are passed on
    saved_folds : where the folds lie; cleaning : what the verdicts changed, or None
    """

    folder: RunFolder
    dataset: Dataset
    folds: Folds
    saved_folds: Path
    cleaning: Cleaning | None

    def start(self, competition: Competition, recipe: Recipe, options: Options, watcher: Watcher) -> None:
        """Check the recipe against code and data, and write what is known before training."""
        cleaned = self.cleaning.digest if self.cleaning else ""
        environment = describe_run(competition, recipe, self.dataset, self.folds, options, self.cleaning)
        environment["pseudo"] = check_pseudo(recipe, self.folder.path, self.dataset, self.folds, cleaned)
        verdicts = options.verdicts if self.cleaning else None
        prepare = _prepare_job(self.folder, competition, self.dataset, recipe, self.saved_folds, environment, verdicts)
        run_jobs([prepare], environment["workers"], watcher.progress)


def open_run(
    competition: Competition, recipe: Recipe, dataset: Dataset, options: Options, watcher: Watcher
) -> OpenedRun:
    """Apply the verdicts, make or read the folds, and name the run."""
    check_fits(recipe, competition.kind)
    competition.check_hooks()  # else a misspelt one would come out when everything is trained
    homes = options.out / "oof" / competition.slug
    cleaning = _clean(competition, dataset, options.verdicts, watcher)
    verdicts, cleaned = (options.verdicts, cleaning.digest) if cleaning else (None, "")
    dataset = dataclasses.replace(dataset, train=cleaning.samples) if cleaning else dataset
    saved_folds = folds_path(homes / "folds", dataset.fingerprint, recipe.cv, cleaned)
    if saved_faults(saved_folds):
        restore_folds(saved_folds, homes, dataset.train, watcher.say)
    if not saved_folds.is_file():
        classes = competition.classes or ("row",)  # of clusters nothing is known yet
        job = FoldsJob(dataset.cache, classes, recipe.cv, saved_folds, verdicts, competition.task)
        run_jobs([job], planned_workers(options, recipe.cv.folds), watcher.progress)
    folds = load_folds(dataset.train, saved_folds)
    if competition.classes and dataset.train.labels is not None:
        for warning in rare_classes(dataset.train.labels, dataset.train.groups, competition.classes, folds.k):
            watcher.say(f"warning: {warning}")
    folder = RunFolder(homes / run_name(competition, recipe, dataset, folds, cleaned))
    return OpenedRun(folder, dataset, folds, saved_folds, cleaning)


def train_fold_of(
    opened: OpenedRun,
    competition: Competition,
    fold: int,
    options: Options,
    watcher: Watcher,
    after_epoch: Callable[[int, float], None] | None = None,
) -> FoldResult:
    """Train one fold of a started run in this process, where it does not stand yet; nothing is reported or pooled.

    after_epoch : told each epoch's number and the score of the rows that the fold is judged on; what it raises ends the fold
    """
    folder, plan = opened.folder, opened.folder.environment()
    device = (plan["devices"] if options.device == "auto" else pick_devices(options.device))[0]
    if "features" in plan:
        features = FeaturesJob(folder.path, competition.folder, opened.dataset.cache, device, usable_cores())
        run_jobs([features], 1, watcher.progress)
    kind = _fold_job(folder.recipe())
    job = kind(
        folder.path,
        competition.folder,
        opened.dataset.cache,
        fold,
        device,
        plan["threads"][fold],
        after_epoch,
    )
    job(watcher.progress)
    return folder.load_fold(fold)


def _update_counterpart_report(folder: RunFolder, competition: Competition, dataset: Dataset, recipe: Recipe) -> None:
    """The page of a leaky run shows the honest one, and the other way round."""
    if recipe.clusters:
        from harness.cv.clustering.pipeline import update_counterpart_report

        update_counterpart_report(folder, competition, dataset)


def _clean(competition: Competition, dataset: Dataset, path: Path | None, watcher: Watcher) -> Cleaning | None:
    """What the verdicts make of the training rows; None where there are none or they change nothing."""
    if path is None:
        return None
    cleaning = apply_verdicts(path, dataset.train, competition.classes)
    if not cleaning.digest:
        return None
    counts = cleaning.counts
    watcher.say(
        f"verdicts of {path}: {counts['exclude']:,} rows excluded, {counts['group']:,} grouped, {counts['relabel']:,} "
        "relabelled (--no-clean goes without)"
    )
    return cleaning


def run_name(competition: Competition, recipe: Recipe, dataset: Dataset, folds: Folds, cleaned: str = "") -> str:
    """The recipe's name and 8 hex digits of what makes the result: recipe, data, folds, a model of one's own.

    The sample's name says that it is one.
    """
    parts = [recipe.digest(), dataset.fingerprint, folds.hash] + ([cleaned] if cleaned else [])
    if competition.task not in ("single", "binary"):
        parts.append(competition.task)
    if recipe.model.name == "custom":
        code = competition.folder / "competition.py"  # that it is missing is said where the model is built
        parts.append(code.read_text(encoding="utf-8", errors="replace") if code.is_file() else "")
    if recipe.model.name == "timm":
        parts.append(_weights(recipe.model.args))
    if recipe.image:
        parts.append(_weights({"weights": recipe.image.weights}))
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
    return f"{'sample-' if dataset.is_sample else ''}{recipe.name}-{digest}"


def _weights(args: dict[str, Any]) -> str:
    """What tells one file of weights from another of the same name; models are imported only where there is one."""
    if args.get("weights", "scratch") in ("scratch", "pretrained", "package"):
        return ""
    from harness.models.weights import weights_digest

    return weights_digest(args)


def finish_run(folder: RunFolder, competition: Competition, dataset: Dataset, folds: Folds) -> None:
    """Put the folds that stand together: oof.parquet, test.parquet, history.jsonl, report.html, scores.json and, last, the manifest."""
    if folder.recipe().clusters:
        from harness.cv.clustering.pipeline import finish_clusters

        finish_clusters(folder, competition, dataset, folds)
        return
    from harness.cv.report import write_report

    results = [folder.load_fold(fold) for fold in folder.done(folds.k)]
    proba = folder.path / "proba"
    oof = pool_oof(results, len(dataset.train), len(competition.classes), proba / "oof.npy")
    test = combine_folds([r.test_proba for r in results], folder.recipe().predict.across_folds, proba / "test.npy")
    labels = dataset.train.labels
    assert labels is not None  # training rows always have labels
    columns = [proba_column(c) for c in competition.classes]
    history = [line for result in results for line in result.history]
    targets = target_table(competition.kind, competition.classes, labels)
    folder.save_tables(
        _table({"id": dataset.train.ids, **targets, "fold": folds.fold}, columns, oof),
        _table({"id": dataset.test.ids}, columns, test) if dataset.test else None,
        history,
    )
    scores = score_run(competition, labels, oof, folds, [r.fold for r in results])
    rows = folds.scored_rows([r.fold for r in results])
    scores["pseudo"] = pseudo_gain(competition, folder.recipe(), folder.path, labels, oof, rows)
    scores["seconds"] = {str(r.fold): round(r.seconds, 2) for r in results}
    write_report(folder, competition, dataset, folds, oof, test, history, scores)
    folder.finish(scores)


def pool_oof(results: list[FoldResult], n: int, n_classes: int, path: Path) -> np.ndarray:
    """Out-of-fold probabilities float32 (n, C), each row by the model that did not see it; NaN where none has.

    path : of the file that a large table is put into, float16
    """
    large = is_large(n, n_classes)
    oof = new_table(path, (n, n_classes)) if large else np.empty((n, n_classes), dtype=np.float32)
    if len(results) < 2 or sum(len(r.valid_index) for r in results) < n:
        oof[:] = np.nan
    for result in results:
        for piece in row_pieces(len(result.valid_index), n_classes):
            oof[result.valid_index[piece]] = result.valid_proba[piece]
    return oof


def combine_folds(proba: list[np.ndarray], how: str, path: Path) -> np.ndarray:
    """Test probabilities float32 (n_test, C) of the folds' models together.

    how : "mean" of probabilities, or "vote": shares of the models' votes
    path : of the file that a large table is put into, float16
    """
    shape = proba[0].shape
    combined = new_table(path, shape) if is_large(*shape) else np.empty(shape, dtype=np.float32)
    for piece in row_pieces(*shape):
        parts = [np.asarray(p[piece], dtype=np.float32) for p in proba]
        combined[piece] = vote(parts) if how == "vote" else np.mean(parts, axis=0, dtype=np.float64)
    return combined


def _table(columns: dict[str, np.ndarray], names: list[str], proba: np.ndarray) -> Any:
    import pandas as pd

    if isinstance(proba, np.memmap):  # a large table lies in its own file
        return pd.DataFrame(columns)
    return pd.DataFrame(columns | {name: proba[:, i] for i, name in enumerate(names)})


def _wanted_folds(asked: tuple[int, ...] | None, k: int) -> list[int]:
    wanted = sorted(set(range(k) if asked is None else asked))
    outside = [fold for fold in wanted if not 0 <= fold < k]
    if outside or not wanted:
        raise UserError(f"--folds {','.join(map(str, asked or ()))}: this recipe has folds 0 to {k - 1}")
    return wanted


def _missing_folds(folder: RunFolder, wanted: list[int], options: Options) -> list[int]:
    """Folds to train, after the user's word on what already stands."""
    if options.fresh and options.resume:
        raise UserError("--fresh trains anew what stands, --resume keeps it: give one of them")
    if options.fresh:
        return wanted
    done = folder.done(max(wanted) + 1)
    missing = [fold for fold in wanted if fold not in done]
    if missing and done and not options.resume:
        raise UserError(
            f"{folder.path}: this run stands with folds {listed(done)} done and {listed(missing)} missing. "
            "Add --resume to train what is missing, or --fresh to begin anew."
        )
    return missing


def _remove_folds(folder: RunFolder, folds: list[int]) -> None:
    """Remove what will not be true any more, and what stands of the folds that are trained now."""
    folder.unfinish()
    for fold in folds:
        folder.remove_fold(fold)


def _up_to_date(folder: RunFolder, competition: Competition, k: int, recipe: Recipe) -> bool:
    """Whether scores.json covers just the folds that stand, by the metrics that are asked for now."""
    if not folder.finished or folder.faults():
        return False
    if recipe.clusters:
        return [f["fold"] for f in read_json(folder.path / "scores.json")["folds"]] == folder.done(k)
    scores = read_json(folder.path / "scores.json")
    metrics = [m.name for m in competition_metrics(competition)]
    return [f["fold"] for f in scores["folds"]] == folder.done(k) and list(scores["metrics"]) == metrics


def _train(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    missing: list[int],
    options: Options,
    watcher: Watcher,
) -> None:
    """Train folds side by side as the run planned it, so that a resumed run computes the same numbers.

    Fewer workers than planned may be asked for (less memory, same numbers), more not: their threads would outnumber the
    cores. How the folds are put into rounds: see `plan_rounds`.
    """
    plan = folder.environment()
    workers = min(options.workers or plan["workers"], plan["workers"])
    devices = plan["devices"] if options.device == "auto" else pick_devices(options.device)
    say_plan(plan, missing, workers, watcher)
    if "features" in plan:
        features = FeaturesJob(folder.path, competition.folder, dataset.cache, devices[0], usable_cores())
        run_jobs([features], min(workers, 2), watcher.progress)
    kind = _fold_job(folder.recipe())
    jobs = [
        kind(folder.path, competition.folder, dataset.cache, fold, devices[i % len(devices)], plan["threads"][fold])
        for i, fold in enumerate(missing)
    ]
    if options.cluster:
        options.cluster.run(jobs, watcher.progress, watcher.say)
        return
    crowd = options.workers is None and devices == ["cpu"] * len(devices)
    for size, processes in plan_rounds([job.threads for job in jobs], workers, crowd):
        together, jobs = jobs[:size], jobs[size:]
        run_jobs(together, processes, watcher.progress, lanes=[job.device for job in together])


def _fold_job(recipe: Recipe) -> type[FoldJob]:
    if not recipe.clusters:
        return FoldJob
    from harness.cv.clustering.fold_job import ClusterFoldJob

    return ClusterFoldJob


def _prepare_job(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    recipe: Recipe,
    saved_folds: Path,
    environment: dict[str, Any],
    verdicts: Path | None,
) -> PrepareJob:
    kind = PrepareJob
    if recipe.clusters:
        from harness.cv.clustering.prepare_job import ClusterPrepareJob as kind
    return kind(
        run=folder.path,
        competition=competition.folder,
        cache=dataset.cache,
        timings=cache_root(),
        recipe=recipe,
        folds=saved_folds,
        environment=environment,
        device=environment["devices"][0],
        threads=environment["threads"][0],
        verdicts=verdicts,
    )


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Keep two processes from training the same run; the lock goes with the process, however it ends.

    A folder in which nothing was begun, since a mistake was found first, is taken away again.
    """
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
        unused = all(path.name == ".lock" for path in folder.path.iterdir())
        with contextlib.suppress(OSError):
            if unused:
                (folder.path / ".lock").unlink()
        lock.release()
        with contextlib.suppress(OSError):
            if unused:
                folder.path.rmdir()
