"""What harness.play says when it is done, and keeps as result.json."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.base.places.home import from_here
from harness.base.untrusted_text import counted
from harness.play.journal import of_final

if TYPE_CHECKING:
    from harness.play.player import Player


def as_dict(player: Player, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """For --json, and for `result_lines`."""
    from harness.play.steps.finish import load

    steps = [*player.journal.steps.values()]
    return {
        "final": player.final,
        "score": load(player.table, player.final).scores if player.final else None,
        "runs": {name: {key: run[key] for key in ("score", "low", "high")} for name, run in player.runs.items()},
        "limits": [vars(limit) for limit in player.limits],
        "steps": [vars(step) for step in steps],
        "budget": {
            "unit": player.budget.unit,
            "total": player.budget.total,
            "spent": player.budget.spent,
            "unspent": player.unspent,
        },
        "sent": sent,
        "page": str(player.table.home / "play.html"),
    }


def without_nan(value: Any) -> Any:
    """The same with None in place of numbers that strict JSON has no word for: a competition's own metric may give any."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _why_not_all(budget: dict[str, Any]) -> str:
    """Why a twentieth of the budget or more was left."""
    left = budget["total"] - budget["spent"]
    return f"; {budget['unspent']}" if budget["unspent"] and left >= 0.05 * budget["total"] else ""


def result_lines(told: dict[str, Any]) -> list[str]:
    """For people; told : of `as_dict`."""
    from harness.play.steps.judge import judged_on

    done = of_final(told["steps"], told["final"])
    budget, scores = told["budget"], told["score"]
    lines = [f"spent:    {budget['spent']:,.0f} of {budget['total']:,.0f} {budget['unit']}{_why_not_all(budget)}"]
    if not told["final"]:
        part = done.get("unfinished") or {}
        made_of = (
            f"{counted(len(part['folds']), 'fold')} of the baseline"
            if part
            else "the shares of the training targets alone"
        )
        lines.append(
            f"no run was finished in time: the submission below is made of {made_of}. Give it more hours: they are counted in all, what is spent included."
        )
        if file := part.get("file") or done.get("prior", {}).get("file"):
            lines.append(f"file:     {from_here(file)}")
        return lines
    main = scores["metrics"][scores["metric"]]
    lines.append(f"final:    {told['final']}")
    lines.append(f"OOF:      {scores['metric']} {main['pooled']:.5f} [{main['low']:.5f}, {main['high']:.5f}]")
    if "choice" in done:
        found = done["choice"]
        lines.append(f"choice:   cross-fitted {found['score']:.5f} [{found['low']:.5f}, {found['high']:.5f}]")
    if "judge" in done:
        found = done["judge"]
        lines.append(
            f"judged:   trained anew on {judged_on(found)} {found['anew']:.5f}, OOF of the same {counted(found['rows'], 'row')} {found['oof']:.5f}: "
            f"optimism {found['optimism']:+.5f} [{found['low']:+.5f}, {found['high']:+.5f}]"
        )
        if found.get("without_pseudo"):
            lines.append("          (both without pseudo-labels, which belong to a run's own split)")
    file = done.get("submission", done.get("file", {}))
    if file.get("forecast"):
        lines += _forecast_lines(file["forecast"], done.get("judge", {}).get("optimism", 0.0))
    lines += [f"warning:  {warning}" for warning in file.get("warnings", [])]
    if file.get("file"):
        lines.append(f"file:     {from_here(file['file'])}")
    for one in told["sent"]:
        lines.append(f"sent:     {one['run']}: {one['state']} ({one['why']})")
        lines += [f"          {line}" for line in str(one.get("detail") or "").splitlines()]
    return lines


def _forecast_lines(forecast: dict[str, Any], optimism: float) -> list[str]:
    """The forecast, and what it does not know."""
    public, sign = forecast["public"], 1 if forecast["greater_is_better"] else -1
    lines = [f"forecast: {public['score']:.5f}, 90 % interval {public['low']:.5f} to {public['high']:.5f}"]
    if optimism > 0:
        lines.append(f"          {public['score'] - sign * optimism:.5f} if the optimism above is no luck")
    if forecast["kind"] == "sampling only":
        lines.append(
            "          the interval is of sampling only: no time was left for the noise suite of the final choice"
        )
    return lines
