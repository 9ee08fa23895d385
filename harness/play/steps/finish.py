"""From runs to the file that would be sent: combined, written, checked, forecast, sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.leaderboard.candidates import plan_for
from harness.leaderboard.planner import Advice
from harness.leaderboard.table import lines_of
from harness.ledger import Ledger, State
from harness.ledger.entry import OPEN, SPENT
from harness.oof.ensemble.blend import Blend
from harness.oof.ensemble.build import add_suite, build_ensemble
from harness.oof.forecast.track_record import past_of
from harness.play.arguments import NOT_SENT
from harness.play.steps.table import Outcome, Table
from harness.runs import Run, load_run
from harness.submit.arguments import SendOptions
from harness.submit.flow import follow_up, send_new
from harness.submit.prepare.blend import prepare_blend
from harness.submit.prepare.prepared import Prepared, refuse_problems
from harness.submit.submission import wanted_form, wanted_ids, write_submission

_LEAST_GAIN = 0.01
"""Of the final score's interval: an expected gain is never quite nothing, and less than this is not worth a submission."""


def combine(table: Table, names: Sequence[str]) -> Outcome:
    """The best way to combine runs, cross-fitted, saved as a run: {"run", "score", "low", "high", "method", "gain" over the best run}."""
    result = build_ensemble(table.competition, table.out, list(names), watcher=table.watcher)
    run = load_run(result.path)
    main = run.scores["metrics"][run.scores["metric"]]
    return {
        "run": run.name,
        "score": main["pooled"],
        "low": main["low"],
        "high": main["high"],
        "method": result.chosen,
        "members": list(result.members),
    }


def under_noise(table: Table, run: Run, rows: int) -> Outcome:
    """Hold a run against the noise suite: what noise.json says."""
    from harness.cv.noise.job import noise_suite

    return noise_suite(table.competition, run, table.dataset, table.options(run.recipe), rows, table.watcher)


def without_suite(table: Table, name: str) -> list[str]:
    """The run, or the members of the ensemble, that were not held against the noise suite."""
    members = load(table, name).environment.get("ensemble", {}).get("members", [name])
    return [one for one in members if not (load(table, one).path / "noise.json").is_file()]


def measure_falls(table: Table, name: str, rows: int) -> Outcome:
    """Hold a run, or all members of an ensemble, against the noise suite: {"held": names, "run"}; the ensemble's is made of theirs."""
    held = without_suite(table, name)
    for one in held:
        under_noise(table, load(table, one), rows)
    run = load(table, name)
    if "ensemble" in run.environment:
        add_suite(table.competition, run, table.watcher)
    return {"held": held, "run": name}


def load(table: Table, name: str) -> Run:
    """A run of this competition by its name."""
    return load_run(table.out / "oof" / table.competition.slug / name)


def write_blend(table: Table, blend: Blend) -> Path:
    """The submission of a blend, checked, without a forecast: quick, so that one always lies there."""
    contest, dataset = table.competition, table.dataset
    ids = wanted_ids(contest, dataset)
    path = table.out / "submissions" / contest.slug / f"{blend.name}.csv"
    write_submission(contest, blend, ids, path, None, wanted_form(contest, dataset), dataset.test)
    refuse_problems(path, contest, ids, dataset)
    return path


def write_file(table: Table, run: Run) -> Path:
    """A run's submission, as `write_blend` writes it."""
    from harness.oof.ensemble.blend import mean_of_probabilities

    return write_blend(table, mean_of_probabilities([run], table.competition))


def finished_folds(table: Table, recipe: Recipe) -> list[int]:
    """Folds of a run that stand."""
    from harness.cv.opening import open_run
    from harness.play.spending.budget import silent

    opened = open_run(table.competition.using(recipe.data), recipe, table.dataset, table.options(recipe), silent())
    return opened.folder.done(opened.folds.k)


def write_unfinished(table: Table, recipe: Recipe) -> Outcome | None:
    """The submission of the folds that a run has finished, where the deadline cut it off: {"file", "folds", "score", "low", "high"} by
    the rows of these folds; None where no fold stands or the test is hidden."""
    from harness.cv.opening import open_run
    from harness.cv.scores import score_run
    from harness.play.spending.budget import silent

    contest, dataset = table.competition.using(recipe.data), table.dataset
    opened = open_run(contest, recipe, dataset, table.options(recipe), silent())
    done, labels = opened.folder.done(opened.folds.k), opened.dataset.train.labels
    if not done or dataset.test is None or labels is None:
        return None
    parts = [opened.folder.load_fold(fold) for fold in done]
    oof = np.zeros((len(labels), len(table.competition.classes)), dtype=np.float32)
    for part in parts:
        oof[part.valid_index] = part.valid_proba
    scores = score_run(table.competition, labels, oof, opened.folds, done)
    test = np.asarray(np.mean([part.test_proba for part in parts], axis=0, dtype=np.float64), dtype=np.float32)
    name = f"{opened.folder.name}-unfinished"
    of_folds = tuple(part.test_proba for part in parts)
    path = write_blend(
        table, Blend(name, (opened.folder.name,), oof, opened.folds.kept, dataset.test.ids, test, scores, of_folds)
    )
    main = scores["metrics"][scores["metric"]]
    return {"file": str(path), "folds": done, "score": main["pooled"], "low": main["low"], "high": main["high"]}


