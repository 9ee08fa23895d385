"""What labels in memory are: which task they are of, which classes they name, and the numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import is_plain, plain

if TYPE_CHECKING:
    import numpy as np

METRICS = {
    "single": "accuracy",
    "binary": "accuracy",
    "multilabel": "samples_f1",
    "ordinal": "quadratic_kappa",
    "regression": "rmse",
}
"""By task, where no metric is named."""


@dataclass(frozen=True)
class Targets:
    """Labels as the harness has them.

    Attributes
    ----------
    task : a name of `harness.competition.tasks.TASKS`
    classes : names, as competition.toml has them
    originals : the values that the classes stand for, in their order; of labels and numbers their names
    values : int64 (n,) of classes, else float32 (n, K)
    """

    task: str
    classes: tuple[str, ...]
    originals: np.ndarray
    values: np.ndarray


def targets_of(labels: Any, task: str | None, classes: Sequence[Any] | None) -> Targets:
    """The targets that labels are.

    task : None = as they look: floats that are not whole are numbers; several columns of 0 and 1 are labels; else each value is a class

    Raises
    ------
    UserError
        If they fit no task, or not this one: says in which row, and the value.
    """
    import numpy as np

    from harness.competition.tasks import TASKS

    array = np.asarray(labels)
    if array.ndim not in (1, 2) or not len(array):
        raise UserError(f"labels: are of shape {array.shape}, wanted (n,), or (n, K) of several labels or numbers")
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    name = task or _likely(array)
    if name not in TASKS:
        raise UserError(f"task = '{name}': unknown{nearest(name, TASKS)}; known: {', '.join(TASKS)}")
    if TASKS[name].is_one_class:
        return _classes(name, array, classes)
    return _columns(name, array, classes)


def _likely(labels: np.ndarray) -> str:
    import numpy as np

    if labels.ndim == 2:
        return "multilabel" if labels.dtype.kind in "iufb" and np.isin(labels, (0, 1)).all() else "regression"
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == labels.round()).all()):
        return "regression"
    return "binary" if len(_distinct(labels)) == 2 else "single"


def _distinct(labels: np.ndarray) -> np.ndarray:
    """The values, sorted: numbers as numbers, everything else as text."""
    import numpy as np

    if labels.dtype.kind in "iufbUS":
        return np.unique(labels)
    found = list(dict.fromkeys(labels.tolist()))
    kinds = {type(value) for value in found}
    ordered = sorted(found) if len(kinds) == 1 else sorted(found, key=str)
    array = np.empty(len(ordered), dtype=object)
    array[:] = ordered
    return array


def _classes(task: str, labels: np.ndarray, order: Sequence[Any] | None) -> Targets:
    import numpy as np

    if labels.ndim == 2:  # one column for each class
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise UserError(
                f"labels: are {labels.shape}; task = '{task}' wants one class a row: (n,), or one 1 in each row"
            )
        names = np.array(list(order) if order is not None else range(labels.shape[1]))
        return Targets(task, class_names(names), names, labels.argmax(axis=1).astype(np.int64))
    missing = [row for row, value in enumerate(labels.tolist()) if value is None or value != value]
    if missing:
        raise UserError(f"labels: row {missing[0]} (from 0): is empty ({len(missing):,} rows are). Take the rows out.")
    known = np.asarray(list(order)) if order is not None else _distinct(labels)
    place = {value: number for number, value in enumerate(known.tolist())}
    values = [place.get(value, -1) for value in labels.tolist()]
    if -1 in values:
        row = values.index(-1)
        raise UserError(
            f"labels: row {row} (from 0): {plain(labels.tolist()[row], 80)!r} is none of classes: {plain(known.tolist(), 200)}"
        )
    if len(known) < 2:
        raise UserError(f"labels: are all {plain(known.tolist()[0], 80)!r}; there must be two classes or more")
    return Targets(task, class_names(known), known, np.array(values, dtype=np.int64))


def _columns(task: str, labels: np.ndarray, names: Sequence[Any] | None) -> Targets:
    import numpy as np

    table = labels[:, None] if labels.ndim == 1 else labels
    try:
        values = table.astype(np.float32)
    except (ValueError, TypeError) as error:
        raise UserError(f"labels: task = '{task}' wants numbers ({plain(error, 200)})") from error
    wrong = ~np.isfinite(values) if task == "regression" else ~np.isin(values, (0, 1))
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        wanted = "finite numbers" if task == "regression" else "0 or 1 for each label"
        raise UserError(
            f"labels: row {row}, column {column} (from 0): is {table[row, column]}; task = '{task}' wants {wanted}"
        )
    default = ["value"] if table.shape[1] == 1 else [str(i) for i in range(table.shape[1])]
    given = list(names) if names is not None else default
    if len(given) != table.shape[1]:
        raise UserError(f"classes: {len(given)} names for {table.shape[1]} columns of labels")
    return Targets(task, class_names(given), np.array(given), values)


def class_names(values: Any) -> tuple[str, ...]:
    """Names of classes.

    Raises
    ------
    UserError
        If two are written alike (1 and "1"), or one is empty or cannot be printed.
    """
    names = tuple(str(value) for value in (values.tolist() if hasattr(values, "tolist") else values))
    odd = next((name for name in names if not name or not is_plain(name)), None)
    if odd is not None:
        raise UserError(
            f"labels: the class {plain(odd, 80)!r} is empty, or holds what cannot be printed; name it otherwise"
        )
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise UserError(f"labels: two classes are written '{plain(twice, 80)}'; make their values one")
    return names
