"""The page of a study: what was tried, what mattered, what it gained."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.report import figures
from harness.report.page import Page
from harness.tune.nested import Nested


def write_page(path: Path, title: str, study: Any, metric: str, best: Any, nested: Nested | None) -> Path:
    """Write the page; every figure in it comes from the study."""
    trials = study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state.name == "COMPLETE"]
    pruned = [t for t in trials if t.state.name == "PRUNED"]
    page = Page(
        title=f"{title}: tuning",
        lead=f"Study '{study.study_name}': {counted(len(done), 'trial')} completed, {len(pruned)} given up early.",
        warnings=[] if nested else ["The best trial's score is that of the folds it was chosen on, so it is too good."],
    )
    page.card(f"best {metric} in the study", f"{best.values[0]:.5f}", f"trial {best.number}; it was chosen by this")
    if nested:
        page.card("on other folds", f"{nested.score:.5f}", f"95 %: {nested.low:.5f} to {nested.high:.5f}")
        page.card("optimism", f"{nested.optimism:+.5f}", "study's mean less the other folds'")
        page.card("gain", f"{nested.gain:+.5f}", f"95 %: {nested.gain_low:+.5f} to {nested.gain_high:+.5f}, paired")
    epochs = sum(int(t.user_attrs.get("epochs", 0)) for t in trials)
    page.card("cost", f"{epochs:,}", "fold-epochs of all trials")
    greater = study.directions[0].name == "MAXIMIZE"
    _history(page, done, pruned, metric, greater)
    _importance(page, study, done)
    _slices(page, done, metric)
    _parallel(page, done, metric, greater)
    _table(page, trials, metric, greater)
    page.write(path)
    return path


def _history(page: Page, done: Sequence[Any], pruned: Sequence[Any], metric: str, greater: bool) -> None:
    if not done:
        return
    numbers, values = [t.number for t in done], [t.values[0] for t in done]
    best = (np.maximum if greater else np.minimum).accumulate(values).tolist()
    section = page.section("History")
    section.figure(
        figures.points_and_line(numbers, values, best, "trial", metric, [t.number for t in pruned]),
        "Completed trials, the best so far, and (ticks at the bottom) trials that were given up.",
    )


def importances(study: Any, done: Sequence[Any]) -> dict[str, float]:
    """Share of the score's variance that each parameter explains (fANOVA, Hutter and others 2014); {} for few trials."""
    import optuna

    if len(done) < 5 or len({t.values[0] for t in done}) < 2:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(study, target=lambda t: t.values[0])
    except (RuntimeError, ValueError):  # no parameter is in all trials
        return {}
    return {name: float(value) for name, value in found.items()}


def _importance(page: Page, study: Any, done: Sequence[Any]) -> None:
    found = importances(study, done)
    if found:
        page.section("What mattered").figure(
            figures.bars(found, "share of the variance"),
            "How much of the score's variance each parameter explains (fANOVA); with few trials a rough guess.",
        )


def _slices(page: Page, done: Sequence[Any], metric: str) -> None:
    names = sorted({name for t in done for name in t.params})
    if not names:
        return
    section = page.section("One parameter at a time")
    for name in names:
        some = [t for t in done if name in t.params]
        log = _is_log(some[0], name)
        section.figure(
            figures.slice_plot([t.params[name] for t in some], [t.values[0] for t in some], name, metric, log),
            f"{name}: every completed trial that has it.",
        )


def _is_log(trial: Any, name: str) -> bool:
    return bool(getattr(trial.distributions[name], "log", False))


def _parallel(page: Page, done: Sequence[Any], metric: str, greater: bool) -> None:
    names = sorted(set.intersection(*(set(t.params) for t in done))) if done else []
    if len(names) < 2:
        return
    table = [[t.params[name] for name in names] for t in done]
    logs = [_is_log(done[0], name) for name in names]
    section = page.section("All parameters together")
    section.figure(
        figures.parallel(table, names, logs, [t.values[0] for t in done], metric, greater),
        "A line for each completed trial; the stronger its colour, the better.",
    )


def _rounded(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(page: Page, trials: Sequence[Any], metric: str, greater: bool) -> None:
    def rank(trial: Any) -> tuple[bool, float]:
        value = trial.values[0] if trial.state.name == "COMPLETE" else 0.0
        return trial.state.name != "COMPLETE", -value if greater else value

    rows = [
        [
            str(t.number),
            t.state.name.lower(),
            f"{t.values[0]:.5f}" if t.state.name == "COMPLETE" else "",
            str(t.user_attrs.get("epochs", "")),
            str(t.user_attrs.get("seconds", "")),
            ", ".join(f"{key} = {_rounded(value)}" for key, value in t.params.items()),
        ]
        for t in sorted(trials, key=rank)
    ]
    page.section("Trials").table(
        ["trial", "state", metric, "fold-epochs", "seconds", "parameters"], rows, folded=True, left=0
    )
