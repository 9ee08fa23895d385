"""report.html of a run: the score and how sure it is, folds, classes, mistakes, learning curves, what produced it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.competition import Competition, Recipe
from harness.competition.metrics import argmax_rows
from harness.competition.tasks import Task
from harness.cv.folds import rare_classes
from harness.cv.pseudo_labels import pseudo_line
from harness.cv.report.calibration import calibration_section
from harness.cv.report.classes import balance_line, classes_section
from harness.cv.report.shots import class_shot, of_each_confusion
from harness.cv.report.targets import targets_sections
from harness.cv.scores import competition_metrics
from harness.data.cache import Dataset
from harness.report import figures
from harness.report.gallery import which_of
from harness.report.page import Page, Section
from harness.runs import Folds, RunFolder
from harness.runs.notes.differences import changed_keys

_GALLERY = 48  # pictures


def write_report(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    folds: Folds,
    oof: np.ndarray,
    test: np.ndarray,
    history: list[dict[str, Any]],
    scores: dict[str, Any],
) -> None:
    """Write report.html; every figure in it comes from the arguments."""
    recipe, environment = folder.recipe(), folder.environment()
    page = Page(
        title=f"{competition.title}: {folder.name}",
        lead=f"{recipe.description or recipe.name}. {dataset.source[:1].upper()}{dataset.source[1:]}, fingerprint {dataset.fingerprint}.",
        warnings=_warnings(dataset, scores, environment, folds),
    )
    _cards(page, scores, environment)
    folds_section(page, scores, competition.classes)
    rows = np.flatnonzero(~np.isnan(oof[:, 0]) & folds.kept)
    if environment.get("pseudo"):
        _pseudo_section(page, environment["pseudo"], scores["pseudo"])
    assert dataset.train.labels is not None  # training rows always have labels
    task = competition.kind
    if task.is_one_class:
        labels, predicted = dataset.train.labels[rows], answers(task, oof, rows, scores.get("decision"))
        section = classes_section(page, labels, predicted, competition.classes, test)
        if balanced := balance_line(recipe.train, scores["metric"], environment["competition"]["metric"]):
            section.text(f"{balanced}.")
        _mistakes_section(page, dataset, oof, rows, predicted, folds.fold, competition.classes)
    else:
        targets_sections(page, task, dataset, oof, rows, folds.fold, test, competition.classes, scores.get("decision"))
    decision = scores.get("decision") or {}
    if decision.get("scaling"):
        main, targets = competition_metrics(competition)[0], dataset.train.labels[rows]
        calibration_section(page, task, main, targets, np.asarray(oof[rows]), folds.fold[rows], decision)
    _training_section(page, history)
    produced_section(page, recipe, {k: v for k, v in environment.items() if k != "competition"})
    page.write(folder.path / "report.html")


def produced_section(page: Page, recipe: Recipe, environment: dict[str, Any]) -> None:
    """What the recipe has otherwise than by default, as a table; all of it, and data and machine, folded away."""
    section, content = page.section("What produced it"), recipe.model_dump(mode="json")
    if recipe.answers_to:
        section.text(f"Answers to: {recipe.answers_to}")
    if changed := changed_keys(content):
        section.table(["key of the recipe", "value", "default"], changed, left=3)
    section.code(json.dumps(content, indent=1), "The recipe, with every default")
    section.code(json.dumps(environment, indent=1), "Data, folds and machine")


def answers(task: Task, oof: np.ndarray, rows: np.ndarray, decision: dict[str, Any] | None) -> np.ndarray:
    """Class of each row: the likeliest, or the grade that the decision gives."""
    if not (decision and "values" in decision):
        return argmax_rows(oof, rows)
    return argmax_rows(task.decide(np.asarray(oof[rows]), decision["values"]))


def _pseudo_section(page: Page, pseudo: dict[str, Any], gain: dict[str, Any]) -> None:
    section = page.section("Pseudo-labels")
    section.text(pseudo_line(pseudo, gain) + ".")
    section.table(["fold", "test rows learnt from"], [[str(k), f"{n:,}"] for k, n in enumerate(pseudo["rows"])])
    section.text(
        "Each fold's are labelled by the source's model of that fold, which has not seen the rows scored here."
    )


def _warnings(dataset: Dataset, scores: dict[str, Any], environment: dict[str, Any], folds: Folds) -> list[str]:
    found = []
    if dataset.is_sample:
        found.append("Embedded sample, not the competition's data: these scores say nothing about its leaderboard.")
    if not scores["complete"]:
        found.append(f"Partial: {len(scores['folds'])} of {folds.k} folds are trained; scores cover their rows only.")
    excluded = scores["excluded"]
    if excluded["n"]:
        main = excluded[scores["metric"]]
        found.append(
            f"{counted(excluded['n'], 'row')} {'is' if excluded['n'] == 1 else 'are'} excluded by the verdicts of harness.clean: never trained on, in none of these scores"
            + (f" ({label(scores['metric'])} there: {shown(main)})." if main is not None else ".")
        )
    if environment["optimistic"]:
        found.append(environment["optimistic"])
    found += dataset.notes
    assert dataset.train.labels is not None  # training rows always have labels
    found += rare_classes(dataset.train.labels, dataset.train.groups, environment["competition"]["classes"], folds.k)
    for view in environment["doubtful_views"]:
        found.append(f"TTA view '{view}' is none of the competition's symmetries: it may change the label.")
    return found


def _cards(page: Page, scores: dict[str, Any], environment: dict[str, Any]) -> None:
    for name, value in scores["metrics"].items():
        page.card(
            f"OOF {label(name)}", shown(value["pooled"]), f"95 %: {shown(value['low'])} to {shown(value['high'])}"
        )
    page.card("training", f"{sum(scores['seconds'].values()):,.0f} s", f"of all folds, on {environment['device_name']}")
    page.card("model", f"{environment['parameters']:,}", "parameters")


def folds_section(page: Page, scores: dict[str, Any], classes: Sequence[str]) -> None:
    """A section with each fold's scores, as a table and as a figure beside the pooled one; scores : as scores.json has them."""
    main = scores["metrics"][scores["metric"]]
    section = page.section("Folds")
    header, rows = fold_table(scores)
    section.table(header, rows, total=2)
    if scores["threshold"]:
        section.text(threshold_line(scores, classes))
    section.figure(
        figures.fold_scores(
            {f["fold"]: np.nan if f[scores["metric"]] is None else f[scores["metric"]] for f in scores["folds"]},
            main["pooled"],
            main["low"],
            main["high"],
            label(scores["metric"]),
        ),
        "Each fold is scored by a model that did not see it. The interval is a bootstrap over groups of the pooled rows.",
    )