def prepare(table: Table, run: Run, ledger: Ledger) -> Prepared:
    """What harness.submit would send: the file with its forecast; where the test is hidden, a bundle of code."""
    past, contest = past_of(ledger.entries()), table.competition
    if not table.hidden:
        return prepare_blend(contest, table.dataset, [run], table.out, threshold_of(run), None, past)
    from harness.submit.arguments import BundleOptions
    from harness.submit.prepare.bundle import prepare_bundle

    options = BundleOptions(bundle=True)
    prepared, _ = prepare_bundle(contest, table.dataset, [run], table.out, options, threshold_of(run), None, past)
    return prepared


def threshold_of(run: Run) -> str | None:
    """ "oof" where the decision threshold's cross-fitted gain is larger than a quarter of the score's uncertainty."""
    found = run.scores.get("threshold")
    if not found:
        return None
    name = run.scores["metric"]
    main, at = run.scores["metrics"][name], found["scores"].get(name)
    if at is None:
        return None
    gain = (at["pooled"] - main["pooled"]) * (1 if main["greater_is_better"] else -1)
    return "oof" if gain > (main["high"] - main["low"]) / 8 else None


def told(prepared: Prepared) -> dict[str, Any]:
    """What the journal keeps of a prepared submission."""
    return {
        "file": prepared.intent.file,
        "rows": prepared.intent.rows,
        "sha256": prepared.intent.sha256,
        "oof": prepared.oof,
        "forecast": prepared.forecast.summary() if prepared.forecast else None,
        "threshold": prepared.threshold,
        "warnings": prepared.warnings,
    }


def plan_of_submissions(table: Table, ledger: Ledger) -> Outcome:
    """What to send next and which two to choose in the end: {"send", "final"}, each a list of {"name", "worth", "why"}."""
    lines = lines_of(ledger, table.competition.slug, {table.competition.slug: table.metric.greater_is_better})
    plan = plan_for(table.competition, table.out, lines, None)
    if plan is None:
        return {"send": [], "final": []}
    return {"send": [vars(a) for a in plan.send[:5]], "final": [vars(a) for a in plan.final]}


def send_best(table: Table, names: Sequence[str], most: int, ledger: Ledger, say: Any) -> list[dict[str, Any]]:
    """Send up to `most` submissions: the final choice first, then others by the planner's rule, where their expected gain is worth it.

    Those that an earlier call of this play has sent count. What was begun or kept by an earlier call is gone on with first; while it has no score nothing else is spent.

    names : runs that may be sent, the final choice first
    """
    sent = _gone_on_with(table, ledger, say)
    while _spent(ledger, table.competition.slug, names) < most and all(one["state"] == State.COMPLETE for one in sent):
        advice = _next_to_send(table, names, ledger)
        if advice is None:
            break
        try:
            prepared = prepare(table, load(table, advice.name), ledger)
            shown = send_new(ledger, table.out, table.competition, prepared, SendOptions(), say)
        except UserError as error:
            sent.append({"run": advice.name, "why": advice.why, "state": NOT_SENT, "detail": str(error)})
            break
        sent.append({"run": advice.name, "why": advice.why, **shown.summaries[0]})
    return sent


def _spent(ledger: Ledger, slug: str, names: Sequence[str]) -> int:
    """How many submissions these runs have cost."""
    return sum(entry.intent.run in names and entry.state in SPENT for entry in ledger.entries(slug))


def _gone_on_with(table: Table, ledger: Ledger, say: Any) -> list[dict[str, Any]]:
    """Entries of this competition that have no end yet, or were kept, after they were followed up."""
    slug = table.competition.slug
    waiting = {entry.id: entry for entry in ledger.entries(slug) if entry.state in (*OPEN, State.QUEUED)}
    if not waiting:
        return []
    shown = follow_up(ledger, table.out, str(table.competition.folder), SendOptions(resume=True, queued=True), say)
    pairs = zip(shown.entries, shown.summaries, strict=True)
    return [{"run": entry.intent.run, "why": "begun, or kept, before", **told} for entry, told in pairs]


def _next_to_send(table: Table, names: Sequence[str], ledger: Ledger) -> Advice | None:
    """The run to send now; None where none is worth it, or all were sent."""
    lines = lines_of(ledger, table.competition.slug, {table.competition.slug: table.metric.greater_is_better})
    plan = plan_for(table.competition, table.out, lines, None)
    waiting = {advice.name: advice for advice in (plan.send if plan else []) if advice.name in names}
    if not any(line["public"] is not None and line["metric"] == table.competition.metric for line in lines):
        return waiting.get(names[0])  # nothing is known yet of how CV relates to the leaderboard
    run = load(table, names[0])
    main = run.scores["metrics"][run.scores["metric"]]
    least = _LEAST_GAIN * (main["high"] - main["low"])
    return next((advice for advice in waiting.values() if advice.worth > least), None)
