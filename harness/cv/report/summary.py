"""What harness.cv says of a run when it is done."""

from __future__ import annotations

import shlex
import sys
from typing import Any

from harness.base.command import carried
from harness.base.terminal import print_table
from harness.cv.noise.report import noise_table, summary_lines
from harness.cv.pseudo_labels import pseudo_line
from harness.cv.report.calibration import scaling_line
from harness.cv.report.classes import balance_line
from harness.cv.report.page import decision_line, fold_table, label, shown, threshold_line
from harness.runs import Run


def again(all_folds: bool = False) -> str:
    """The command that goes on with what this one began; or, without --folds, with the folds that it left out."""
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--fresh", "--resume"):
            continue
        if all_folds and word.partition("=")[0] == "--folds":
            if word == "--folds":
                next(words, None)  # its value
            continue
        kept.append(word)
    return shlex.join(["python", "-m", "harness.cv", *kept, "--resume"])


def as_dict(run: Run, noisy: dict[str, Any] | None) -> dict[str, Any]:
    """The result for --json."""
    told = {"run": run.name, "path": str(run.path), "data": run.environment["data"], **run.scores}
    scaling = (run.scores.get("decision") or {}).get("scaling")
    if scaling:
        told |= {key: scaling[key] for key in ("ece", "ece_after")}
    return told | ({"noise": noisy} if noisy else {})


def print_result(run: Run, sample: bool, noisy: dict[str, Any] | None) -> None:
    """Print the scores, where the files lie, and what can be done next."""
    _print_scores(run, sample)
    if run.environment["optimistic"]:
        print(f"warning: {run.environment['optimistic']}")
    if noisy:
        _print_noise(run, noisy)
    print(f"run:    {run.path}")
    print(f"report: {run.path / 'report.html'}")
    if balanced := balance_line(run.recipe.train, run.scores["metric"]):
        print(f"classes: {balanced}")
    if run.scores.get("threshold"):
        print(threshold_line(run.scores, run.classes))
    decision = run.scores.get("decision") or {}
    if "values" in decision:
        print(decision_line(run.scores, run.task, run.classes))
    if decision.get("scaling"):
        print(scaling_line(decision["scaling"]))
    excluded = run.scores.get("excluded", {"n": 0})
    if excluded["n"]:
        said = ", ".join(f"{label(k)} {shown(v)}" for k, v in excluded.items() if k != "n" and v is not None)
        print(f"excluded by verdicts: {excluded['n']:,} rows, never trained on and not in these scores; there: {said}")
    if run.scores.get("pseudo"):
        print(pseudo_line(run.environment["pseudo"], run.scores["pseudo"]))
    if not run.complete:
        print(f"partial: not all folds are trained; the others: {again(all_folds=True)}")
    _print_next(run, sample)


def _print_scores(run: Run, sample: bool) -> None:
    header, rows = fold_table(run.scores)
    title = f"{run.name}" + ("  (embedded sample)" if sample else "")
    print_table(header, rows, title=title, bold=[len(rows) - 1], line_before_last=2, width=120)


def _print_next(run: Run, sample: bool) -> None:
    slug = run.environment["competition"]["slug"]
    places, results = carried("--data", "--out"), carried("--out")
    flags = f"{' --sample' if sample else ''}{places}"
    if run.recipe.clusters:
        print(f"next:   python -m harness.oof compare {slug}{results}")
        unread = run.environment["data"].get("unread_test")  # test images without the captions that it reads
        if run.complete and not unread:
            print(f"        python -m harness.submit --comp {slug} --run {run.name} --dry-run{flags}")
        return
    if not run.complete:
        return  # neither forecasts nor submissions are made of some folds
    tried = (run.path / "noise.json").is_file()
    suite = "" if tried else " (run this again with --noise first: it is what forecasts learn from)"
    print(f"next:   python -m harness.oof forecast {slug} --run {run.name}{places}{suite}")
    print(f"        python -m harness.submit --comp {slug} --run {run.name} --dry-run{flags}")


def _print_noise(run: Run, noisy: dict[str, Any]) -> None:
    header, rows = noise_table(noisy)
    print_table(header, rows, title="under noise", width=120)
    for line in summary_lines(noisy):
        print(line)
    print(f"noise:  {run.path / 'noise.html'}")
