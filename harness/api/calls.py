"""What is the same for every call: words of files made plain, full disks explained, arguments brought into the options' form."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from harness.base.command import out_root
from harness.base.errors import UserError
from harness.base.storage.atomic_files import explain_disk_errors
from harness.base.storage.toml_text import dump_toml
from harness.base.terminal import plain_streams


@contextlib.contextmanager
def torch_as_it_was() -> Iterator[None]:
    """Leave the torch of a script as it was found: its threads, its random numbers, its choice of algorithms."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn.deterministic
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = cudnn


P = ParamSpec("P")
R = TypeVar("R")


def api_call(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function print and fail as a command does: nothing steers the terminal, a full disk is a `UserError`."""

    @functools.wraps(function)
    def called(*args: P.args, **options: P.kwargs) -> R:
        with plain_streams(), explain_disk_errors(Path.cwd()), torch_as_it_was():
            return function(*args, **options)

    return called


def place(out: str | Path | None) -> Path:
    """The folder that oof/ and submissions/ are written under."""
    return out_root(None if out is None else Path(out))


def settings(values: Mapping[str, Any] | Iterable[str] | None) -> list[str]:
    """KEY=VALUE of what is changed of a recipe, as `--set` takes it.

    values : {"train.epochs": 3, "model.args": {...}}, or such texts

    Raises
    ------
    UserError
        If a value cannot be written in TOML.
    """
    if values is None:
        return []
    if isinstance(values, str):
        return [values]
    if not isinstance(values, Mapping):
        return list(values)
    return [f"{key}={_toml(str(key), value)}" for key, value in values.items()]


def _toml(key: str, value: Any) -> str:
    """A value as TOML has it on one line."""
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        value = value.tolist()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_name(str(k))} = {_toml(f'{key}.{k}', v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(key, inner) for inner in value) + "]"
    if isinstance(value, bool | int | float | str):
        return dump_toml({"value": value}).strip().partition(" = ")[2]
    raise UserError(
        f"set: '{key}': a {type(value).__name__} cannot stand in a recipe; give a number, a text, true or false, a list or a dict of these"
    )


def _name(key: str) -> str:
    return dump_toml({key: 0}).strip().partition(" = ")[0]


def fold_list(folds: int | Iterable[int] | None) -> str | None:
    """Fold numbers as `--folds` takes them."""
    if folds is None:
        return None
    return ",".join(str(int(fold)) for fold in ([folds] if isinstance(folds, int) else folds))


def names_of(runs: Any) -> list[str]:
    """Names of runs that are given as objects, names or folders, one or several."""
    if runs is None:
        return []
    several = [runs] if isinstance(runs, str | Path) or hasattr(runs, "path") else list(runs)
    return [one.path.name if hasattr(one, "path") else Path(one).name for one in several]
