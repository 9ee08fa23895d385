"""Models, losses, metrics and augmentations of a user's own, by kind and name: registered in a script, found by whoever needs them.

Worker processes get them by value, from this process and never from a file, so that they may be defined in a script or a notebook.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.base.errors import UserError, needs
from harness.base.python.content import content_digest

KINDS = ("model", "loss", "metric", "augmentation")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Registered:
    """What was registered under a name.

    Attributes
    ----------
    value : the function or class
    digest : of its code: two that do other things have other ones
    greater_is_better : of a metric
    """

    value: Callable[..., Any]
    digest: str
    greater_is_better: bool = True


_all: dict[tuple[str, str], Registered] = {}


def register(kind: str, name: str, value: Callable[..., Any], greater_is_better: bool = True) -> None:
    """Keep a function or class under a name, in place of what was registered under it before.

    Raises
    ------
    UserError
        If the name is none that a recipe can have, or the value cannot be called.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"harness.register.{kind}('{name}', ...): a name has letters, digits, - and _, and begins with a letter"
        )
    if not callable(value):
        raise UserError(
            f"harness.register.{kind}('{name}', ...): {type(value).__name__} cannot be called; give a function or class"
        )
    _all[kind, name] = Registered(value, content_digest(value), greater_is_better)


def find(kind: str, name: str) -> Registered | None:
    """What is registered under a name, or None."""
    return _all.get((kind, name))


def names(kind: str) -> list[str]:
    """Names of what is registered, in order."""
    return [name for of, name in _all if of == kind]


def digests(used: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """{"kind name": digest} of those names that are registered; used : names by kind."""
    found = {f"{kind} {name}": find(kind, name) for kind, several in used.items() for name in several}
    return {key: told.digest for key, told in found.items() if told is not None}


def check_digests(told: Mapping[str, str], where: str) -> None:
    """Refuse to go on where what was registered when it was begun is not, or is something else now.

    told : as `digests` gave it; where : whose they are, in words

    Raises
    ------
    UserError
        Names it, and the cure.
    """
    for key, digest in told.items():
        kind, _, name = key.partition(" ")
        here = find(kind, name)
        if here is None:
            raise UserError(
                f"{where}: uses the {kind} '{name}', which a script registered and this process did not. Call "
                f"harness.register.{kind}('{name}', ...) with the same code first"
            )
        if here.digest != digest:
            raise UserError(
                f"{where}: was made with another {kind} '{name}' than the one that is registered here (code {digest}, here {here.digest}). "
                "Register the same code, or train anew"
            )


def packed() -> bytes:
    """All that is registered, for a worker process; b"" where nothing is."""
    if not _all:
        return b""
    with needs("harness.register", "cloudpickle"):
        import cloudpickle
    try:
        content: bytes = cloudpickle.dumps(_all)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"what was registered ({', '.join(f'{kind} {name}' for kind, name in _all)}) cannot be sent to worker processes ({error}). Keep open "
            "files, locks and the like out of it, or take workers=1"
        ) from error
    return content


def unpack(content: bytes) -> None:
    """Register what `packed` gave; content : from the process that started this one, never from a file."""
    if content:
        _all.update(pickle.loads(content))  # noqa: S301
