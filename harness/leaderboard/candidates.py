"""Candidates of a competition from its saved runs and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.competition import Competition
from harness.cv.scores import competition_metrics
from harness.leaderboard.planner import Candidate, Plan, make_plan
from harness.oof.ensemble.blend import ranked_runs, rows_of
from harness.runs import load_run

MOST = 30
"""So many of the best runs are weighed."""


def plan_for(competition: Competition, out: Path, lines: Sequence[dict[str, Any]], left: int | None) -> Plan | None:
    """Plan over the finished runs on the best one's rows; None where there is none with test predictions.

    Lines whose CV is by another metric, which competition.toml named when they were sent, say nothing of how CV relates to the
    leaderboard now; their runs count as sent all the same.
    """
    metric = competition_metrics(competition)[0]
    better = max if metric.greater_is_better else min
    public: dict[str, float] = {}
    sent = {line["run"] for line in lines if line["public"] is not None}
    comparable = [line for line in lines if line["public"] is not None and line["metric"] == competition.metric]
    for line in comparable:
        public[line["run"]] = better(line["public"], public.get(line["run"], line["public"]))
    on_its_way = {line["run"] for line in lines if line["public"] is None and line["state"] not in ("refused", "error")}
    ranked = [pair for pair in ranked_runs(out, competition) if not pair[1]["data"]["is_sample"]]
    candidates = []
    for path, about in ranked[:MOST]:
        if rows_of(about) != rows_of(ranked[0][1]) or path.name in on_its_way - sent:
            continue
        try:
            run = load_run(path)
        except UserError:  # a run copied half is no candidate
            continue
        if run.test is None:
            continue
        found = run.scores["metrics"][competition.metric]
        answered = run.task.judged(run.oof, run.folds.fold, run.scores.get("decision"))
        candidates.append(
            Candidate(
                name=run.name,
                cv=found["pooled"],
                error=(found["high"] - found["low"]) / (2 * 1.96),
                said=run.task.answers(run.test),
                right=run.task.row_errors(run.labels, answered) <= 0,
                public=public.get(run.name),
                sent=run.name in sent,
            )
        )
    past = [(line["cv"], line["public"]) for line in comparable]
    return make_plan(candidates, metric.greater_is_better, left, past) if candidates else None
