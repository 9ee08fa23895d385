"""Finished runs side by side: scores over folds and pooled with their intervals, as a table and as one chart."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.storage.atomic_files import read_json
from harness.base.untrusted_text import counted
from harness.competition import Competition, DataChoice
from harness.competition.tasks import Task
from harness.cv.noise.job import load_noise
from harness.cv.scores import competition_metrics
from harness.oof.compare.pairwise import Pair, compare_pairs, error_correlation, recalls
from harness.oof.ensemble.blend import ANY_DATA, is_on, otherwise_scored, why_there_is_none
from harness.oof.predictions import align
from harness.report import figures
from harness.report.about import About, read_about
from harness.report.links import linked_runs
from harness.report.page import Page
from harness.runs import Run, RunFolder, load_run, runs_of
from harness.runs.notes.differences import difference_table
from harness.runs.run import nearest_run

MOST = 12
"""So many runs are held against each other unless they are named."""


def comparison(
    competition: Competition, out: Path, names: Sequence[str] = (), where: DataOptions = ANY_DATA
) -> list[dict[str, Any]]:
    """What to say of each run, the best first; its predictions are held against their checksums, not loaded.

    Runs on other rows (data, verdicts or folds) than most complete ones share are marked by "rows": "other", and "differ" says by what.

    Raises
    ------
    UserError
        If a named run is not there, not finished or not scored by the competition's metric, or there is none.
    """
    lines = _scored(competition, comparison_lines(competition, out, names, where), bool(names))
    lines.sort(key=lambda line: _rank(line, competition.metric))
    reference = (_largest_group(lines) or lines)[:1]
    for line in lines:
        line["differ"] = _other_rows(line, reference[0])
        line["rows"] = "other" if line["differ"] else "same"
    return lines


def _scored(competition: Competition, lines: list[dict[str, Any]], named: bool) -> list[dict[str, Any]]:
    """Those of runs that have a score by the competition's metric; others are left out, which is said, or refused (UserError) where they
    were named or none is left."""
    found = [line for line in lines if competition.metric in line["metrics"]]
    if len(found) < len(lines):
        others = [line["run"] for line in lines if competition.metric not in line["metrics"]]
        told = otherwise_scored(others, competition.metric)
        if named or not found:
            raise UserError(told)
        print(f"left out: {told}", file=sys.stderr)
    return found


def comparison_lines(
    competition: Competition, out: Path, names: Sequence[str] = (), where: DataOptions = ANY_DATA
) -> list[dict[str, Any]]:
    """What to say of each run, in the order of their names; raises as `comparison` does.

    where : unless runs are named, only those on the embedded sample or the data set that it names

    A damaged run is left out, which is said, unless it was named: then it is refused.
    """
    paths = runs_of(out, competition.slug)
    known = {path.name: path for path in paths}
    for name in names:
        if name not in known:
            meant = nearest_run(name, list(known))
            raise UserError(
                f"--run {name}: no finished run of that name{meant}; there are: {', '.join(known) or 'none'}."
            )
    competition.using(DataChoice(set=where.data_set))  # that there is such a set
    chosen = [known[name] for name in names] or [path for path in paths if _is_on(where, path)]
    if not chosen:
        raise UserError(
            f"no finished run of '{competition.slug}'{where.described} in {out / 'oof' / competition.slug}. Train one: python -m harness.cv "
            f"{competition.called}{' --sample' if where.sample else ''}{carried('--data', '--out')}{why_there_is_none(out, competition)}"
        )
    lines = []
    for path in chosen:
        try:
            lines.append(_line(path))
        except UserError as error:
            if names or len(chosen) == 1:
                raise
            print(f"left out: {error}", file=sys.stderr)
    return lines


def _is_on(where: DataOptions, path: Path) -> bool:
    """As `is_on`; a damaged run is on whatever is asked for, and said to be damaged later."""
    try:
        return is_on(where, path)
    except UserError:
        return True


def _noise(path: Path) -> dict[str, Any] | None:
    """noise.json of a run; where it is damaged the run is shown without it, which is said."""
    try:
        return load_noise(path)
    except UserError as error:
        print(f"without its noise suite: {error}", file=sys.stderr)
        return None


def _other_rows(line: dict[str, Any], most: dict[str, Any]) -> str:
    """By what a run's rows differ from those of most runs, in words; "" where they are the same."""
    (data, clean, split), (their_data, their_clean, their_split) = line["of"], most["of"]
    if data != their_data:
        return "other data"
    if clean != their_clean:
        return "other verdicts" if clean else "without verdicts"
    if split != their_split:
        return f"{line['k']}-fold split" if line["k"] != most["k"] else "another split"
    return ""


