"""The parts of the site that are made from the code when it is built: keys, commands, metrics, models.

A page of docs/reference says where a part goes, by a line of its own: <!-- made: recipe -->. `PARTS` lists them.
Nothing that is made is kept in the repository, so that it cannot grow old there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from docs.made import commands, keys, metrics, models, python

PARTS: dict[str, Callable[[], str]] = {
    "competition": keys.competition,
    "recipe": keys.recipe,
    "commands": commands.every_command,
    "metrics": metrics.every_metric,
    "models": models.every_model,
    "corruptions": models.every_corruption,
    "python": python.every_name,
}
"""Markdown by the name in a page's line."""

MARK = re.compile(r"^<!-- made: (\w+) -->$", flags=re.M)
IN_THE_REPOSITORY = re.compile(r"^<!-- repository -->\n.*?^<!-- /repository -->\n", flags=re.M | re.S)
"""What a page says to those who read its file: that a part is missing there."""


def filled(page: str) -> str:
    """A page's Markdown with the parts in the places of their lines; an unknown name is a KeyError."""
    return MARK.sub(lambda found: PARTS[found[1]](), IN_THE_REPOSITORY.sub("", page))
