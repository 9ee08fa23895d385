"""From finished runs to a saved ensemble: chosen by its cross-fitted score, a run like any other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.untrusted_text import counted
from harness.competition import Competition, Recipe
from harness.competition.recipe import ModelSpec
from harness.cv.noise.suite import Suite, suite_paths
from harness.cv.scores import competition_metrics, score_run
from harness.oof.ensemble.blend import ANY_DATA, named_or_best, ranked_runs, rows_of
from harness.oof.ensemble.by_task import EVERY, methods_of
from harness.oof.ensemble.cross_fit import CrossFitted, cross_fit
from harness.oof.ensemble.methods import Fitted
from harness.oof.ensemble.page import write_ensemble_page
from harness.oof.forecast.inputs import combine_suites
from harness.oof.predictions import Predictions, align
from harness.runs import FoldResult, Folds, Run, RunFolder, load_run
from harness.runs.run import proba_column, target_table


@dataclass(frozen=True)
class EnsembleResult:
    """What `build_ensemble` found and wrote.

    Attributes
    ----------
    path : the saved ensemble's run folder
    members : names of the runs
    metric : what was scored; chosen : name of the method that was saved
    all : every method, cross-fitted
    is_sample : whether the runs are on the embedded sample
    left_out : methods that were not tried with so many models, rows and classes
    """

    path: Path
    members: tuple[str, ...]
    metric: str
    chosen: str
    all: list[CrossFitted]
    is_sample: bool
    left_out: tuple[str, ...] = ()

    header = ("method", "cross-fitted [95 %]", "in sample", "gain over the mean [95 %]", "verdict")

    @property
    def rows(self) -> list[list[str]]:
        """For a table: the mean first, then by score."""
        mean, *others = self.all
        ordered = [mean, *sorted(others, key=lambda r: -r.gain)]
        return [
            [
                r.method.name,
                f"{r.score:.5f} [{r.low:.5f}, {r.high:.5f}]",
                f"{r.in_sample:.5f}" if r.method.learns else "",
                "" if r.method.name == "mean" else f"{r.gain:+.5f} [{r.gain_low:+.5f}, {r.gain_high:+.5f}]",
                _verdict(r),
            ]
            for r in ordered
        ]

    @property
    def remarks(self) -> list[str]:
        """What to say below the table."""
        chosen = next(r for r in self.all if r.method.name == self.chosen)
        found = (
            [f"not tried: {names}, with so many models, rows and classes; --method NAME does"]
            if (names := ", ".join(self.left_out))
            else []
        )
        if chosen.method.weights:
            weights = chosen.method.weights(chosen.fitted)
            shown = sorted(zip(weights, self.members, strict=True), reverse=True)
            found.append("weights:  " + ", ".join(f"{name} {weight:.2f}" for weight, name in shown if weight > 0.005))
        return found

    def summary(self) -> dict[str, Any]:
        """For --json."""
        return {
            "run": self.path.name,
            "path": str(self.path),
            "members": list(self.members),
            "metric": self.metric,
            "method": self.chosen,
            "methods": {
                r.method.name: {
                    "cross_fitted": r.score,
                    "low": r.low,
                    "high": r.high,
                    "in_sample": r.in_sample,
                    "gain": r.gain,
                    "gain_low": r.gain_low,
                    "gain_high": r.gain_high,
                    "noise": r.is_noise,
                }
                for r in self.all
            },
        }


def build_ensemble(
    competition: Competition,
    out: Path,
    names: Sequence[str] = (),
    best: int = 50,
    method: str | None = None,
    where: DataOptions = ANY_DATA,
    watcher: LineWatcher | None = None,
) -> EnsembleResult:
    """Combine runs every way, and save the one asked for, or the best whose gain over the plain mean is no noise.

    Raises
    ------
    UserError
        If there are fewer than two runs, they do not belong together, or the method is unknown.
    """
    known = methods_of(competition.kind)
    if method is not None and method not in known:
        fits = f" for task = '{competition.task}'" if method in EVERY else nearest(method, known)
        raise UserError(f"--method {method}: unknown{fits}; known: {', '.join(known)}")
    runs = _members(competition, out, names, best, where)
    metric = competition_metrics(competition)[0]
    predictions = align(runs, competition)
    found = cross_fit(predictions, metric, asked=method, watcher=watcher)
    chosen = next(r for r in found if r.method.name == method) if method else _pick(found)
    path = save_ensemble(competition, out, runs, predictions, chosen)
    sample = runs[0].environment["data"]["is_sample"]
    left_out = tuple(name for name in known if name not in {r.method.name for r in found})
    result = EnsembleResult(path, predictions.members, metric.name, chosen.method.name, found, sample, left_out)
    write_ensemble_page(competition, predictions, path, (result.header, result.rows), result.remarks)
    return result


def add_suite(competition: Competition, run: Run, watcher: LineWatcher | None = None) -> None:
    """Give an ensemble the noise suite of its members, which took theirs after it was made; nothing, where one of them took none."""
    members = [load_run(run.path.parent / name) for name in run.environment["ensemble"]["members"]]
    method, metric = run.environment["ensemble"]["method"], competition_metrics(competition)[0]
    found = cross_fit(align(members, competition), metric, asked=method, watcher=watcher)
    _save_noise(RunFolder(run.path), members, next(one for one in found if one.method.name == method))


def _pick(found: list[CrossFitted]) -> CrossFitted:
    sure = [r for r in found if r.gain_low > 0]
    return max(sure, key=lambda r: r.gain) if sure else found[0]


def _members(competition: Competition, out: Path, names: Sequence[str], best: int, where: DataOptions) -> list[Run]:
    folder = out / "oof" / competition.slug
    if names:
        runs = [load_run(path) for path in named_or_best(competition, out, names, where)]
    else:
        runs = [load_run(path) for path in _fitting(competition, out, where)[:best]]
    if len(runs) < 2:
        there = ", ".join(run.name for run in runs) or "none"
        raise UserError(
            f"an ensemble needs two runs or more on the same data, verdicts and folds; found in {folder}: {there}. Train "
            "another recipe with harness.cv, or name the members with --run."
        )
    return runs


def _fitting(competition: Competition, out: Path, where: DataOptions) -> list[Path]:
    """Complete runs that are no ensembles and saw the rows and folds of the best of them, best first."""
    found = [
        (path, (*rows_of(about), about["folds"]["hash"]))
        for path, about in ranked_runs(out, competition, where)
        if "ensemble" not in about
    ]
    real = [pair for pair in found if not pair[0].name.startswith("sample-")]
    found = real or found  # runs on the embedded sample only where there are no others
    return [path for path, of in found if of == found[0][1]]


def save_ensemble(
    competition: Competition, out: Path, runs: Sequence[Run], predictions: Predictions, chosen: CrossFitted
) -> Path:
    """Write the ensemble as a run folder: cross-fitted OOF, test predictions of what was fitted on all rows."""
    import pandas as pd

    hashes = {run.name: _sha256(run.path / "oof.parquet") for run in runs}
    content = [chosen.method.name, *(f"{name} {digest}" for name, digest in sorted(hashes.items()))]
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:8]
    first = runs[0]
    sample = "sample-" if first.environment["data"]["is_sample"] else ""
    folder = RunFolder(out / "oof" / competition.slug / f"{sample}ensemble-{chosen.method.name}-{digest}")
    weights = chosen.method.weights(chosen.fitted).tolist() if chosen.method.weights else None
    about = {"method": chosen.method.name, "members": hashes, "weights": weights}
    recipe = Recipe(
        name=f"ensemble-{chosen.method.name}",
        description=f"{counted(len(runs), 'run')}: {chosen.method.says}",
        model=ModelSpec(name="ensemble", args=about),
        cv=first.recipe.cv,
        data=first.recipe.data,
    )
    folder.unfinish()
    folder.start(recipe, predictions.folds, _environment(runs, about), _verdicts(first))
    columns = [proba_column(c) for c in competition.classes]

    def table(ids: dict[str, np.ndarray], proba: np.ndarray) -> Any:
        return pd.DataFrame(ids | {c: proba[:, i].astype(np.float32) for i, c in enumerate(columns)})

    folds, oof = predictions.folds, chosen.oof
    targets = target_table(competition.kind, competition.classes, predictions.labels)
    test = None
    if predictions.test is not None and predictions.test_ids is not None:
        test = table({"id": predictions.test_ids}, chosen.method.apply(predictions.test, chosen.fitted))
    folder.save_tables(table({"id": folds.ids, **targets, "fold": folds.fold}, oof), test, [])
    _save_folds(folder, runs, folds, chosen)
    _save_noise(folder, runs, chosen)
    scores = score_run(competition, predictions.labels, oof, folds, list(range(folds.k)))
    scores |= {"in_sample": chosen.in_sample, "gain": [chosen.gain, chosen.gain_low, chosen.gain_high], "seconds": {}}
    folder.finish(scores)
    return folder.path


def _save_folds(folder: RunFolder, runs: Sequence[Run], folds: Folds, chosen: CrossFitted) -> None:
    """What each fold's models together say, as a run has it; forecasts compare folds with each other."""
    for fold in range(folds.k):
        parts = [RunFolder(run.path).load_fold(fold) for run in runs]
        test = np.stack([part.test_proba for part in parts])
        combined = chosen.method.apply(test, chosen.fitted) if test.shape[1] else test[0]
        valid = folds.valid_rows(fold)
        seconds = sum(part.seconds for part in parts)
        folder.save_fold(
            FoldResult(fold, valid, chosen.oof[valid].astype(np.float32), combined.astype(np.float32), [], seconds)
        )