def _mistakes_section(
    page: Page,
    dataset: Dataset,
    oof: np.ndarray,
    rows: np.ndarray,
    predicted: np.ndarray,
    fold: np.ndarray,
    classes: tuple[str, ...],
) -> None:
    assert dataset.train.labels is not None  # training rows always have labels
    labels = dataset.train.labels[rows]
    wrong = np.flatnonzero(labels != predicted)
    section = page.section(f"Most confident mistakes ({len(wrong):,} wrong of {len(rows):,})")
    if not len(wrong):
        section.text("No row was predicted wrongly.")
        return
    confidence = oof[rows[wrong], predicted[wrong]]
    wrong = wrong[np.argsort(-confidence, kind="stable")]
    shown_rows = wrong[of_each_confusion(labels[wrong], predicted[wrong], _GALLERY)]
    shots = [
        class_shot(
            classes,
            int(labels[i]),
            int(predicted[i]),
            oof[rows[i]],
            dataset.train.ids[rows[i]],
            int(fold[rows[i]]),
        )
        for i in shown_rows
    ]
    section.text("Look here first for wrong labels and for what the model cannot see.")
    if which := which_of(len(wrong), _GALLERY, "confusions"):
        section.text(which)
    section.gallery(np.asarray(dataset.train.images[rows[shown_rows]]), shots)