def _line(path: Path) -> dict[str, Any]:
    folder, noise = RunFolder(path), _noise(path)
    names = ("scores.json", "environment.json", "recipe.json")
    tables = ("history.jsonl", "oof.parquet", "proba/oof.npy")
    wrong = folder.faults([*names, *(name for name in tables if (path / name).exists())])
    if wrong:
        raise UserError(folder.damaged(wrong))
    scores, environment, recipe = read_json(path / names[0]), folder.environment(), read_json(path / names[2])
    data = environment["data"]
    return {
        "run": path.name,
        "recipe": recipe["name"],
        "answers_to": recipe["answers_to"],
        "about": dataclasses.asdict(read_about(path)),
        "folds": len(scores["folds"]),
        "complete": scores["complete"],
        "k": environment["folds"]["k"],
        "trained": [fold["fold"] for fold in scores["folds"]],
        "sample": data["is_sample"],
        "of": [data["fingerprint"], data.get("clean", ""), environment["folds"]["hash"]],
        "seconds": round(sum(scores["seconds"].values())),
        "metrics": scores["metrics"],
        "camera": noise["camera"] if noise else None,
    }


def _rank(line: dict[str, Any], metric: str) -> float:
    found = line["metrics"][metric]
    return -found["pooled"] if found["greater_is_better"] else found["pooled"]


