"""Pseudo-labels that do not leak: confident test rows join the training rows of a fold, labelled by a model of that fold.

A test row labelled by all fold models together carries what they learnt from the rows that this fold is scored on, and the
OOF score rises by it. So fold k takes the test predictions of the source run's fold k only, whose model has not seen those
rows either. Test rows are never validated on; the threshold stands in the recipe before anything is trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json
from harness.competition import Competition, Recipe
from harness.competition.metrics import paired
from harness.competition.tasks import Task
from harness.cv.scores import competition_metrics
from harness.data.cache import Dataset
from harness.runs import Folds, RunFolder, load_run, runs_in
from harness.runs.cure import finish
from harness.runs.run import nearest_run


def check_source(recipe: Recipe, homes: Path) -> None:
    """Refuse pseudo-labels of a run that is not there or not finished (UserError); nothing without [pseudo]. homes : where runs lie"""
    if recipe.pseudo is None or RunFolder(homes / recipe.pseudo.run).finished:
        return
    known = [path.name for path in runs_in(homes)]
    raise UserError(
        f"pseudo.run = '{recipe.pseudo.run}': no finished run of that name in {homes}{nearest_run(recipe.pseudo.run, known)}; there are: "
        f"{', '.join(known) or 'none'}"
    )


def source_of(run: Path, recipe: Recipe) -> RunFolder:
    """Where the run lies that labels the test rows: beside the one that learns from it."""
    assert recipe.pseudo is not None
    return RunFolder(run.parent / recipe.pseudo.run)


def pseudo_rows(source: RunFolder, fold: int, threshold: float, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Test rows (int64, sorted) that the source's model of this fold is sure of, and the targets that it gives every row (`Task.sure`)."""
    return task.sure(source.load_fold(fold).test_proba, threshold)


def joined(labels: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Labels (n,) or (n, K) of the training rows with those of all test rows after them; a class becomes all of its share."""
    if targets.ndim < labels.ndim:
        targets = np.eye(labels.shape[1], dtype=labels.dtype)[targets]
    return np.concatenate([labels, targets.astype(labels.dtype, copy=False)])


def check_pseudo(
    recipe: Recipe, run: Path, dataset: Dataset, folds: Folds, cleaned: str, task: Task
) -> dict[str, Any] | None:
    """What environment.json says of the pseudo-labels: {"run", "threshold", "rows": of each fold}; None without [pseudo].

    Raises
    ------
    UserError
        If the source is no finished run of single models on the same data, verdicts and folds with a test, or no test
        row is sure enough.
    """
    if recipe.pseudo is None:
        return None
    name, source = recipe.pseudo.run, source_of(run, recipe)
    where = f"pseudo.run = '{name}'"
    if dataset.test is None:
        raise UserError(f"{where}: the test is hidden, there is nothing to label")
    if recipe.features:
        raise UserError("[pseudo] trains on pixels; take [features] out, or [pseudo]")
    check_source(recipe, run.parent)
    wrong = source.faults(["scores.json", "environment.json", "folds.csv"])
    if wrong:
        raise UserError(source.damaged(wrong))
    environment = source.environment()
    if "ensemble" in environment or environment.get("pseudo"):
        raise UserError(f"{where}: is an ensemble or learnt from pseudo-labels itself; name a run of plain models")
    if not read_json(source.path / "scores.json")["complete"]:
        raise UserError(f"{where}: is partial. {finish(source.path)}")
    data = environment["data"]
    if (data["fingerprint"], data.get("clean", "")) != (dataset.fingerprint, cleaned):
        raise UserError(f"{where}: was trained on other data or verdicts ({data['source']})")
    if environment["folds"]["hash"] != folds.hash:
        raise UserError(
            f"{where}: has other folds, so its models saw rows that this run is scored on. Use the same [cv]."
        )
    rows = [len(pseudo_rows(source, fold, recipe.pseudo.threshold, task)[0]) for fold in range(folds.k)]
    if not any(rows):
        raise UserError(f"pseudo.threshold = {recipe.pseudo.threshold}: no test row is that sure; lower it")
    return {"run": name, "threshold": recipe.pseudo.threshold, "rows": rows, "of": len(dataset.test)}


def pseudo_gain(
    competition: Competition,
    recipe: Recipe,
    run: Path,
    labels: np.ndarray,
    oof: np.ndarray,
    rows: np.ndarray,
    decision: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """{"run", "source": its score, "gain", "low", "high", "same_recipe": but for [pseudo]} against the run that gave the labels; None without [pseudo].

    rows : int64, the rows that are scored; decision : of this run, as scores.json has it
    """
    if recipe.pseudo is None:
        return None
    source, metric = load_run(source_of(run, recipe).path), competition_metrics(competition)[0]
    fold, task = source.folds.fold[rows], competition.kind
    theirs = task.judged_by(metric, source.oof[rows], fold, source.scores.get("decision"))
    ours = task.judged_by(metric, oof[rows], fold, decision)
    _, _, _, gain, low, high = paired(metric, labels[rows], ours, theirs, source.folds.groups[rows])
    plain_recipe = recipe.model_copy(update={"pseudo": None, "name": source.recipe.name})
    return {
        "run": source.name,
        "source": metric(labels[rows], theirs),
        "gain": gain,
        "low": low,
        "high": high,
        "same_recipe": plain_recipe.digest() == source.recipe.digest(),
    }


def pseudo_line(pseudo: dict[str, Any], scores: dict[str, Any] | None) -> str:
    """What the pseudo-labels are, and what they changed."""
    least, most = min(pseudo["rows"]), max(pseudo["rows"])
    rows = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    said = f"pseudo-labels: {rows} of {pseudo['of']:,} test rows join each fold's training (from {pseudo['threshold']} on, by '{pseudo['run']}')"
    if scores:
        verdict = "may be chance" if scores["low"] <= 0 <= scores["high"] else "beyond chance"
        said += (
            f"; OOF against that run: {scores['gain']:+.5f} [{scores['low']:+.5f}, {scores['high']:+.5f}], {verdict}"
        )
        if not scores.get("same_recipe", True):
            said += "; that run has another recipe, so the difference is of both"
    return said
