"""Every key of competition.toml and of a recipe, from the pydantic models: type, bounds, default, docstring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

OF_THE_LOADER = {"Competition": ("slug", "folder", "set", "classes_read"), "Recipe": ("name",)}
"""Fields that no file may hold."""


@dataclass(frozen=True)
class Key:
    """A key of a table.

    Attributes
    ----------
    name : as a file has it; what : what it does
    kind : type and bounds in words, values in backquotes
    default : as TOML has it, "" where there is none; required : whether a file must have it
    """

    name: str
    kind: str
    default: str
    required: bool
    what: str


@dataclass(frozen=True)
class KeyTable:
    """A table of a file.

    Attributes
    ----------
    path : as a file has it, "train" or "sets.NAME"; "" of the keys above all tables
    like : the path of a table with the same keys that was met before, else None; then `keys` is empty
    what : what the table is for
    """

    path: str
    like: str | None
    what: str
    keys: tuple[Key, ...]


def key_tables(schema: type[BaseModel]) -> list[KeyTable]:
    """The tables of a file of this schema, in its order."""
    return [
        KeyTable(path, first, "", ())
        if first != path
        else KeyTable(path, None, _about(model), tuple(_key(name, field) for name, field in fields(model)))
        for path, model, first in tables(schema)
    ]


def tables(
    schema: type[BaseModel], path: str = "", seen: dict[type[BaseModel], str] | None = None
) -> Iterator[tuple[str, type[BaseModel], str]]:
    """A schema and the tables in it, under the names by which a file has them ("data", "data.join", "sets.NAME"), each with the
    name under which it was met first; what lies in a table that was met before is not gone through again."""
    seen = {} if seen is None else seen
    schema.model_rebuild()  # one that names a later one is not complete before it is used
    first = seen.setdefault(schema, path)
    yield path, schema, first
    if first != path:
        return
    for name, field in fields(schema):
        for inner, by_name in _models(field.annotation):
            where = ".".join([part for part in (path, name) if part] + (["NAME"] if by_name else []))
            yield from tables(inner, where, seen)


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a table that a file may have."""
    ours = OF_THE_LOADER.get(model.__name__, ())
    return ((name, field) for name, field in model.model_fields.items() if name not in ours)


def kind_of(field: FieldInfo) -> str:
    """A key's type and bounds in words, values in backquotes."""
    return _kind(field.annotation, field.metadata)


def _key(name: str, field: FieldInfo) -> Key:
    return Key(name, kind_of(field), _default(field), field.is_required(), field.description or _whole(field))


def _about(model: type[BaseModel]) -> str:
    """A table's docstring without its name, which the heading has: "[data]: which files" -> "Which files"."""
    said = re.sub(r"^\[[^\]]*\][ \w]*: ", "", model.__doc__ or "")
    return said[:1].upper() + said[1:]


def _whole(field: FieldInfo) -> str:
    """What a key that is a table says of itself: the first sentence of the table."""
    documented = [_about(model) for model, _ in _models(field.annotation)]
    return documented[0].split("\n")[0] if documented else ""


def _models(annotation: Any) -> list[tuple[type[BaseModel], bool]]:
    """The tables that a value may be, and whether they are under names of the user's own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, False)]
    by_name = get_origin(annotation) is dict
    return [(model, by_name or deeper) for part in get_args(annotation) for model, deeper in _models(part)]


def _kind(annotation: Any, notes: list[Any]) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0], [*parts[1:], *notes])
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in parts)
    if origin in (Union, UnionType):
        return " or ".join(_kind(part, notes) for part in parts if part is not NoneType)
    if origin is tuple:
        return _list(parts)
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "tables" if any(by_name for _, by_name in _models(annotation)) else "table"
    return f"{_WORDS[annotation]}{_bounds(notes)}"


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true, false", Any: "any value"}


def _list(parts: tuple[Any, ...]) -> str:
    if parts[-1] is Ellipsis:
        return f"list of: {_kind(parts[0], [])}"
    return f"[{', '.join(_kind(part, []) for part in parts)}]"


def _bounds(notes: list[Any]) -> str:
    """From pydantic's constraints, which may lie in a Field of their own."""
    flat = [inner for note in notes for inner in (note.metadata if isinstance(note, FieldInfo) else [note])]
    known = {
        annotated_types.Ge: "from {.ge:,}",
        annotated_types.Gt: "above {.gt:,}",
        annotated_types.Le: "to {.le:,}",
        annotated_types.Lt: "below {.lt:,}",
    }
    said = [known[type(note)].format(note).removesuffix(".0") for note in flat if type(note) in known]
    return f" {' '.join(said)}" if said else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return "" if value is None or isinstance(value, BaseModel | dict) else json.dumps(value, ensure_ascii=False)
