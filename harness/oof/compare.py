"""Finished runs side by side: scores over folds and pooled with their intervals, as a table and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.files import read_json
from harness.competition import Competition
from harness.report import figures
from harness.report.page import Page
from harness.runs import runs_of


def comparison(competition: Competition, out: Path, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What to say of each run, the best first; reads their small files only.

    Runs on other rows than the first's (data, verdicts or folds) are marked by "rows": "other".

    Raises
    ------
    UserError
        If a named run is not there or not finished, or there is none.
    """
    paths = runs_of(out, competition.slug)
    known = {path.name: path for path in paths}
    for name in names:
        if name not in known:
            raise UserError(f"--run {name}: no finished run of that name; there are: {', '.join(known) or 'none'}.")
    chosen = [known[name] for name in names] or paths
    if not chosen:
        raise UserError(
            f"no finished run of '{competition.slug}' in {out / 'oof' / competition.slug}. Train one with harness.cv."
        )
    lines = [line for line in map(_line, chosen) if competition.metric in line["metrics"]]
    lines.sort(key=lambda line: _rank(line, competition.metric))
    for line in lines:
        line["rows"] = "same" if line["of"] == lines[0]["of"] else "other"
    return lines


def _line(path: Path) -> dict[str, Any]:
    scores, environment = read_json(path / "scores.json"), read_json(path / "environment.json")
    recipe, noise = read_json(path / "recipe.json"), path / "noise.json"
    data = environment["data"]
    return {
        "run": path.name,
        "recipe": recipe["name"],
        "answers_to": recipe["answers_to"],
        "folds": len(scores["folds"]),
        "complete": scores["complete"],
        "sample": data["is_sample"],
        "of": [data["fingerprint"], data.get("clean", ""), environment["folds"]["hash"]],
        "seconds": round(sum(scores["seconds"].values())),
        "metrics": scores["metrics"],
        "camera": read_json(noise)["camera"] if noise.is_file() else None,
    }


def _rank(line: dict[str, Any], metric: str) -> float:
    found = line["metrics"][metric]
    return -found["pooled"] if found["greater_is_better"] else found["pooled"]


def comparison_table(lines: list[dict[str, Any]], metrics: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each run mean +- std over folds of every metric, and the pooled score of the first."""
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
        notes = ("" if line["rows"] == "same" else " (other rows)") + (
            "" if line["complete"] else f" ({line['folds']} folds)"
        )
        rows.append(
            [
                line["recipe"],
                line["run"] + notes,
                *(_mean_std(found[m]) if m in found else "" for m in metrics),
                f"{main['pooled']:.4f} [{main['low']:.4f}, {main['high']:.4f}]",
                "" if line["camera"] is None else f"{line['camera']:.4f}",
                f"{line['seconds']:,}",
            ]
        )
    return header, rows


def _mean_std(metric: dict[str, Any]) -> str:
    spread = f" +- {metric['std']:.4f}" if metric["std"] is not None else ""
    return f"{metric['mean']:.4f}{spread}"


def write_comparison(path: Path, competition: Competition, lines: list[dict[str, Any]], metrics: Sequence[str]) -> None:
    """Write the page: the picture, the table, and what each recipe answers to."""
    warnings = []
    if any(line["sample"] for line in lines):
        warnings.append("Runs on the embedded sample say nothing about the competition's leaderboard.")
    if any(line["rows"] == "other" for line in lines):
        warnings.append("Runs marked 'other rows' saw other data, verdicts or folds: their scores are of other rows.")
    page = Page(
        title=f"{competition.title}: runs compared", lead=f"{len(lines)} finished runs, best first.", warnings=warnings
    )
    section = page.section("In one picture")
    bars = {f"{line['recipe']} ({line['run'].rpartition('-')[2]})": line["metrics"][metrics[0]] for line in lines}
    section.figure(
        figures.score_bars(bars, metrics[0].replace("_", " ")),
        "Pooled OOF score with its 95 % interval; points are the mean over folds.",
    )
    page.section("Scores").table(*comparison_table(lines, metrics))
    answers = {line["recipe"]: line["answers_to"] for line in lines if line["answers_to"]}
    if answers:
        page.section("What they answer to").table(["recipe", "published"], [[a, b] for a, b in answers.items()])
    page.write(path)
