"""Arrays that a competition's own `load_samples` gives, checked row by row before they are written to the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import Competition, Samples
from harness.competition.samples import Columns
from harness.data.files.names import check_ids
from harness.data.rows.groups import group_numbers
from harness.data.rows.tables import text_of
from harness.data.rows.targets import fold_numbers
from harness.data.rows.weights import checked_weights


def checked_samples(competition: Competition, samples: Samples, split: str, where: str) -> Samples:
    """The rows with their arrays in the types of the cache; of test rows what training alone has (labels, folds, ...) is left out.

    where : what gave them, in words

    Raises
    ------
    UserError
        If an array has another shape or type than `Samples` says, a value may not be, or `truth` is given, which no layout but captioned
        has: says which row.
    """
    if not isinstance(samples, Samples):
        raise UserError(f"{where} gave {type(samples).__name__}; wanted harness.competition.Samples, Listing or None")
    shape = (*competition.data.size, competition.data.channels)
    if samples.images.shape[1:] != shape:
        raise UserError(f"{where}: images are {samples.images.shape[1:]}; data.size and channels say {shape}")
    if not len(samples):
        raise UserError(f"{where}: has no images; give None where the competition has no such split")
    if samples.truth is not None:
        raise UserError(f"{where}: truth is of data.format = 'captioned'; leave it out")
    ids = _texts(samples.ids, "ids", where)
    check_ids(ids, where)
    seen: dict[str, Any] = {
        "ids": np.array(ids, dtype=np.str_),
        "images": samples.images,
        "captions": _captions(samples.captions, where),
        "columns": _columns(samples.columns, where),
    }
    if split == "test":
        rows = None if samples.rows is None else np.array(_texts(samples.rows, "rows", where), dtype=np.str_)
        return Samples(**seen, rows=rows)
    return Samples(**seen, **_of_training(competition, samples, where))


def refuse_other_columns(found: Columns | None, of_train: Columns | None, where: str) -> None:
    """Refuse test rows whose columns are not those of the training rows (UserError)."""
    told, wanted = ((c and (c.number_names, c.categories)) for c in (found, of_train))
    if told != wanted:
        names, theirs = (plain(", ".join(c.names), 300) if c else "none" for c in (found, of_train))
        raise UserError(
            f"{where}: columns are {names}, those of 'train' {theirs}; both need the same, with the same values of categories, in one order"
        )


def _of_training(competition: Competition, samples: Samples, where: str) -> dict[str, Any]:
    """What training rows alone have."""
    if not competition.classes:
        raise UserError(
            f"{competition.folder / 'competition.toml'}: classes: missing; data.format = 'custom' needs them"
        )
    labels = _labels(competition, samples.labels, where)
    weight = samples.weight
    if weight is not None:
        weight = checked_weights(
            _plain_rows(weight, "weight", where).tolist(), lambda row: f"{where}: row {row + 1}, weight"
        )
    fold = samples.fold
    if fold is not None:
        fold = fold_numbers(_texts(fold, "fold", where), lambda row: f"{where}: row {row + 1}, column 'fold'")
    soft = None if samples.soft is None else _votes(competition, samples.soft, labels, where)
    return {"labels": labels, "weight": weight, "fold": fold, "soft": soft, "groups": _groups(samples.groups, where)}


def _labels(competition: Competition, given: Any, where: str) -> np.ndarray:
    """int64 (n,) of classes, float32 (n, K) of labels and numbers."""
    labels, n_classes, task = None if given is None else np.asarray(given), len(competition.classes), competition.kind
    is_number = labels is not None and labels.dtype.kind in "iufb"
    if not task.is_one_class:
        if labels is None or not is_number or labels.ndim != 2 or labels.shape[1] != n_classes:
            raise UserError(f"{where}: labels are {_told(labels)}; wanted float32 (n, {n_classes}), {task.what}")
        table = labels.astype(np.float32)
        bad = np.flatnonzero(task.wrong_rows(table))
        if len(bad):
            raise UserError(f"{where}: row {bad[0] + 1}: labels {table[bad[0]][:8].tolist()} {task.wrong_why}")
        return table
    if labels is None or labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{where}: labels are {_told(labels)}; wanted int64 (n,), indices of classes")
    outside = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(outside):
        raise UserError(f"{where}: row {outside[0] + 1}: label {labels[outside[0]]} is no class (0 to {n_classes - 1})")
    return labels.astype(np.int64)


def _votes(competition: Competition, given: Any, labels: np.ndarray, where: str) -> np.ndarray:
    """Shares of votes float32 (n, C), each row's sum 1."""
    votes, n_classes = np.asarray(given), len(competition.classes)
    if not competition.kind.is_one_class or votes.dtype.kind not in "iuf" or votes.shape != (len(labels), n_classes):
        raise UserError(
            f"{where}: soft is {_told(votes)}; wanted float32 (n, {n_classes}), a row's shares of votes for each class, where a row has one"
        )
    votes = votes.astype(np.float64)
    sums = votes.sum(axis=1)
    bad = np.flatnonzero(~(np.isfinite(sums) & (votes >= 0).all(axis=1) & (sums > 0)))
    if len(bad):
        raise UserError(f"{where}: row {bad[0] + 1}: soft {votes[bad[0]][:8].tolist()} are no votes: >= 0, not all 0")
    other = np.flatnonzero(votes[np.arange(len(votes)), labels] < votes.max(axis=1))
    if len(other):
        row = int(other[0])
        raise UserError(
            f"{where}: row {row + 1}: label {labels[row]} is not the class with the most votes ({votes[row].argmax()}); labels are "
            "soft.argmax(axis=1)"
        )
    return (votes / sums[:, None]).astype(np.float32)


