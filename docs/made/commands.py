"""Every command with its options, from the typer applications: what --help says of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import typer

from docs.made.table import code, prose, table
from harness.base.data_parts import DATA_PARTS


@cache
def commands() -> dict[str, Any]:
    """The click command of every command line, by its name after "python -m ": "harness.cv", "harness.oof compare"."""
    from harness.__main__ import COMMANDS

    found: dict[str, Any] = {}
    for module in COMMANDS:
        found |= _with_parts(module, _command(f"{module}.__main__"))
        if module == "harness.data":
            for part, handed_on in DATA_PARTS.items():
                found[f"{module} {part}"] = _part(_command(handed_on), part)
    return found


def _command(module: str) -> Any:
    command = typer.main.get_command(import_module(module).app)
    if module.endswith("__main__"):
        del sys.modules[module]  # whoever runs it in this process runs it anew
    return command


def _part(command: Any, name: str) -> Any:
    return getattr(command, "commands", {}).get(name, command)


def _with_parts(name: str, command: Any) -> dict[str, Any]:
    parts = getattr(command, "commands", None)
    return {f"{name} {part}": inner for part, inner in parts.items()} if parts else {name: command}


def named_in(words: list[str]) -> tuple[str, list[str]]:
    """The name of the command in a command line after "python -m", and its arguments.

    Raises
    ------
    KeyError
        If there is no such command.
    """
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in commands():
            return name, words[length:]
    raise KeyError(" ".join(words[:2]))


def every_command() -> str:
    """A section for each command: what it does, how it is called, its options by group."""
    return "\n".join(_section(name, command) for name, command in commands().items())


def _section(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=f"python -m {name}")
    usage = " ".join(["python -m", name, *command.collect_usage_pieces(context)])
    groups = [
        f"**{heading}**\n\n{table(('option', 'what it does'), rows)}" for heading, rows in _groups(command, context)
    ]
    return "\n".join([f"## {name}\n", f"{prose(command.help)}\n", f"```text\n{usage}\n```\n", *groups])


def _groups(command: Any, context: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.params:
        said = parameter.get_help_record(context)
        if said is None:  # a hidden one
            continue
        general = "Arguments" if parameter.param_type_name == "argument" else "Options"
        heading = getattr(parameter, "rich_help_panel", None) or general
        groups.setdefault(heading, []).append((code(said[0]), prose(said[1])))
    yield from groups.items()