def _training_section(page: Page, history: list[dict[str, Any]]) -> None:
    if not history:
        return  # trees, which have no epochs
    section = page.section("Training")
    section.figure(
        figures.learning_curves(curves(history, "loss"), "training loss"),
        "Mean training loss per epoch, under augmentation.",
    )
    looks_figures(section, history)
    if any("watched_loss" in line for line in history):
        section.figure(
            figures.learning_curves(curves(history, "watched_loss"), "watched loss"),
            "Mean cross-entropy of the rows that early stopping watches, without augmentation.",
        )


def looks_figures(section: Section, history: list[dict[str, Any]]) -> None:
    """Curves of the rows that were looked at as it trained, where there are any."""
    which = "Some rows of the fold, the same after each epoch, as they are, by the weights that would predict then"
    losses, scores = curves(history, "valid_loss"), curves(history, "valid_score")
    if max((len(epochs) for epochs, _ in losses.values()), default=0) < 2:
        return  # few epochs of few rows: a point is no curve
    if losses:
        caption = f"{which}; the loss is the task's plain one. For the eye only: nothing is chosen by it."
        section.figure(figures.learning_curves(losses, "validation loss"), caption)
    if scores:
        trained = curves(history, "train_score")
        caption = f"{which}: validation rows drawn through, as many training rows dashed. How far they part tells of overfitting."
        section.figure(figures.learning_curves(scores, "score", trained, log=False), caption)


def curves(history: list[dict[str, Any]], key: str) -> dict[str, tuple[list[float], list[float]]]:
    """Epochs and values of each fold and seed, of the epochs that have one."""
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for line in (line for line in history if key in line):
        epochs, losses = curves.setdefault(
            f"fold {line['fold']}" + (f", seed {line['seed']}" if line["seed"] else ""), ([], [])
        )
        epochs.append(line["epoch"])
        losses.append(line[key])
    return curves


def fold_table(scores: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each fold, then mean +- std over folds, then the pooled OOF score with its interval."""
    names = list(scores["metrics"])
    rows = [[f"fold {f['fold']}", f"{f['n']:,}", *(shown(f[n]) for n in names)] for f in scores["folds"]]
    spread = [_mean_std(scores["metrics"][n]) for n in names]
    pooled = [f"{shown(m['pooled'])} [{shown(m['low'])}, {shown(m['high'])}]" for m in scores["metrics"].values()]
    n = sum(f["n"] for f in scores["folds"])
    rows += [["mean +- std", "", *spread], ["pooled OOF [95 %]", f"{n:,}", *pooled]]
    return ["fold", "rows", *map(label, names)], rows


def decision_line(scores: dict[str, Any], task: Task, classes: Sequence[str]) -> str:
    """What the task's decision is, and that scores of answers are cross-fitted by it."""
    found = scores["decision"]
    values = [f"{value:.3f}" for value in found["values"]]
    if task.ordered:
        told = (
            "cuts between grades on the expected one: " + ", ".join(values[:12]) + (", ..." if len(values) > 12 else "")
        )
    else:
        pairs = [f"{name} {value}" for name, value in zip(classes, values, strict=True)]
        told = (
            "a label is given from: "
            + ", ".join(pairs[:8])
            + (f", ... ({counted(len(pairs), 'label')})" if len(pairs) > 8 else "")
        )
    return f"decision: {told} (found on OOF for {label(found['metric'])}; the scores above are by what the other folds found)"


def threshold_line(scores: dict[str, Any], classes: Sequence[str]) -> str:
    """What a decision threshold found on OOF gives, scored on folds that it was not found on."""
    found = scores["threshold"]
    values = ", ".join(
        f"{label(k)} {shown(v['pooled'])} [{shown(v['low'])}, {shown(v['high'])}]" for k, v in found["scores"].items()
    )
    return (
        f"threshold: predict {classes[1]} from {found['value']:.3f} on (found on OOF for {label(found['metric'])}); cross-fitted "
        f"by fold: {values}"
    )


def _mean_std(metric: dict[str, Any]) -> str:
    return shown(metric["mean"]) + (f" +- {shown(metric['std'])}" if metric["std"] is not None else "")


def shown(value: float | None) -> str:
    """A score with as many digits as tell two good runs apart; a dash where it is not defined."""
    return "-" if value is None else f"{value:.5f}"


def label(metric: str) -> str:
    """A metric's name for people."""
    return metric.replace("_", " ")
