"""Options of a command by group: a frozen dataclass whose fields are options, under one heading of --help.

A command takes a group as one parameter; on its command line every field stands for itself.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import ParameterInfo

T = TypeVar("T")

_HEADING = "__option_heading__"


@dataclass_transform(frozen_default=True)
def option_group(heading: str) -> Callable[[type[T]], type[T]]:
    """Make a class of annotated fields a group; a field without a default is a required option."""

    def made(cls: type[T]) -> type[T]:
        setattr(cls, _HEADING, heading)
        return dataclasses.dataclass(frozen=True)(cls)

    return made


@dataclasses.dataclass(frozen=True)
class Without:
    """Annotates a command's group with the fields that this command has no options for; they keep their defaults."""

    fields: tuple[str, ...]

    def __init__(self, *fields: str) -> None:
        object.__setattr__(self, "fields", fields)


class Spread:
    """A function's signature with the options of its groups in the groups' places.

    Attributes
    ----------
    signature : what typer reads; keywords only, so that options without a default may follow others
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        hints = get_type_hints(function, include_extras=True)
        self._groups: dict[str, tuple[type, list[str]]] = {}
        parameters: list[inspect.Parameter] = []
        for name, parameter in inspect.signature(function).parameters.items():
            group, left_out = _group_of(hints[name])
            if group is None:
                parameters.append(_keyword(name, hints[name], parameter.default))
                continue
            options = _options(group, left_out)
            self._groups[name] = (group, [option.name for option in options])
            parameters += options
        self.signature = inspect.Signature(parameters)

    def gathered(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The function's own arguments: its groups made of the options that were given."""
        rest = dict(given)
        groups = {
            name: group(**{field: rest.pop(field) for field in fields if field in rest})
            for name, (group, fields) in self._groups.items()
        }
        return {**rest, **groups}


class GroupedCommand(TyperCommand):
    """A command whose --help shows each group of options under its heading."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections in the order of their first options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:  # None: a hidden one
                general = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or general, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def words_of(*groups: Any) -> list[str]:
    """The command line that gives groups their values: each option that has not its default."""
    words: list[str] = []
    for group in groups:
        hints = get_type_hints(type(group), include_extras=True)
        for field in dataclasses.fields(group):
            value = getattr(group, field.name)
            if value is not None and value != field.default:
                words += _words(_flags(field.name, hints[field.name]), value)
    return words


def _words(flags: tuple[str, str], value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flags[0] if value else flags[1]]
    several = value if isinstance(value, list | tuple) else [value]
    return [word for one in several for word in (flags[0], str(one))]


def _flags(name: str, hint: Any) -> tuple[str, str]:
    """An option's name on the command line, and that which says no to it, by typer's rules."""
    options = [note for note in get_args(hint)[1:] if isinstance(note, ParameterInfo)]
    declared = [one for option in options for one in (option.default, *(option.param_decls or ()))]
    # typer takes an annotation's first argument for a default until it reads it
    named = (one for one in declared if isinstance(one, str) and one.startswith("--"))
    yes, _, no = next(named, f"--{name.replace('_', '-')}").partition("/")
    return yes, no or f"--no-{yes.removeprefix('--')}"


def _group_of(hint: Any) -> tuple[type | None, tuple[str, ...]]:
    left_out: tuple[str, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        left_out = tuple(field for note in notes if isinstance(note, Without) for field in note.fields)
    return (hint, left_out) if hasattr(hint, _HEADING) else (None, ())


def _options(group: type, left_out: tuple[str, ...]) -> list[inspect.Parameter]:
    hints, heading = get_type_hints(group, include_extras=True), getattr(group, _HEADING)
    return [
        _keyword(
            field.name,
            _headed(hints[field.name], heading),
            inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(group)
        if field.name not in left_out
    ]


def _headed(hint: Any, heading: str) -> Any:
    """An annotation whose option is shown under a heading; the option itself may be shared with other groups."""
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint, typer.Option())
    headed = [copy.copy(note) for note in notes]
    for note in headed:
        if isinstance(note, ParameterInfo):
            note.rich_help_panel = heading
    return Annotated[(kind, *headed)]


def _keyword(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
