"""What a function or a class does, as a digest: the same in every process that defines the same, another where the code differs."""

from __future__ import annotations

import functools
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def content_digest(value: Any) -> str:
    """8 hex digits over the source of a function, a class or a callable object, and of what it uses of its own module.

    What it imports from elsewhere counts by name. Without a source (python -c) the compiled code counts in its place.
    """
    return hashlib.sha256("\n".join(_content(value, _module_of(value), set())).encode()).hexdigest()[:8]


def _module_of(value: Any) -> str:
    named = value.func if isinstance(value, functools.partial) else value
    return str(getattr(named, "__module__", "") or type(named).__module__)


def _content(value: Any, home: str, seen: set[int]) -> Iterator[str]:
    """The parts of a value's content; home : module whose functions and classes are looked into."""
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif isinstance(value, list | tuple | set | frozenset | dict):
        yield type(value).__name__
        parts = value.items() if isinstance(value, dict) else value
        inner = ["\n".join(_content(part, home, seen)) for part in parts]
        yield from sorted(inner) if isinstance(value, set | frozenset) else inner
    elif id(value) in seen:
        yield f"again {getattr(value, '__qualname__', type(value).__qualname__)}"
    else:
        seen.add(id(value))
        yield from _of_object(value, home, seen)


def _of_object(value: Any, home: str, seen: set[int]) -> Iterator[str]:
    if isinstance(value, functools.partial):
        yield from _content([value.func, value.args, value.keywords], home, seen)
    elif isinstance(value, ModuleType):
        yield f"module {value.__name__}"
    elif inspect.ismethod(value):
        yield from _content([value.__func__, value.__self__], home, seen)
    elif isinstance(value, FunctionType) and _module_of(value) == home:
        yield _source(value) or "\n".join(_code(value.__code__))
        yield from _content([value.__defaults__, value.__kwdefaults__], home, seen)
        yield from _used(value, home, seen)
    elif isinstance(value, type) and _module_of(value) == home:
        source = _source(value)
        yield source or value.__qualname__
        yield from _content(list(value.__bases__), home, seen)
        for name, member in sorted(vars(value).items()):
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(inner, FunctionType):
                yield from (_used if source else _of_object)(inner, home, seen)
            elif not source and isinstance(inner, _PLAIN) and not name.startswith("__"):
                yield f"{name} = {inner!r}"
    elif isinstance(value, type | FunctionType) or callable(getattr(value, "__get__", None)):
        yield f"{value.__module__}.{value.__qualname__}"
    else:
        yield from _content(type(value), home, seen)
        yield from _content(dict(sorted(getattr(value, "__dict__", {}).items())), home, seen)


def _used(function: FunctionType, home: str, seen: set[int]) -> Iterator[str]:
    """What a function refers to: its closure, and globals of its module."""
    for cell in function.__closure__ or ():
        try:
            yield from _content(cell.cell_contents, home, seen)
        except ValueError:  # not filled yet: a class that refers to itself
            yield "empty"
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name
            yield from _content(function.__globals__[name], home, seen)


def _names(code: CodeType) -> set[str]:
    return {
        *code.co_names,
        *(name for inner in code.co_consts if isinstance(inner, CodeType) for name in _names(inner)),
    }


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return ""


def _code(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames}"
    for constant in code.co_consts:
        yield from _code(constant) if isinstance(constant, CodeType) else [repr(constant)]
