"""Runs and single folds of runs: trained where they do not stand, scored."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.progress import STAGE
from harness.competition import Recipe
from harness.competition.metrics import Resampled
from harness.cv.opening import OpenedRun, open_run
from harness.cv.pipeline import cross_validate, train_side_by_side
from harness.data.resize import resize
from harness.play.spending.budget import silent
from harness.play.spending.costs import Timing, TimingJob, family, read_timing
from harness.play.steps.table import Outcome, Table
from harness.runs import FoldResult


def train_run(table: Table, recipe: Recipe) -> Outcome:
    """All folds of a recipe: {"run", "score", "low", "high", "seconds", "folds", "found_features"}: seconds that training took now, for so
    many folds, and whether a frozen network's features lay in the cache already."""
    table.keep_recipe(recipe)
    resize(table.dataset, recipe.data, table.watcher.decoding)
    options, contest = table.options(recipe), table.competition.using(recipe.data)
    before = len(open_run(contest, recipe, table.dataset, options, silent()).folder.done(recipe.cv.folds))
    began, started = time.time(), time.monotonic()
    table.watcher.begin(STAGE)
    run = cross_validate(contest, recipe, table.dataset, options, table.watcher)
    main = run.scores["metrics"][run.scores["metric"]]
    return {
        "run": run.name,
        "recipe": recipe.model_dump(mode="json"),
        "score": main["pooled"],
        "low": main["low"],
        "high": main["high"],
        "seconds": time.monotonic() - started,
        "folds": recipe.cv.folds - before,
        "found_features": _found_features(run.environment, began),
    }


def _found_features(environment: dict[str, Any], began: float) -> bool:
    """Whether a run's features were taken before it began (time.time)."""
    complete = Path(environment.get("features", "")) / "complete.json"
    return complete.is_file() and complete.stat().st_mtime < began


def train_fold(table: Table, recipes: Sequence[Recipe], fold: int, out: Path | None = None) -> Outcome:
    """One fold of several recipes, side by side: {"scores": {recipe: score, None where the metric has no value on the fold}, "runs": {recipe: run}, "seconds", "trained", "found_features"}:
    recipes that were trained now, since their fold did not stand, and of which a frozen network's features lay in the cache already."""
    opened = opened_runs(table, recipes, out)
    trained = [r.name for r, run in zip(recipes, opened, strict=True) if not run.folder.fold_stands(fold)]
    began, started = time.time(), time.monotonic()
    table.watcher.begin(STAGE)
    contest = table.competition
    results = train_side_by_side(opened, contest, fold, table.options(recipes[0], out=out), table.watcher)
    scores = {
        recipe.name: fold_score(table, run, result)
        for recipe, run, result in zip(recipes, opened, results, strict=True)
    }
    runs = {recipe.name: run.folder.name for recipe, run in zip(recipes, opened, strict=True)}
    standing = zip(recipes, opened, strict=True)
    found = [recipe.name for recipe, run in standing if _found_features(run.folder.environment(), began)]
    return {
        "scores": scores,
        "runs": runs,
        "seconds": time.monotonic() - started,
        "trained": trained,
        "found_features": found,
    }


def opened_runs(table: Table, recipes: Sequence[Recipe], out: Path | None = None) -> list[OpenedRun]:
    """The runs of some recipes, started where they were not."""
    opened = []
    for recipe in recipes:
        if out is None:  # of what is trained elsewhere the recipe is not the plan's
            table.keep_recipe(recipe)
        resize(table.dataset, recipe.data, table.watcher.decoding)
        contest, options = table.competition.using(recipe.data), table.options(recipe, out=out)
        run = open_run(contest, recipe, table.dataset, options, silent())
        if not run.folder.started:
            run.start(contest, recipe, options, table.watcher)
        opened.append(run)
    return opened


def fold_score(table: Table, run: OpenedRun, result: FoldResult) -> float | None:
    """By the leaderboard's metric, of the fold's rows that count; None where it has no value, as the AUC of one class."""
    score = table.metric(*_judged_fold(table, run, result)[:2])
    return score if np.isfinite(score) else None


def clearly_behind(table: Table, recipes: Sequence[Recipe], fold: int, place: int) -> list[str]:
    """Names of the recipes that are worse than the one in that place (0 = the best), beyond chance, on a fold that all have trained.

    By the interval of the difference on the same resamples of the fold's groups; how far another seed would be off it does not see.
    """
    judged = [_judged_fold(table, run, run.folder.load_fold(fold)) for run in opened_runs(table, recipes)]
    standing = [Resampled.of(table.metric, *of_one) for of_one in judged]
    sign = -1 if table.metric.greater_is_better else 1
    reference = sorted(standing, key=lambda one: sign * one.score)[place]
    return [
        recipe.name
        for recipe, one in zip(recipes, standing, strict=True)
        if one is not reference and reference.against(one)[4] > 0
    ]


def _judged_fold(table: Table, run: OpenedRun, result: FoldResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n, ...), outputs (n, C) as the metric judges them, and groups (n,) of a fold's rows that count."""
    rows = np.isin(result.valid_index, run.folds.scored_rows([result.fold]))
    labels = run.dataset.train.labels
    assert labels is not None  # training rows always have labels
    index = result.valid_index[rows]
    outputs = table.competition.kind.decided_apart(table.metric, labels[index], result.valid_proba[rows])
    return labels[index], outputs, run.folds.groups[index]


def is_timed(table: Table, recipe: Recipe) -> bool:
    """Whether the recipe's network was timed in this play."""
    return _timing_path(table, recipe).is_file()


def _timing_path(table: Table, recipe: Recipe) -> Path:
    return table.home / "timings" / f"{hashlib.sha256(family(recipe).encode()).hexdigest()[:12]}.json"


def time_recipe(table: Table, recipe: Recipe) -> Timing:
    """The recipe's network on this machine; what was timed before is read."""
    from harness.base.command import cache_root
    from harness.cv.jobs.executor import run_jobs
    from harness.cv.jobs.prepare import pick_devices, plan_threads, usable_cores
    from harness.cv.options import planned_workers

    path = _timing_path(table, recipe)
    if not path.is_file():
        resize(table.dataset, recipe.data, table.watcher.decoding)
        workers = planned_workers(table.options(recipe), recipe.cv.folds)
        threads = plan_threads(recipe.cv.folds, workers, usable_cores())[0]
        job = TimingJob(
            table.competition.folder,
            table.dataset.cache,
            cache_root(),
            recipe,
            pick_devices(table.device)[0],
            threads,
            path,
        )
        with table.watcher.waiting(f"timing recipe '{recipe.name}'"):
            run_jobs([job], max(workers, 2), table.watcher.progress)
    return read_timing(path)