def recipe_table(home: Path, lines: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows: what differs between the runs' recipes; None where nothing does. home : the folder that the runs lie in"""
    names = [line["run"] for line in lines]
    return difference_table(names, [read_json(home / name / "recipe.json") for name in names])


def comparison_table(lines: list[dict[str, Any]], metrics: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each run mean +- std over folds of every metric, and the pooled score of the first; a run that a person named
    goes by that name and its recipe's."""
    header = [
        "recipe",
        "run",
        *(m.replace("_", " ") for m in metrics),
        f"pooled {metrics[0].replace('_', ' ')} [95 %]",
        "camera",
        "seconds",
    ]
    rows = []
    for line in lines:
        found = line["metrics"]
        main = found[metrics[0]]
        partial = "" if line["complete"] else f"rows of {_folds(line['trained'])} of {line['k']}"
        notes = "".join(f" ({said})" for said in (line["differ"], partial) if said)
        rows.append(
            [
                called(line),
                line["run"] + notes,
                *(_mean_std(found[m]) if m in found else "" for m in metrics),
                f"{main['pooled']:.4f} [{main['low']:.4f}, {main['high']:.4f}]",
                "" if line["camera"] is None else f"{line['camera']:.4f}",
                f"{line['seconds']:,}",
            ]
        )
    return header, rows


def rows_legend(lines: list[dict[str, Any]]) -> str:
    """What the words behind a run's name mean; "" where there are none."""
    if all(line["rows"] == "same" and line["complete"] for line in lines):
        return ""
    return "In brackets: a run that is scored on other rows than most are. Such scores differ by chance as well as by merit."


def _folds(numbers: Sequence[int]) -> str:
    """The folds by their numbers, as "folds 0,1,2"."""
    return f"fold{'' if len(numbers) == 1 else 's'} {','.join(map(str, numbers))}"


def called(line: dict[str, Any]) -> str:
    """What a person calls a run, before the recipe's name; that alone, where nobody named it."""
    name: str = line["about"]["name"]
    return f"{name} ({line['recipe']})" if name else line["recipe"]


def _mean_std(metric: dict[str, Any]) -> str:
    spread = f" +- {metric['std']:.4f}" if metric["std"] is not None else ""
    return "-" if metric["mean"] is None else f"{metric['mean']:.4f}{spread}"


@dataclass(frozen=True)
class Paired:
    """Runs on the same rows, held against each other.

    Attributes
    ----------
    task : of the competition
    names : of the runs, best first
    pairs : every two of them
    recalls : float (M, C)
    curves : {run: (epochs, mean training loss over the folds)}
    valid_curves : the same of the validation loss, of epochs that were looked at
    """

    task: Task
    names: tuple[str, ...]
    pairs: list[Pair]
    recalls: np.ndarray
    curves: dict[str, tuple[list[float], list[float]]]
    valid_curves: dict[str, tuple[list[float], list[float]]]


def paired_runs(competition: Competition, out: Path, lines: list[dict[str, Any]], named: bool) -> Paired | None:
    """Compare the runs of the rows that most of them share, twelve at most; None where no two do.

    named : the user asked for just these runs, so that one that does not fit is refused

    Raises
    ------
    UserError
        If a named run has other rows, folds or classes (says which and why), or a run is damaged.
    """
    chosen = lines if named else _largest_group(lines)[:MOST]
    if len(chosen) < 2:
        return None
    runs = [load_run(out / "oof" / competition.slug / line["run"]) for line in chosen]
    predictions = align(runs, competition)
    metric = competition_metrics(competition)[0]
    return Paired(
        task=predictions.task,
        names=predictions.members,
        pairs=compare_pairs(predictions, metric),
        recalls=recalls(predictions, len(competition.classes)),
        curves=_curves(runs, "loss"),
        valid_curves=_curves(runs, "valid_loss"),
    )


def _largest_group(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Complete runs of the same data, verdicts and folds: the most of them, of equally many the best."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["complete"]:
            groups.setdefault(str(line["of"]), []).append(line)
    return max(groups.values(), key=len, default=[])


def _curves(runs: Sequence[Run], key: str) -> dict[str, tuple[list[float], list[float]]]:
    """Of the runs that have it."""
    return {run.name: curve for run in runs if (curve := _curve(run.path / "history.jsonl", key))}


def _curve(path: Path, key: str) -> tuple[list[float], list[float]] | None:
    """A figure of the history by epoch, mean over folds and seeds; None where no epoch has it (an ensemble)."""
    by_epoch: dict[int, list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        told = json.loads(line)
        if key in told:
            by_epoch.setdefault(told["epoch"], []).append(told[key])
    epochs = sorted(by_epoch)
    return (list(map(float, epochs)), [float(np.mean(by_epoch[e])) for e in epochs]) if epochs else None


def pair_table(paired: Paired) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the best against each other run, then the others."""
    rows = [
        [
            paired.names[p.first],
            paired.names[p.second],
            f"{p.difference:+.5f} [{p.low:+.5f}, {p.high:+.5f}]",
            "may be chance" if p.is_noise else "beyond chance",
            f"{p.only_first:,} : {p.only_second:,}",
            f"{p.p_value:.2g}",
            f"{p.correlation:.2f}",
        ]
        for p in paired.pairs
    ]
    tests = ["only one is right", "McNemar p"] if paired.task.is_one_class else ["errs less", "sign test p"]
    return ["run", "against", "difference [95 %]", "verdict", *tests, "errors correlate"], rows


def write_comparison(
    path: Path, competition: Competition, lines: list[dict[str, Any]], metrics: Sequence[str], paired: Paired | None
) -> None:
    """Write the page (see `comparison_page`)."""
    comparison_page(path, competition, lines, metrics, paired).write(path)


def comparison_page(
    path: Path, competition: Competition, lines: list[dict[str, Any]], metrics: Sequence[str], paired: Paired | None
) -> Page:
    """The page, for that path: the image, the tables, what differs between the recipes, and what each answers to."""
    warnings = []
    if any(line["sample"] for line in lines):
        warnings.append("Runs on the embedded sample say nothing about the competition's leaderboard.")
    if any(line["rows"] == "other" for line in lines):
        warnings.append(
            "Runs with a word in brackets saw other data, verdicts or folds: their scores are of other rows."
        )
    page = Page(
        title=f"{competition.title}: runs compared",
        lead=f"{counted(len(lines), 'finished run')}, best first.",
        warnings=warnings,
    )
    section = page.section("In one chart")
    bars = {
        f"{line['about']['name'] or line['recipe']} ({line['run'].rpartition('-')[2]})": line["metrics"][metrics[0]]
        for line in lines
    }
    section.figure(
        figures.score_bars(bars, metrics[0].replace("_", " ")),
        "Pooled OOF score with its 95 % interval; points are the mean over folds.",
    )
    header, rows = comparison_table(lines, metrics)
    reports = [path.parent / line["run"] / "report.html" for line in lines]
    page.section("Scores").table(header, linked_runs(rows, header.index("run"), reports, path), folded=True, left=2)
    if told := recipe_table(path.parent, lines):
        page.section("What differs between their recipes").table(*told, folded=True)
    if notes := [[line["run"], About(**line["about"]).line()] for line in lines if any(line["about"].values())]:
        page.section("Names and notes").table(["run", "name, note, tags"], notes)
    if paired:
        _pairs(page, competition, paired)
    answers = {line["recipe"]: line["answers_to"] for line in lines if line["answers_to"]}
    if answers:
        page.section("What they answer to").table(["recipe", "published"], [[a, b] for a, b in answers.items()])
    return page


_ABREAST = 12  # columns of classes that fit a page


def _recall_table(paired: Paired, classes: Sequence[str], what: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: of few classes a run's in a line, of many a line for each class, the lowest mean recall first."""
    shown = [[f"{value:.4f}" for value in row] for row in paired.recalls]
    if len(classes) <= _ABREAST:
        return ["run", *classes], [[name, *row] for name, row in zip(paired.names, shown, strict=True)]
    order = np.argsort(np.nan_to_num(np.asarray(paired.recalls)).mean(axis=0), kind="stable")
    return [what, *paired.names], [[classes[i], *(row[i] for row in shown)] for i in order]


def _pairs(page: Page, competition: Competition, paired: Paired) -> None:
    section = page.section("Two by two, on the same rows")
    section.table(*pair_table(paired))
    correlation = error_correlation(paired.pairs, len(paired.names))
    section.figure(figures.matrix(correlation, paired.names), "Correlation of errors: low ones gain most by blending.")
    if paired.recalls.shape[1]:
        what = "class" if paired.task.is_one_class else "label"
        page.section(f"Recall by {what}").table(*_recall_table(paired, competition.classes, what), folded=True)
    if paired.curves:
        picture = figures.learning_curves(paired.curves, "training loss")
        section = page.section("Learning curves")
        section.figure(picture, "Mean training loss over the folds, each under its own augmentation.")
        if any(len(epochs) > 1 for epochs, _ in paired.valid_curves.values()):
            picture = figures.learning_curves(paired.valid_curves, "validation loss")
            section.figure(picture, "Mean loss of some validation rows of each fold; nothing was chosen by it.")
