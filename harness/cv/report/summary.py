"""What harness.cv says of a run when it is done."""

from __future__ import annotations

import shlex
import sys
from typing import Any

from harness.base.command import carried, next_lines
from harness.base.places.home import from_here
from harness.base.terminal import print_table
from harness.base.untrusted_text import counted
from harness.competition import Competition
from harness.competition.recipe import BOOSTING
from harness.cv.noise.report import noise_table, summary_lines
from harness.cv.pseudo_labels import pseudo_line
from harness.cv.report.calibration import scaling_line
from harness.cv.report.classes import balance_line
from harness.cv.report.offer import submission_offer
from harness.cv.report.page import decision_line, fold_table, label, shown, threshold_line
from harness.runs import Run


def again(all_folds: bool = False) -> str:
    """The command that goes on with what this one began; or, without --folds, with the folds that it left out."""
    return shlex.join(["python", "-m", "harness.cv", *_kept(all_folds), "--resume"])


def _kept(all_folds: bool) -> list[str]:
    """The words of this command line without those that begin anew or go on, or without --folds too."""
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--fresh", "--resume", "--attach"):  # what only follows starts nothing
            continue
        if all_folds and word.partition("=")[0] == "--folds":
            if word == "--folds":
                next(words, None)  # its value
            continue
        kept.append(word)
    return kept


def as_dict(run: Run, noisy: dict[str, Any] | None) -> dict[str, Any]:
    """The result for --json."""
    told = {"run": run.name, "path": str(run.path), "data": run.environment["data"], **run.scores}
    scaling = (run.scores.get("decision") or {}).get("scaling")
    if scaling:
        told |= {key: scaling[key] for key in ("ece", "ece_after")}
    return told | ({"noise": noisy} if noisy else {})


def print_result(contest: Competition, run: Run, sample: bool, noisy: dict[str, Any] | None) -> None:
    """Print the scores, where the files lie, and what can be done next."""
    _print_scores(run, sample)
    if run.environment["optimistic"]:
        print(f"warning: {run.environment['optimistic']}")
    if noisy:
        _print_noise(run, noisy)
    path = from_here(run.path)
    print(f"run:    {path}")
    print(f"report: {path / 'report.html'}")
    trained_by = run.environment["competition"]["metric"]
    if balanced := balance_line(run.recipe.train, run.scores["metric"], trained_by):
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
        print(
            f"excluded by verdicts: {counted(excluded['n'], 'row')}, never trained on and not in these scores; there: {said}"
        )
    if run.scores.get("pseudo"):
        print(pseudo_line(run.environment["pseudo"], run.scores["pseudo"]))
    if not run.complete:
        left = run.folds.k - len(run.scores["folds"])
        print(f"partial: {left} of {counted(run.folds.k, 'fold')} {'is' if left == 1 else 'are'} not trained")
    for line in next_lines(*offered(contest, run, sample), width=8):
        print(line)


def _print_scores(run: Run, sample: bool) -> None:
    header, rows = fold_table(run.scores)
    title = f"{run.name}" + ("  (embedded sample)" if sample else "")
    print_table(header, rows, title=title, bold=[len(rows) - 1], line_before_last=2, width=120)


def offered(contest: Competition, run: Run, sample: bool) -> list[str]:
    """Commands that may follow, each as it can be typed here, and words before them."""
    places, results = carried("--data", "--out"), carried("--out")
    hidden = run.test is None and not run.recipe.clusters  # clusters of the training images are an answer too
    dry = f" --dry-run{' --sample' if sample else ''}{places}"
    submit = submission_offer(contest, run.name, dry, hidden)
    if run.recipe.clusters:
        unread = run.environment["data"].get("unread_test")  # test images without the captions that it reads
        compare = f"python -m harness.oof compare {contest.called}{results}"
        return [compare, *(submit if run.complete and not unread else [])]
    if not run.complete:
        send = submission_offer(contest, run.name, f" --partial{dry}", hidden)
        return [again(all_folds=True), *([] if hidden else ["or submit what the trained folds say:", *send])]
    forecast = f"python -m harness.oof forecast {contest.called} --run {run.name}{places}"
    if (run.path / "noise.json").is_file() or run.recipe.model.name == BOOSTING:  # which sees no images to spoil
        return [forecast, *submit]
    suite = shlex.join(["python", "-m", "harness.cv", *_kept(all_folds=False), "--noise"])
    return ["what forecasts learn from:", suite, "then:", forecast, *submit]


def _print_noise(run: Run, noisy: dict[str, Any]) -> None:
    header, rows = noise_table(noisy)
    print_table(header, rows, title="under noise", width=120)
    for line in summary_lines(noisy):
        print(line)
    print(f"noise:  {from_here(run.path / 'noise.html')}")
