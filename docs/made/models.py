"""Models with their arguments, and the corruptions of the noise suite, from signatures and docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from docs.made.table import code, prose, table

_TOLD = 4
"""Height, width, channels and classes: what the competition says."""


def every_model() -> str:
    """A section for each model.name."""
    from harness.models.registry import _builders

    return "\n".join(_section(name, build) for name, build in _builders().items())


def arguments(build: Callable[..., Any]) -> dict[str, tuple[Any, str]]:
    """A model's arguments: default and what its docstring says of it."""
    said = _said(inspect.getdoc(build) or "")
    parameters = list(inspect.signature(build).parameters.values())[_TOLD:]
    return {p.name: (p.default, said.get(p.name, "")) for p in parameters}


def every_corruption() -> str:
    """A table of the noise suite."""
    from harness.train.corruptions import CORRUPTIONS

    return table(
        ("corruption", "what it does"), [(code(name), prose(inspect.getdoc(f))) for name, f in CORRUPTIONS.items()]
    )


def _section(name: str, build: Callable[..., Any]) -> str:
    intro = (inspect.getdoc(build) or "").split("\n\nParameters\n")[0]
    rows = [(code(key), code(json.dumps(default)), prose(said)) for key, (default, said) in arguments(build).items()]
    return f"## {code(name)}\n\n{prose(intro)}\n\n{table(('argument', 'default', 'what it does'), rows)}"


def _said(text: str) -> dict[str, str]:
    """Of a docstring's section Parameters: names -> text; "a, b : text" says it of both."""
    section = re.search(r"Parameters\n-+\n(.*?)(\n\n|\Z)", text, flags=re.S)
    entries = re.findall(
        r"^(\w[\w, ]*?) : (.*?)(?=^\w[\w, ]*? : |\Z)", section[1] if section else "", flags=re.M | re.S
    )
    return {name.strip(): " ".join(words.split()) for names, words in entries for name in names.split(",")}
