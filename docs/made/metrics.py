"""Every metric, as tables of Markdown."""

from __future__ import annotations

from docs.made.table import code, prose, table
from harness.competition.scoring.described import TARGETS, Described, described_metrics


def every_metric() -> str:
    """A table for each kind of targets."""
    header = ("metric", "parameters, with their defaults", "better", "from", "to", "what it is")
    return "\n".join(
        f"## {heading}\n\n{table(header, map(_row, described_metrics(of)))}" for of, heading in TARGETS.items()
    )


def _row(metric: Described) -> tuple[str, ...]:
    return (
        code(metric.name),
        ", ".join(map(code, metric.parameters)),
        "greater" if metric.greater_is_better else "smaller",
        _number(metric.least),
        _number(metric.most),
        prose(metric.what),
    )


def _number(value: float) -> str:
    return {float("inf"): "", -float("inf"): ""}.get(value, f"{value:g}")
