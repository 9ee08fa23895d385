"""Every key of competition.toml and of a recipe, as tables of Markdown."""

from __future__ import annotations

from pydantic import BaseModel

from docs.made.table import code, prose, table
from harness.competition.keys import KeyTable, key_tables


def competition() -> str:
    """The tables of competition.toml."""
    from harness.competition import Competition

    return _page(Competition)


def recipe() -> str:
    """The tables of a recipe."""
    from harness.competition import Recipe

    return _page(Recipe)


def _page(schema: type[BaseModel]) -> str:
    return "\n".join(map(_section, key_tables(schema)))


def _section(of: KeyTable) -> str:
    heading = f"## {code(f'[{of.path}]')}" if of.path else "## Above all tables"
    if of.like is not None:
        return f"{heading}\n\nAs {code(f'[{of.like}]')}.\n"
    rows = [
        (code(key.name), key.kind, "**required**" if key.required else code(key.default), prose(key.what))
        for key in of.keys
    ]
    return f"{heading}\n\n{prose(of.what)}\n\n{table(('key', 'value', 'default', 'what it does'), rows)}"
