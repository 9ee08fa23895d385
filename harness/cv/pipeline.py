"""k-fold cross-validation from a competition and a recipe to a finished run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json
from harness.base.storage.lock import alone_in
from harness.competition import Competition, Recipe
from harness.competition.recipe import BOOSTING
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.features_job import FeaturesJob
from harness.cv.jobs.fold_job import FoldJob
from harness.cv.jobs.prepare import pick_devices, plan_rounds, usable_cores
from harness.cv.opening import OpenedRun, open_run
from harness.cv.options import Options, Watcher, listed, say_plan
from harness.cv.pooling import finish_run
from harness.cv.repair import repair_or_refuse
from harness.cv.scores import competition_metrics
from harness.cv.tracking.follow import tracked
from harness.data.cache import Dataset
from harness.runs import FoldResult, Run, RunFolder, load_run


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
        options.label.write(folder.path)
        with tracked(options.log if missing else None, folder, missing, watcher.say):
            if missing:
                _remove_folds(folder, missing)
                _train(folder, competition, dataset, missing, options, watcher)
            if _up_to_date(folder, competition, folds.k, recipe):
                cure = "" if options.resume else " (--fresh would train them anew)"  # who resumes wants what stands
                watcher.say(f"{folder.path}: these folds stand already; nothing is trained{cure}.")
            else:
                with watcher.waiting("scoring the folds, writing the report"):
                    finish_run(folder, competition, dataset, folds)
                _update_counterpart_report(folder, competition, dataset, recipe)
    return load_run(folder.path)


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
    watcher.expect(0)  # one of several, nobody knows how many
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


def train_side_by_side(
    opened: Sequence[OpenedRun], competition: Competition, fold: int, options: Options, watcher: Watcher
) -> list[FoldResult]:
    """Train the same fold of several runs, where it does not stand yet, as many at a time as the machine takes.

    Their runs are started where they are not; nothing is reported or pooled.
    """
    watcher.expect(0)
    with contextlib.ExitStack() as locks:
        jobs: list[FoldJob] = []
        for run in opened:
            locks.enter_context(_locked(run.folder))
            recipe = run.folder.recipe() if run.folder.started else None
            plan = run.folder.environment()
            devices = plan["devices"] if options.device == "auto" else pick_devices(options.device)
            if recipe is None or run.folder.fold_stands(fold):
                continue
            if "features" in plan:
                features = FeaturesJob(
                    run.folder.path, competition.folder, run.dataset.cache, devices[0], usable_cores()
                )
                run_jobs([features], 2, watcher.progress)
            kind, device = _fold_job(recipe), devices[len(jobs) % len(devices)]
            jobs.append(
                kind(run.folder.path, competition.folder, run.dataset.cache, fold, device, plan["threads"][fold])
            )
        if options.cluster:
            options.cluster.run(jobs, watcher.progress, watcher.say)
        elif jobs:
            workers = options.workers or opened[0].folder.environment()["workers"]
            run_jobs(jobs, workers, watcher.progress, lanes=[job.device for job in jobs])
    return [run.folder.load_fold(fold) for run in opened]


def _update_counterpart_report(folder: RunFolder, competition: Competition, dataset: Dataset, recipe: Recipe) -> None:
    """The page of a leaky run shows the honest one, and the other way round."""
    if recipe.clusters:
        from harness.cv.clustering.pipeline import update_counterpart_report

        update_counterpart_report(folder, competition, dataset)


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
    watcher.expect(len(missing))
    if "features" in plan:
        features = FeaturesJob(folder.path, competition.folder, dataset.cache, devices[0], usable_cores())
        with _starting(watcher) as progress:
            run_jobs([features], min(workers, 2), progress)
    kind = _fold_job(folder.recipe())
    where = (folder.path, competition.folder, dataset.cache)
    jobs = [
        kind(*where, fold, devices[i % len(devices)], plan["threads"][fold], together=tuple(missing))
        for i, fold in enumerate(missing)
    ]
    if options.cluster:
        options.cluster.run(jobs, watcher.progress, watcher.say)
        return
    crowd = options.workers is None and devices == ["cpu"] * len(devices)
    for size, processes in plan_rounds([job.threads for job in jobs], workers, crowd):
        together, jobs = jobs[:size], jobs[size:]
        with _starting(watcher) as progress:
            run_jobs(together, processes, progress, lanes=[job.device for job in together])


@contextmanager
def _starting(watcher: Watcher) -> Iterator[Callable[..., None]]:
    """The watcher's progress for jobs whose processes are started first; until the first job tells something that is said."""
    with contextlib.ExitStack() as starting:
        starting.enter_context(watcher.waiting("starting the processes that train"))

        def progress(*told: Any) -> None:
            starting.close()
            watcher.progress(*told)

        yield progress


def _fold_job(recipe: Recipe) -> type[FoldJob]:
    if recipe.model.name == BOOSTING:
        from harness.cv.jobs.boosting import BoostingFoldJob

        return BoostingFoldJob
    if not recipe.clusters:
        return FoldJob
    from harness.cv.clustering.fold_job import ClusterFoldJob

    return ClusterFoldJob


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    """Keep two processes from training the same run; the lock goes with the process, however it ends.

    A folder in which nothing was begun, since a mistake was found first, is taken away again.
    """
    unused = False
    try:
        with alone_in(folder.path, "is training this run"):
            try:
                yield
            finally:
                unused = all(path.name == ".lock" for path in folder.path.iterdir())
                with contextlib.suppress(OSError):
                    if unused:
                        (folder.path / ".lock").unlink()
    finally:
        with contextlib.suppress(OSError):
            if unused:
                folder.path.rmdir()
