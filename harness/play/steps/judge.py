"""How much of the final score is luck of choosing? Two answers: the choice cross-fitted, and the choice trained anew on another split.

Choices are made by OOF scores, so the OOF score of what was chosen flatters. Cross-fitted, each fold is judged by what would have
been chosen on the others. Trained anew, the recipes of the final choice learn on folds of another seed, and are held against their
OOF predictions of the same rows (as `harness.tune`'s nested estimate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.competition import Recipe
from harness.competition.metrics import Metric, intervals, paired
from harness.competition.tasks import Task
from harness.oof.ensemble.by_task import methods_of
from harness.oof.predictions import align
from harness.play.steps.finish import load
from harness.play.steps.folds import given_folds
from harness.play.steps.table import Outcome, Table
from harness.play.steps.train import opened_runs, train_fold
from harness.runs import Run
from harness.runs.align import align_rows

_SEED = 1_000


def judged_on(judged: Outcome) -> str:
    """On what the final choice was trained anew, in words."""
    return "the data's own folds, from other seeds" if judged.get("given_folds") else "another split"


@dataclass(frozen=True)
class Answers:
    """Outputs as the leaderboard's metric judges them; a decision is found on rows that are not judged."""

    task: Task
    metric: Metric
    decision: dict[str, Any]

    @classmethod
    def found_on(
        cls, task: Task, metric: Metric, targets: np.ndarray, outputs: np.ndarray, scores: dict[str, Any]
    ) -> Answers:
        """With the decision of these rows, where the task needs one; probabilities are scaled as the run's are, by these rows.

        scores : of the run
        """
        decision: dict[str, Any] = {}
        if task.decides and metric.of_answers:
            decision["values"] = task.fit_decision(metric, targets, outputs)
        scaling = (scores.get("decision") or {}).get("scaling")
        if scaling and metric.of_probabilities:
            decision["scaling"] = {"values": task.fit_scaling(scaling["method"], metric, targets, outputs)}
        return cls(task, metric, decision)

    def of(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs moved by the decision."""
        return self.task.decided_by(self.metric, outputs, self.decision)


def cross_fitted_choice(table: Table, names: Sequence[str]) -> Outcome:
    """The score where each fold's rows are predicted by the run that is best on the other folds: {"score", "low", "high", "chosen"}."""
    runs = [load(table, name) for name in names]
    first, metric, task = runs[0], table.metric, table.competition.kind
    folds, labels = first.folds, first.labels
    outputs = [run.oof[align_rows(run.folds.ids, folds.ids, str(run.path))] for run in runs]
    judged, sign = np.empty(outputs[0].shape, dtype=np.float32), 1 if metric.greater_is_better else -1
    chosen: list[str] = []
    for fold in range(folds.k):
        others, mine = folds.train_rows(fold), folds.valid_rows(fold)

        def by_others(which: int, rows: np.ndarray, fold: int = fold) -> np.ndarray:
            """A run's outputs by the decision that the other folds' rows found."""
            decision = runs[which].scores.get("decision")
            return task.judged_by(metric, outputs[which][rows], np.full(len(rows), fold), decision)

        best = 0
        if len(runs) > 1:
            scores = [sign * metric(labels[others], by_others(n, others)) for n in range(len(runs))]
            best = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))  # a metric may have no value on these rows
        judged[mine] = by_others(best, mine)
        chosen.append(names[best])
    rows = np.flatnonzero(folds.kept)
    scorer = metric.prepare(labels[rows], judged[rows])
    low, high = intervals([scorer], folds.groups[rows], [metric])[0]
    return {"score": float(scorer(None)), "low": low, "high": high, "chosen": chosen}


def _members(table: Table, final: Run) -> list[Run]:
    about = final.environment.get("ensemble")
    if not about:
        return [final]
    weights = about["weights"] or [1.0] * len(about["members"])
    return [load(table, name) for name, weight in zip(about["members"], weights, strict=True) if weight > 0]


