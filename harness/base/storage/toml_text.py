"""Values written as TOML, as tomli_w writes them; Python reads TOML, and writes none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

_WIDEST = 100  # tables in a list stand in one line each where they fit
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r'[\x00-\x08\x0a-\x1f\x7f"\\]')
_SHORT = {"\b": "\\b", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def dump_toml(values: Mapping[str, Any]) -> str:
    """The text of a TOML file, whose reading gives `values` again.

    values : tables (mappings by str), lists, str, bool, int, float, dates and times; raises TypeError for anything else
    """
    return "".join(_table(values, ""))


def _table(table: Mapping[str, Any], name: str, of_list: bool = False) -> Iterator[str]:
    plain, tables = {}, []
    for key, value in table.items():
        if isinstance(value, Mapping):
            tables.append((key, value, False))
        elif _is_list_of_tables(value) and not all(map(_fits_a_line, value)):
            tables += [(key, inner, True) for inner in value]
        else:
            plain[key] = value
    begun = bool(of_list or (name and (plain or not tables)))
    if begun:
        yield f"[[{name}]]\n" if of_list else f"[{name}]\n"
    for key, value in plain.items():
        yield f"{_key(key)} = {_literal(value)}\n"
    begun = begun or bool(plain)
    for key, inner, in_list in tables:
        if begun:
            yield "\n"
        begun = True
        yield from _table(inner, f"{name}.{_key(key)}" if name else _key(key), in_list)


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(inner, Mapping) for inner in value)


def _fits_a_line(table: Mapping[str, Any]) -> bool:
    line = f"    {_inline(table)},"
    return len(line) <= _WIDEST and "\n" not in line


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{_key(k)} = {_literal(v)}" for k, v in table.items()) + " }" if table else "{}"


def _literal(value: Any, depth: int = 0) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | date | time):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return _inline(value)
    if not isinstance(value, list | tuple):
        raise TypeError(f"{type(value).__name__} {value!r}: TOML has no such value")
    if not value:
        return "[]"
    items = ",\n".join("    " * (depth + 1) + _literal(item, depth + 1) for item in value)
    return f"[\n{items},\n{'    ' * depth}]"


def _key(part: str) -> str:
    return part if _BARE.fullmatch(part) else _string(part)


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'
