"""Every metric, from the registry: parameters, direction, range, meaning."""

from __future__ import annotations

import json

from docs.made.table import code, prose, table

TARGETS = {"classes": "One of several classes", "labels": "Any of several labels", "numbers": "Numbers"}


def every_metric() -> str:
    """A table for each kind of targets."""
    from harness.competition.scoring.registry import metric_names

    header = ("metric", "parameters, with their defaults", "better", "from", "to", "what it is")
    return "\n".join(
        f"## {heading}\n\n{table(header, [_row(of, name) for name in metric_names(of)])}"
        for of, heading in TARGETS.items()
    )


def _row(of: str, name: str) -> tuple[str, ...]:
    from harness.competition.metrics import METRICS
    from harness.competition.scoring.meanings import MEANINGS
    from harness.competition.scoring.registry import FAMILIES, needs_two_classes

    family = FAMILIES.get((of, name))
    parameters = family.defaults if family else {}
    shown = [f"{key} = {json.dumps(value)}" for key, value in parameters.items() if value is not None]
    shown += [f"{key}" for key, value in parameters.items() if value is None]
    metric = family.make(parameters | ({"matrix": [[0.0]]} if name == "cost" else {})) if family else METRICS[name]
    least, most = (family.least, metric.bounds[1]) if family else metric.bounds
    two = "Two classes only, of the second. " if of == "classes" and needs_two_classes(name) else ""
    return (
        code(name),
        ", ".join(map(code, shown)),
        "greater" if metric.greater_is_better else "smaller",
        _number(least),
        _number(most),
        two + prose(MEANINGS[of, name]),
    )


def _number(value: float) -> str:
    return {float("inf"): "", -float("inf"): ""}.get(value, f"{value:g}")
