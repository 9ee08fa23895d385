"""A blend of runs: written as the submission file, checked, forecast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.terminal import note
from harness.base.untrusted_text import counted, listed
from harness.clean.verdicts import apply_verdicts, standing_verdicts
from harness.competition import Competition
from harness.competition.metrics import argmax_rows
from harness.competition.scoring.registry import LABELS, NUMBERS
from harness.competition.tasks import Task
from harness.competition.tasks.answering import moved
from harness.data.cache import Dataset
from harness.oof.ensemble.blend import (
    Blend,
    best_runs,
    check_same_data,
    mean_of_probabilities,
    ranked_runs,
    rows_of,
    why_there_is_none,
)
from harness.runs import Run, load_run
from harness.runs.probability_tables import is_large, rows_of_table
from harness.submit.arguments import as_threshold
from harness.submit.prepare.prepared import Prepared, intent_of, refuse_problems
from harness.submit.submission import code_option, wanted_form, wanted_ids, write_submission

if TYPE_CHECKING:
    from harness.oof.forecast.forecast import Forecast
    from harness.oof.forecast.track_record import Past


def prepare_blend(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    threshold: str | None,
    message: str | None,
    past: Sequence[Past],
    partial: bool = False,
) -> Prepared:
    """Blend runs, write submissions/<slug>/<name>.csv aligned by id, check and forecast it.

    partial : take a single run of which not all folds are trained, too; it gets no forecast

    Raises
    ------
    UserError
        If the runs do not fit, or the file does not pass its checks (all that is wrong at once).
    """
    _refuse_hidden(competition, runs)
    blend = mean_of_probabilities(runs, competition, partial)
    path, ids = out / "submissions" / competition.slug / f"{blend.name}.csv", wanted_ids(competition, dataset)
    decision = asked_threshold(threshold, blend.scores, competition)
    form = wanted_form(competition, dataset)
    write_submission(competition, blend, ids, path, decision, form, dataset.test)
    refuse_problems(path, competition, ids, dataset)
    left_out = runs[0].folds.k - len(runs[0].scores["folds"]) if partial else 0
    if left_out:
        forecast, why_none = (
            None,
            [f"partial: {left_out} of {counted(runs[0].folds.k, 'fold')} not trained; no forecast of such a run"],
        )
    else:
        forecast, why_none = _forecast(competition, runs, dataset, past)
    main = blend.scores["metrics"][blend.scores["metric"]]
    said = message or f"{blend.name}: OOF {blend.scores['metric']} {main['pooled']:.5f}"
    shares = _shares(blend, competition.kind, competition.classes, decision)
    told = main if decision is None else score_at_threshold(threshold, blend.scores)
    intent = intent_of(
        competition, path, form.rows(ids), blend.name, blend.members, said, told, forecast if decision is None else None
    )
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    return Prepared(intent, dataset.source, oof, forecast, decision, shares, [*why_none, *_drift(shares, len(ids))])


def _refuse_hidden(competition: Competition, runs: Sequence[Run]) -> None:
    hidden = [run.name for run in runs if run.test is None]
    if hidden:
        raise UserError(
            f"run '{hidden[0]}' has no test predictions: the test of '{competition.slug}' is hidden. To send it as code: "
            f"{code_option(competition)}"
        )


def _forecast(
    competition: Competition, runs: Sequence[Run], dataset: Dataset, past: Sequence[Past]
) -> tuple[Forecast | None, list[str]]:
    """The forecast, or a warning why there is none: that costs nobody the submission."""
    if is_large(*runs[0].oof.shape):
        return None, [f"no forecast: {runs[0].oof.size:,} probabilities are more than its estimators are made for"]
    from harness.oof.forecast.runs import forecast_runs  # it imports torch, which a ready file can do without

    return forecast_runs(competition, runs, dataset, past).found, []


def chosen_runs(
    competition: Competition, dataset: Dataset, named: Sequence[Run], best: int, out: Path, as_code: bool = False
) -> Sequence[Run]:
    """The named runs, or the best by OOF among the finished runs on this data.

    as_code : they are sent as code, which no ensemble can be

    Raises
    ------
    UserError
        If a named run is of other data, or there is no run.
    """
    if named:
        for run in named:
            check_same_data(run, dataset)
        return named
    if competition.is_clustering:
        raise UserError(
            f"--run: name the clustering of '{competition.slug}' to send; without labels none is the best. harness.oof compare "
            "shows them"
        )
    verdicts = standing_verdicts(out, competition, dataset.is_sample)
    cleaned = apply_verdicts(verdicts, dataset.train, competition.classes).digest if verdicts else ""
    fitting = best_runs(out, competition, dataset.fingerprint, cleaned, ensembles=not as_code)
    if not fitting:
        by = f" by the verdicts of {verdicts}" if cleaned else ""
        raise UserError(
            f"no finished run of '{competition.slug}' on this data{by} in {out / 'oof' / competition.slug}. Train one: "
            f"python -m harness.cv {competition.called}{' --sample' if dataset.is_sample else ''}{carried('--data', '--out')}"
            f"{_by_other_verdicts(out, competition, dataset)}{why_there_is_none(out, competition)}"
        )
    if len(fitting) < best:
        note(
            f"note: --best {best}: {counted(len(fitting), 'finished run')} on this data and the best one's folds; {'it is' if len(fitting) == 1 else 'they are'} taken"
        )
    return [load_run(path) for path in fitting[:best]]


def _by_other_verdicts(out: Path, competition: Competition, dataset: Dataset) -> str:
    """What to add to "no finished run ... by the verdicts": runs on these data that were trained before they were made, or without them."""
    names = [p.name for p, about in ranked_runs(out, competition) if rows_of(about)[0] == dataset.fingerprint]
    return (
        f"\n  Trained by other verdicts, or none: {listed(names, 5)}; --run NAME sends one of them as it is."
        if names
        else ""
    )


def asked_threshold(asked: str | None, scores: dict[str, Any], competition: Competition) -> float | None:
    """The decision threshold that was asked for, 'oof' as scores have it; None where the larger probability decides.

    Raises
    ------
    UserError
        If there are not two classes, or it is no threshold.
    """
    if asked is None:
        return None
    if len(competition.classes) != 2 or not competition.kind.is_one_class:
        raise UserError(f"--threshold {asked}: is for two classes; '{competition.slug}' has {len(competition.classes)}")
    if asked == "oof":
        found = scores.get("threshold")
        if found is None:
            raise UserError(f"--threshold oof: metric '{competition.metric}' needs none, or too few folds were trained")
        value: float = found["value"]
        return value
    return as_threshold(asked)


def score_at_threshold(asked: str | None, scores: dict[str, Any]) -> dict[str, Any] | None:
    """The score that the ledger holds against the leaderboard's: cross-fitted for 'oof', not known for one's own number."""
    if asked != "oof":
        return None
    found: dict[str, Any] | None = scores["threshold"]["scores"].get(scores["metric"])
    return found


def _shares(blend: Blend, task: Task, classes: tuple[str, ...], threshold: float | None) -> dict[str, dict[str, float]]:
    if task.of == NUMBERS:
        return {}
    told = blend.scores.get("decision") or {}

    def shares(proba: np.ndarray) -> np.ndarray:
        if "values" in told:
            proba = task.decide(proba, told["values"])
        if task.of == LABELS:
            return (np.asarray(proba) >= 0.5).mean(axis=0)
        proba = proba if threshold is None else moved(proba, threshold)
        return np.bincount(argmax_rows(proba), minlength=len(classes)) / len(proba)

    oof, test = shares(rows_of_table(blend.oof, np.flatnonzero(blend.kept))), shares(blend.test)
    return {name: {"oof": float(oof[i]), "test": float(test[i])} for i, name in enumerate(classes)}


def _drift(shares: dict[str, dict[str, float]], n: int) -> list[str]:
    """Classes that are predicted far more or less often in the test than on OOF: beyond chance and by two points."""
    found = []
    for name, share in shares.items():
        chance = np.sqrt(max(share["oof"] * (1 - share["oof"]), 1e-4) / n)
        if abs(share["test"] - share["oof"]) > max(4 * chance, 0.02):
            found.append(
                f"'{name}' is predicted for {100 * share['test']:.1f} % of the test, {100 * share['oof']:.1f} % of OOF: "
                "the test has other shares, or the model sees it otherwise"
            )
    return found
