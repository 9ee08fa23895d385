"""How a metric is written: a name, or a name with parameters, as one string that tables, files and the ledger carry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_SHORT: dict[re.Pattern[str], Callable[[re.Match[str]], tuple[str, dict[str, Any]]]] = {
    re.compile(r"map@(\d+)"): lambda m: ("map_at_k", {"k": int(m[1])}),
    re.compile(r"top(\d+)_accuracy"): lambda m: ("top_k_accuracy", {"k": int(m[1])}),
    re.compile(r"f(\d+(?:\.\d+)?)"): lambda m: ("fbeta", {"beta": float(m[1])}) if m[1] != "1" else ("f1", {}),
    re.compile(r"(micro|macro|weighted|samples)_f(\d+(?:\.\d+)?)"): lambda m: (
        ("fbeta", {"beta": float(m[2]), "average": m[1]}) if m[2] != "1" else (m[0], {})
    ),
}
_WRITTEN = re.compile(r"(?s)([A-Za-z_][\w@.]*)(?:\((.*)\))?")


def written(metric: Any) -> str:
    """The string of a metric as competition.toml has it: a name, or a table with `name` and parameters.

    >>> written({"name": "fbeta", "beta": 2, "average": "samples"})
    'fbeta(average=samples, beta=2)'

    Raises
    ------
    ValueError
        If it is neither, or a table without a name.
    """
    if isinstance(metric, str):
        return metric
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise ValueError('write a name, or a table with one: {name = "fbeta", beta = 2}')
    parameters = {key: value for key, value in metric.items() if key != "name"}
    if not parameters:
        return metric["name"]
    return f"{metric['name']}({', '.join(f'{key}={_value(value)}' for key, value in sorted(parameters.items()))})"


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """Name and parameters of a metric's string; short names ('map@5', 'f2', 'micro_f2', 'top5_accuracy') are written out.

    Raises
    ------
    ValueError
        If it is no such string.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no metric's name")
    name, inside = found[1], found[2]
    parameters = {} if not inside else dict(_parameter(part) for part in _split(inside))
    for pattern, make in _SHORT.items():
        short = pattern.fullmatch(name)
        if short:
            name, more = make(short)
            parameters = more | parameters
    return name, parameters


def _value(value: Any) -> str:
    return (
        value
        if isinstance(value, str) and re.fullmatch(r"[\w@.-]+", value) and not _is_json(value)
        else json.dumps(value)
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parameter(part: str) -> tuple[str, Any]:
    key, equals, value = part.partition("=")
    if not equals:
        raise ValueError(f"'{part.strip()}' is no parameter: write key=value")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value.strip()


def _split(inside: str) -> list[str]:
    """At commas outside brackets and quotes."""
    parts, depth, quoted, escaped, start = [], 0, False, False, 0
    for place, mark in enumerate(inside):
        quoted ^= mark == '"' and not escaped
        escaped = quoted and mark == "\\" and not escaped
        if quoted:
            continue
        depth += (mark in "[{") - (mark in "]}")
        if mark == "," and not depth:
            parts.append(inside[start:place])
            start = place + 1
    return [*parts, inside[start:]]