def _plain(table: Table, members: Sequence[Run]) -> list[Run]:
    """The members with those that learnt from pseudo-labels in place of them the runs that gave the labels, each once.

    Pseudo-labels belong to a split, and those of another one would need all its folds; with them on one side only the comparison
    would be of pseudo-labels, not of luck.
    """
    names = [run.recipe.pseudo.run if run.recipe.pseudo else run.name for run in members]
    return [load(table, name) for name in dict.fromkeys(names)]


def _on_another_split(recipe: Recipe, given: bool) -> Recipe:
    """The recipe on folds of another seed; from other weights where the data give the folds, which no seed changes."""
    split = {"cv": recipe.cv.model_copy(update={"seed": recipe.cv.seed + _SEED})}
    return recipe.model_copy(update=split | ({"seed": recipe.seed + _SEED} if given else {}))


def judge_anew(table: Table, final: str, n_folds: int = 1) -> Outcome:
    """Train the final choice on some folds of another split, and hold it against its OOF predictions of these rows.

    Where the data give the folds (data.fold) it is trained on these from another seed: what luck the weights had is seen, not the split's.

    On both sides without pseudo-labels (see `_plain`). One fold at least is not judged: on its rows weights and decisions are found.

    Returns
    -------
    {"rows", "oof", "anew": scores of the same rows, "optimism", "low", "high": oof - anew, positive where OOF flatters, "seconds",
    "given_folds": whether the data give the folds}

    Raises
    ------
    UserError
        If the metric has no value on these rows, as the AUC of a single class.
    """
    run = load(table, final)
    whole = _members(table, run)
    members = _plain(table, whole)
    given = given_folds(table) is not None
    recipes = [_on_another_split(member.recipe, given) for member in members]
    n_folds = max(min(n_folds, recipes[0].cv.folds - 1), 1)
    out = table.home / "judged"
    seconds = sum(train_fold(table, recipes, fold, out)["seconds"] for fold in range(n_folds))
    opened = opened_runs(table, recipes, out)
    folds = opened[0].folds
    results = [[o.folder.load_fold(fold) for fold in range(n_folds)] for o in opened]
    index = [np.concatenate([fold.valid_index for fold in of_run]) for of_run in results]
    rows = index[0][folds.kept[index[0]]]
    stack = np.stack(
        [
            _at(of_run, np.concatenate([fold.valid_proba for fold in made]), rows)
            for of_run, made in zip(index, results, strict=True)
        ]
    )
    predictions, metric, task = align(members, table.competition), table.metric, table.competition.kind
    place = align_rows(predictions.folds.ids, folds.ids, "the judged rows")
    labels, kept = predictions.labels[place], predictions.folds.kept[place]
    kept_others = kept.copy()
    kept_others[rows] = False
    others, before = np.flatnonzero(kept_others), predictions.oof[:, place]
    about = run.environment.get("ensemble")
    method = methods_of(task)[about["method"] if about and len(members) > 1 else "mean"]
    fitted = method.fit(before[:, others], labels[others], metric)
    combined = method.apply(before, fitted)
    answers = Answers.found_on(task, metric, labels[others], combined[others], run.scores)
    anew, oof = answers.of(method.apply(stack, fitted)), answers.of(combined[rows])
    score, _, _, gain, low, high = paired(metric, labels[rows], anew, oof, folds.groups[rows])
    before_score = float(metric(labels[rows], oof))
    if not np.isfinite([score, before_score, gain, low, high]).all():
        raise UserError(
            f"{metric.name} says nothing of these {counted(len(rows), 'row')}: too few, or all of one class, where it compares classes"
        )
    return {
        "rows": len(rows),
        "anew": score,
        "oof": before_score,
        "optimism": 0.0 - gain,
        "low": 0.0 - high,
        "high": 0.0 - low,
        "members": len(members),
        "given_folds": given,
        "without_pseudo": sum(member.recipe.pseudo is not None for member in whole),
        "seconds": seconds,
    }


def _at(index: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The values of some rows; index : rows that the values are of, in any order."""
    order = np.argsort(index)
    return np.asarray(values)[order[np.searchsorted(index[order], rows)]]