def _save_noise(folder: RunFolder, runs: Sequence[Run], chosen: CrossFitted) -> None:
    """The noise suite of the ensemble, where every member took it on the same rows: each fold by what the others taught."""
    paths = [suite_paths(run.path, range(run.folds.k)) for run in runs]
    if any(p is None for p in paths):
        return
    for fold, of_fold in enumerate(zip(*paths, strict=True)):
        parts = [Suite.load([path]) for path in of_fold]
        if any(part.names != parts[0].names or not np.array_equal(part.rows, parts[0].rows) for part in parts):
            return

        def combine(stack: np.ndarray, fitted: Fitted = chosen.fitted_without[fold]) -> np.ndarray:
            return chosen.method.apply(stack, fitted)

        together = combine_suites(parts, combine)
        together.save(folder.path / "noise" / of_fold[0].name)


def _environment(runs: Sequence[Run], about: dict[str, Any]) -> dict[str, Any]:
    first = runs[0].environment
    optimistic = [f"{run.name}: {run.environment['optimistic']}" for run in runs if run.environment["optimistic"]]
    kept = {key: first[key] for key in ("competition", "data", "folds", "harness")}
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    pseudo = next((run.environment["pseudo"] for run in runs if run.environment.get("pseudo")), None)
    return {**kept, "started": started, "ensemble": about, "optimistic": " ".join(optimistic), "pseudo": pseudo}


def _verdict(found: CrossFitted) -> str:
    if found.method.name == "mean":
        return "what the others are held against"
    if found.gain_low > 0:
        return "better than the mean"
    return "worse than the mean" if found.gain_high < 0 else "the gain over the mean is noise"


def _verdicts(run: Run) -> str | None:
    path = RunFolder(run.path).verdicts_path
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
