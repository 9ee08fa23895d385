"""report.html of an ensemble: its score, what each way of combining gains, its members, folds and classes; without images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.cv.report.calibration import calibration_section
from harness.cv.report.classes import classes_section
from harness.cv.report.page import answers, folds_section, label, shown
from harness.cv.report.targets import targets_table
from harness.cv.scores import competition_metrics
from harness.oof.predictions import Predictions
from harness.report.links import linked_runs
from harness.report.page import Page
from harness.runs import Run, load_run


def write_ensemble_page(
    competition: Competition,
    predictions: Predictions,
    path: Path,
    methods: tuple[Sequence[str], Sequence[Sequence[str]]],
    remarks: Sequence[str],
) -> None:
    """Write report.html into the folder of a saved ensemble.

    predictions : of its members; methods : header and rows, a line for each way that was tried; remarks : what to say below them
    """
    run = load_run(path)
    data, told = run.environment["data"], run.environment["ensemble"]
    page = Page(
        title=f"{competition.title}: {run.name}",
        lead=f"{run.recipe.description}. {data['source']}, fingerprint {data['fingerprint']}.",
        warnings=_warnings(run),
    )
    for name, value in run.scores["metrics"].items():
        interval = f"95 %: {shown(value['low'])} to {shown(value['high'])}, cross-fitted"
        page.card(f"OOF {label(name)}", shown(value["pooled"]), interval)
    page.card("members", f"{len(predictions.members)}", f"put together by: {told['method']}")
    section = page.section("Ways to combine").table(*methods)
    section.text("Each way is fitted on the other folds and scored on this one; the score in sample stands beside it.")
    for remark in remarks:
        section.text(remark)
    _members(page, run, competition, predictions)
    folds_section(page, run.scores, competition.classes)
    _targets(page, run, competition)
    page.section("What produced it").code(json.dumps(run.environment, indent=1), "Members, data and folds")
    page.write(path / "report.html")


def _warnings(run: Run) -> list[str]:
    found = ["Embedded sample, not the competition's data."] if run.environment["data"]["is_sample"] else []
    return found + ([run.environment["optimistic"]] if run.environment["optimistic"] else [])


def _members(page: Page, run: Run, competition: Competition, predictions: Predictions) -> None:
    """Each member's own score and weight, where the method gives weights; each leads to its page."""
    metric, weights = competition_metrics(competition)[0], run.environment["ensemble"]["weights"]
    kept, reports, rows = np.flatnonzero(predictions.folds.kept), [], []
    for place, (name, judged) in enumerate(zip(predictions.members, predictions.judged(metric), strict=True)):
        score = metric(predictions.labels[kept], judged[kept])
        rows.append([name, shown(score), *([f"{weights[place]:.3f}"] if weights else [])])
        reports.append(run.path.parent / name / "report.html")
    header = ["run", label(metric.name), *(["weight"] if weights else [])]
    page.section("Members").table(header, linked_runs(rows, 0, reports, run.path / "report.html"), folded=True)


def _targets(page: Page, run: Run, competition: Competition) -> None:
    task, decision = competition.kind, run.scores.get("decision")
    rows = np.flatnonzero(run.folds.kept)
    test: Any = run.test if run.test is not None else np.zeros((0, len(competition.classes)))
    if task.is_one_class:
        classes_section(page, run.labels[rows], answers(task, run.oof, rows, decision), competition.classes, test)
    else:
        outputs = np.asarray(run.oof[rows], dtype=np.float64)
        targets_table(page, task, run.labels[rows], outputs, test, competition.classes, decision)
    page.sections[-1].text(
        f"Its mistakes one by one, with their images: python -m harness.oof errors {competition.called} --run {run.name}"
    )
    if decision and decision.get("scaling"):
        main = competition_metrics(competition)[0]
        calibration_section(
            page, task, main, run.labels[rows], np.asarray(run.oof[rows]), run.folds.fold[rows], decision
        )