def _groups(given: Any, where: str) -> np.ndarray:
    """Group numbers int64 (n,); whole numbers stay what they are."""
    groups = _plain_rows(given, "groups", where)
    if groups.dtype.kind in "iu":
        return groups.astype(np.int64)
    return group_numbers([text_of(group) for group in groups.tolist()])


def _captions(given: Any, where: str) -> np.ndarray | None:
    if given is None:
        return None
    captions = np.asarray(given)
    if captions.ndim != 2 or captions.dtype.kind != "U":
        raise UserError(f"{where}: captions are {_told(captions)}; wanted text (n, K)")
    return captions


def _columns(columns: Columns | None, where: str) -> Columns | None:
    """Columns with numbers float32 (n, N) and codes int32 (n, M)."""
    if columns is None:
        return None
    if not isinstance(columns, Columns):
        raise UserError(f"{where}: columns are {type(columns).__name__}; wanted harness.competition.samples.Columns")
    numbers, codes = np.asarray(columns.numbers), np.asarray(columns.codes)
    names, values = tuple(map(str, columns.number_names)), {k: tuple(v) for k, v in columns.categories.items()}
    n = len(numbers)
    if numbers.dtype.kind not in "iufb" or numbers.shape != (n, len(names)):
        raise UserError(
            f"{where}: columns.numbers are {_told(numbers)}; wanted float32 (n, {len(names)}), as number_names"
        )
    if codes.dtype.kind not in "iu" or codes.shape != (n, len(values)):
        raise UserError(f"{where}: columns.codes are {_told(codes)}; wanted int32 ({n}, {len(values)}), as categories")
    for place, (name, known) in enumerate(values.items()):
        bad = np.flatnonzero((codes[:, place] < 0) | (codes[:, place] >= len(known)))
        if len(bad):
            told = f"{codes[bad[0], place]} is no value of '{plain(name, 80)}' (0 to {len(known) - 1})"
            raise UserError(f"{where}: row {bad[0] + 1}: columns.codes: {told}")
    return Columns(numbers.astype(np.float32), codes.astype(np.int32), names, values)


def _texts(given: Any, name: str, where: str) -> list[str]:
    return [text_of(value) for value in _plain_rows(given, name, where).tolist()]


def _plain_rows(given: Any, name: str, where: str) -> np.ndarray:
    """A value for each row."""
    array = np.asarray(given)
    if array.ndim != 1:
        raise UserError(f"{where}: {name} is {_told(array)}; wanted a value for each row, (n,)")
    return array


def _told(array: np.ndarray | None) -> str:
    return "not given" if array is None else f"{array.dtype} {array.shape}"
