"""What `import harness` has, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from docs.made.table import code, prose, table

_SECTION = re.compile(r"\n\n(Parameters|Attributes|Returns|Raises)\n-+\n")
_ENTRY = re.compile(r"^(\S[^\n]*?) : (.*?)(?=^\S[^\n]*? : |\Z)", flags=re.M | re.S)


def every_name() -> str:
    """A section for each name of the package, the results that functions give after them."""
    import harness
    import harness.api

    names: dict[str, Any] = {}
    for name in harness.__all__:
        value = getattr(harness.api, name)
        members = {f"register.{n}": getattr(value, n) for n in _functions(value)} if inspect.ismodule(value) else {}
        names |= members or {name: value}
    sections = [_section(f"harness.{name}", value) for name, value in names.items()]
    return "\n".join([*sections, *(_section(kind.__name__, kind, called=False) for kind in harness.api.RESULTS)])


def _functions(module: Any) -> list[str]:
    return [
        n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__ and n[0] != "_"
    ]


def _section(name: str, value: Any, called: bool = True) -> str:
    parts = [f"## {code(name)}\n"]
    if called and not (inspect.isclass(value) and issubclass(value, Exception)):
        parts.append(f"```text\n{name}{_signature(value)}\n```\n")
    parts += _told(inspect.getdoc(value) or "")
    if inspect.isclass(value) and not issubclass(value, Exception):
        rows = [(code(n), prose((inspect.getdoc(m) or "").split("\n\n")[0])) for n, m in _members(value)]
        parts += [table(("has", "which is"), rows)] if rows else []
    return "\n".join(parts)


def _signature(value: Any) -> str:
    parameters = inspect.signature(value).parameters.values()
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters if p.name != "self"]))


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Its own methods and properties, in their order."""
    for name, member in vars(kind).items():
        if not name.startswith("_") and (callable(member) or hasattr(member, "__get__")):
            yield name, member


def _told(text: str) -> Iterator[str]:
    """A docstring's prose, and its sections as tables."""
    intro, *rest = _SECTION.split(text)
    yield from _prose(intro)
    for heading, body in zip(rest[::2], rest[1::2], strict=True):
        if heading == "Raises":
            yield f"**Raises** {prose(' '.join(body.split()).replace('UserError ', '`harness.UserError`: ', 1))}\n"
        elif heading == "Returns":
            yield f"**Returns** {prose(' '.join(body.split()))}\n"
        else:
            yield table((heading.lower(), ""), [(code(n), prose(" ".join(w.split()))) for n, w in _ENTRY.findall(body)])


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\n+", text):
        if paragraph.startswith("    "):
            yield f"```text\n{inspect.cleandoc(paragraph)}\n```\n"
        elif entries := _ENTRY.findall(paragraph):
            yield table(("parameter", ""), [(code(n), prose(" ".join(w.split()))) for n, w in entries])
        else:
            yield f"{prose(paragraph)}\n"
