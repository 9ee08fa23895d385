"""play.html: the plan as it went, the score over time, what each step brought, the final choice."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.play.journal import DONE, StepRecord, of_final
from harness.play.steps.judge import judged_on
from harness.report.figures import score_over_time
from harness.report.page import Page

if TYPE_CHECKING:
    from harness.play.player import Player


def write_play_page(path: Path, player: Player) -> None:
    """Write the page of a play under way, or ended."""
    contest, steps = player.table.competition, [*player.journal.steps.values()]
    unit = "seconds" if player.costs.in_seconds else "fold-epochs"
    lead = f"{player.table.dataset.source}. {player.budget.spent:,.0f} of {player.budget.total:,.0f} {unit} spent."
    page = Page(f"{contest.title}: play", lead)
    if player.table.sample:
        page.warnings.append("Embedded sample, not the competition's data.")
    _cards(page, player)
    _over_time(page, player, steps)
    _limits(page, player)
    _plan(page, player, steps)
    _brought(page, player)
    _honest(page, player)
    _final_pair(page, player)
    page.write(path)


def _cards(page: Page, player: Player) -> None:
    if player.final:
        scores = _main(player)
        page.card(
            "OOF of the final choice",
            f"{scores['pooled']:.5f}",
            f"{scores['low']:.5f} to {scores['high']:.5f}; {player.final}",
        )
    judged = _outcome(player, "judge")
    if judged:
        page.card(
            f"trained anew on {judged_on(judged)}",
            f"{judged['anew']:.5f}",
            f"OOF says {judged['oof']:.5f} of the same {counted(judged['rows'], 'row')}",
        )
    forecast = (_outcome(player, "submission") or {}).get("forecast")
    if forecast:
        public = forecast["public"]
        page.card("forecast", f"{public['score']:.5f}", f"90 %: {public['low']:.5f} to {public['high']:.5f}")


def _over_time(page: Page, player: Player, steps: Sequence[StepRecord]) -> None:
    points = [(s.at, s.outcome) for s in steps if s.state == DONE and s.kind in ("prior", "train", "ensemble")]
    if len(points) < 2:
        return
    unit, metric = "seconds" if player.costs.in_seconds else "fold-epochs", player.table.metric
    scores = tuple((o["score"], o["low"], o["high"]) for _, o in points)
    svg = _drawn(tuple(at for at, _ in points), scores, metric.name, metric.greater_is_better, unit)
    page.section("Score over time").figure(
        svg, "Every run and ensemble with its 95 % interval; the line is the best so far."
    )


@functools.lru_cache(maxsize=1)
def _drawn(
    at: tuple[float, ...],
    scores: tuple[tuple[float, float, float], ...],
    metric: str,
    greater_is_better: bool,
    unit: str,
) -> bytes:
    """The figure, drawn anew only where a step has brought a score: the page is written after every step."""
    return score_over_time(at, scores, metric, greater_is_better, unit)


def _limits(page: Page, player: Player) -> None:
    if player.limits:
        rows = [[limit.name, limit.seen, limit.cure] for limit in player.limits]
        page.section("What limits us").table(["limit", "seen by", "tried against it"], rows)


def _plan(page: Page, player: Player, steps: Sequence[StepRecord]) -> None:
    unit = "s" if player.costs.in_seconds else ""
    rows = [
        [
            s.what,
            s.why,
            f"{s.predicted:,.0f} {unit}".strip() if s.predicted else "",
            f"{s.spent:,.1f} s",
            s.state + _because(s),
        ]
        for s in steps
    ]
    page.section("The plan as it went").table(["step", "why", "predicted", "spent", "state"], rows)


def _because(step: StepRecord) -> str:
    reason = step.outcome.get("because")
    return f": {reason}" if reason else ""


def _brought(page: Page, player: Player) -> None:
    """Each run against the best before it, paired on the same rows."""
    rows = []
    try:
        found_of = brought(player)
    except UserError as error:  # runs on other folds or rows, or more than memory holds: no reason to end the play
        page.section("What each run brought").text(f"The runs are not compared: {error}")
        return
    for name, found in found_of.items():
        verdict = "better" if found["low"] > 0 else "worse" if found["high"] < 0 else "chance"
        gain = f"{found['gain']:+.5f} [{found['low']:+.5f}, {found['high']:+.5f}]"
        rows.append([name, f"{found['score']:.5f}", gain, verdict])
    if rows:
        page.section("What each run brought").table(
            ["run", "OOF", "against the best before it, paired [95 %]", "verdict"], rows
        )


def brought(player: Player) -> dict[str, dict[str, float]]:
    """{run: {"score", "gain", "low", "high"}} of each run after the first, against the best single run before it."""
    import numpy as np

    from harness.competition.metrics import paired
    from harness.oof.predictions import align
    from harness.play.steps.finish import load

    names, metric = [*player.runs], player.table.metric
    if len(names) < 2:
        return {}
    predictions = align([load(player.table, name) for name in names], player.table.competition)
    judged, rows = predictions.judged(metric), np.flatnonzero(predictions.folds.kept)
    found, best, sign = {}, 0, 1 if metric.greater_is_better else -1
    for place in range(1, len(names)):
        score, _, _, gain, low, high = paired(
            metric,
            predictions.labels[rows],
            judged[place][rows],
            judged[best][rows],
            predictions.folds.groups[rows],
            300,
        )
        found[names[place]] = {"score": score, "gain": gain, "low": low, "high": high}
        if sign * (player.runs[names[place]]["score"] - player.runs[names[best]]["score"]) > 0:
            best = place
    return found


def _honest(page: Page, player: Player) -> None:
    section = page.section("How much of it is luck")
    choice, judged = _outcome(player, "choice"), _outcome(player, "judge")
    section.text(
        "The final choice was made by OOF scores, so its OOF score flatters a little. Cross-fitted, each fold is judged by the run "
        f"that is best on the other folds. Trained anew, the same recipes learn on {judged_on(judged or {})}."
    )
    if judged and judged["without_pseudo"]:
        section.text(
            "Trained anew without pseudo-labels, which belong to a run's own split; so is the OOF score that it is held against."
        )
    rows = []
    if player.final:
        scores = _main(player)
        rows.append(
            ["OOF of the final choice", f"{scores['pooled']:.5f}", f"{scores['low']:.5f} to {scores['high']:.5f}"]
        )
    if choice:
        rows.append(
            ["the choice, cross-fitted", f"{choice['score']:.5f}", f"{choice['low']:.5f} to {choice['high']:.5f}"]
        )
    if judged:
        rows.append([f"OOF of {judged['rows']:,} rows", f"{judged['oof']:.5f}", ""])
        rows.append(["trained anew, the same rows", f"{judged['anew']:.5f}", ""])
        rows.append(
            ["optimism (OOF - anew)", f"{judged['optimism']:+.5f}", f"{judged['low']:+.5f} to {judged['high']:+.5f}"]
        )
    if rows:
        section.table(["score", player.table.metric.name, "95 % interval"], rows)


def _final_pair(page: Page, player: Player) -> None:
    plan = _outcome(player, "plan")
    if not plan:
        return
    for title, key in (("What to send next", "send"), ("The two to choose in the end", "final")):
        if plan[key]:
            page.section(title).table(
                ["run", "worth", "why"], [[a["name"], f"{a['worth']:.5f}", a["why"]] for a in plan[key]]
            )


def _main(player: Player) -> dict[str, Any]:
    from harness.play.steps.finish import load

    scores = load(player.table, player.final).scores
    found: dict[str, Any] = scores["metrics"][scores["metric"]]
    return found


def _outcome(player: Player, kind: str) -> dict[str, Any] | None:
    """What a last step found of the final choice."""
    return of_final([vars(step) for step in player.journal.steps.values()], player.final).get(kind)
