"""What harness.play says when it is done."""

from __future__ import annotations

from typing import Any

from harness.play.journal import DONE
from harness.play.player import Player
from harness.play.steps.finish import load


def as_dict(player: Player, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """For --json."""
    steps = [*player.journal.steps.values()]
    return {
        "final": player.final,
        "score": load(player.table, player.final).scores if player.final else None,
        "runs": {name: {key: run[key] for key in ("score", "low", "high")} for name, run in player.runs.items()},
        "limits": [vars(limit) for limit in player.limits],
        "steps": [vars(step) for step in steps],
        "budget": {"unit": player.budget.unit, "total": player.budget.total, "spent": player.budget.spent},
        "sent": sent,
        "page": str(player.table.home / "play.html"),
    }


def result_lines(player: Player, sent: list[dict[str, Any]]) -> list[str]:
    """For people."""
    done = {s.kind: s.outcome for s in player.journal.steps.values() if s.state == DONE}
    lines = [f"spent:    {player.budget.spent:,.0f} of {player.budget.total:,.0f} {player.budget.unit}"]
    if not player.final:
        part = done.get("unfinished") or {}
        made_of = f"{len(part['folds'])} folds of the baseline" if part else "the shares of the training targets alone"
        lines.append(f"no run was finished in time: the submission below is made of {made_of}. Give it more hours.")
        lines.append(f"file:     {part.get('file') or done.get('prior', {}).get('file', '')}")
        return lines
    scores = load(player.table, player.final).scores
    main = scores["metrics"][scores["metric"]]
    lines.append(f"final:    {player.final}")
    lines.append(f"OOF:      {scores['metric']} {main['pooled']:.5f} [{main['low']:.5f}, {main['high']:.5f}]")
    if "choice" in done:
        found = done["choice"]
        lines.append(f"choice:   cross-fitted {found['score']:.5f} [{found['low']:.5f}, {found['high']:.5f}]")
    if "judge" in done:
        found = done["judge"]
        lines.append(
            f"judged:   trained anew on another split {found['anew']:.5f}, OOF of the same {found['rows']:,} rows {found['oof']:.5f}: "
            f"optimism {found['optimism']:+.5f} [{found['low']:+.5f}, {found['high']:+.5f}]"
        )
        if found.get("without_pseudo"):
            lines.append("          (both without pseudo-labels, which belong to a run's own split)")
    told = done.get("submission", done.get("file", {}))
    if told.get("forecast"):
        public = told["forecast"]["public"]
        lines.append(f"forecast: {public['score']:.5f}, 90 % interval {public['low']:.5f} to {public['high']:.5f}")
    lines += [f"warning:  {warning}" for warning in told.get("warnings", [])]
    if told.get("file"):
        lines.append(f"file:     {told['file']}")
    for one in sent:
        lines.append(f"sent:     {one['run']}: {one['state']} ({one['why']})")
        lines += [f"          {line}" for line in str(one.get("detail") or "").splitlines()]
    return lines
