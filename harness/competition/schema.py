"""TOML in, validated frozen model out, and every mistake in the file named at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import is_plain, plain

Model = TypeVar("Model", bound=BaseModel)


class Frozen(BaseModel):
    """Base of every schema: immutable, typed strictly, unknown keys refused, every field documented."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Later(Frozen):
    """A schema with keys that came later: at their default they are left out of what is written and hashed, so that runs and caches
    from before keep their names."""

    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        fields = type(self).model_fields
        return {k: v for k, v in written.items() if k not in self.later or getattr(self, k) != fields[k].default}


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    UserError
        If the file is missing or is not TOML (with the line).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a mark
        _refuse_endless_keys(path, text)
        values = tomllib.loads(text)
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: is not in UTF-8 ({error.reason} at byte {error.start:,}). Save it as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:  # of syntax, of numbers with thousands of digits
        raise UserError(f"{path}: not valid TOML: {plain(error, 300)}") from error
    if _depth(values) > _DEEPEST:
        raise UserError(f"{path}: tables and lists are nested more than {_DEEPEST} deep; nothing here is.")
    return values


_DEEPEST = 20
_MOST_DOTS = 200


def _refuse_endless_keys(path: Path, text: str) -> None:
    """A key of thousands of dotted parts takes the parser minutes."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.partition("=")[0].count(".") > _MOST_DOTS:
            raise UserError(
                f"{path}: line {number}: a key of more than {_MOST_DOTS} dotted parts; nothing here has one."
            )


def _depth(value: Any) -> int:
    """How deep tables and lists are nested, counted without recursion."""
    deepest, todo = 0, [(value, 0)]
    while todo:
        inner, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(inner, dict | list):
            todo += [(v, depth + 1) for v in (inner.values() if isinstance(inner, dict) else inner)]
    return deepest


def validate(schema: type[Model], values: dict[str, Any], where: str, saved: bool = False) -> Model:
    """Check values against a schema.

    saved : whether they were checked before, where a script had registered names that are not known here

    Raises
    ------
    UserError
        Names every wrong key and value, with the file (`where`) and, for an unknown key, the nearest known one.
    """
    odd = [f"{key} = {text!r}: {_ODD}" for key, text in _strings(values) if not _is_text(key, text)]
    if odd:
        raise UserError("\n  ".join([f"{where}:", *odd] if len(odd) > 1 else [f"{where}: {odd[0]}"]))
    try:
        return schema.model_validate(values, context={"saved": saved})
    except ValidationError as error:
        lines = [_explain(schema, problem) for problem in error.errors()]
        raise UserError("\n  ".join([f"{where}:", *lines] if len(lines) > 1 else [f"{where}: {lines[0]}"])) from None


_ODD = "holds characters that are not seen or that steer a terminal; take them out"
_PROSE = ("description", "answers_to")  # the only values of several lines


def _is_text(key: str, text: str) -> bool:
    return is_plain(text.replace("\n", " ").replace("\t", " ") if key in _PROSE else text)


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in nested tables and lists, keys too, with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not is_plain(str(name)):
                yield key, str(name)
            yield from _strings(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner, key)


def dotted_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a schema and of its tables, dotted: 'train.epochs'."""
    for name, field in schema.model_fields.items():
        yield prefix + name
        for table in _tables(field.annotation):
            yield from dotted_keys(table, f"{prefix}{name}.")


def _tables(annotation: Any) -> list[type[BaseModel]]:
    candidates = [annotation, *get_args(annotation)]
    return [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]


def _explain(schema: type[BaseModel], problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{plain(key, 200)}: unknown key{_nearest_key(schema, key)}"
    if problem["type"] == "missing":
        return f"{key}: missing; it has no default"
    said = problem["msg"].removeprefix("Value error, ")
    said = said[0].lower() + said[1:]
    if problem["type"] == "tuple_type":
        said = "write a list in brackets: [..., ...]"
    if problem["type"] == "dict_type":
        said = "write a table in braces: {name = ...}"
    if problem["type"] == "model_type":
        said = f"write a table in braces, of the keys {_keys_of(schema, problem['ctx']['class_name'])}"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        said += nearest(problem["input"], _QUOTED.findall(problem["ctx"]["expected"]))
    if problem["type"] == "value_error" and isinstance(
        problem["input"], dict
    ):  # two keys of a table that do not go together: what is said names them
        return f"[{key}] {said}" if key else said
    return (
        f"{plain(key, 200)} = {plain(_written(problem['input']), 200)}: {plain(said, 1000)}"
        if key
        else plain(said, 1000)
    )


def _keys_of(schema: type[BaseModel], table: str) -> str:
    """The keys of a table of a schema by its class's name, in words."""
    todo = [schema]
    for model in todo:
        if model.__name__ == table:
            return ", ".join(model.model_fields)
        todo += [inner for field in model.model_fields.values() for inner in _tables(field.annotation)]
    return table


_QUOTED = re.compile("'([^']*)'")


def _written(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # TOML's hexadecimal numbers may be longer than Python writes out
        return "a number of thousands of digits"


def _nearest_key(schema: type[BaseModel], key: str) -> str:
    known = list(dotted_keys(schema))
    table, _, leaf = key.rpartition(".")
    siblings = [k for k in known if k.rpartition(".")[0] == table]
    hint = nearest(key, siblings)
    if hint:
        return hint
    elsewhere = {k.rpartition(".")[2]: k for k in reversed(known)}  # of two, the one that stands first
    if leaf in elsewhere:
        return f" (did you mean '{elsewhere[leaf]}'?)"
    near = nearest(leaf, elsewhere, 0.8)
    if near:
        return f" (did you mean '{elsewhere[near.split(chr(39))[1]]}'?)"
    names = ", ".join(k.rpartition(".")[2] for k in siblings)
    return f"; known here: {names}" if names else ""
