"""Data from memory: arrays that stand for a competition wherever one is taken, without a folder of one's own."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.contest import Contest
from harness.api.targets import METRICS, Targets, targets_of
from harness.base.errors import UserError
from harness.base.python import registered
from harness.base.untrusted_text import is_plain, plain
from harness.competition.scoring.spec import written

if TYPE_CHECKING:
    import numpy as np

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
_VERSION = 1


class Samples:
    """Images and labels in memory, as a competition.

    They are written once into the cache, by a hash of their content, and read from there as any competition's files; runs lie in
    oof/<name>/. The same arrays are the same competition in every process.

    Parameters
    ----------
    images : uint8 (n, H, W) or (n, H, W, C), an array, a list of arrays, a tensor on the CPU
    labels : of classes texts or whole numbers (n,); of several labels 0 or 1 (n, K); of a regression floats (n,) or (n, K), with
        task = "regression" where all are whole (21.0, 35.0), which are classes otherwise
    ids : unique texts or numbers (n,); None = rows counted from 0
    groups : rows of equal values share a fold, say the images of one patient; a row of which none is known (None, NaN) is one by itself
    weight : what each row counts in the training loss, >= 0
    columns : what is known of each row beside its image: a DataFrame, or {name: values}; numbers, or texts, which are categories
    test_images, test_ids, test_columns : of the rows that are predicted
    classes : names of the columns of labels (n, K); of classes their order. None: the columns' numbers; the values, sorted
    task : single, binary, multilabel, ordinal, regression; None = as the labels are
    metric, also : what runs are chosen by, and further ones. None = accuracy; samples_f1; rmse
    symmetries : changes that leave the label as it is: hflip, vflip, rot90, rot180, rot270
    name : of the folder in oof/; letters, digits, - and _

    Raises
    ------
    UserError
        If an array is of another kind or length, or a value is none that the task takes: says which, where, and the cure.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        *,
        ids: Sequence[Any] | np.ndarray | None = None,
        groups: Sequence[Any] | np.ndarray | None = None,
        weight: Sequence[float] | np.ndarray | None = None,
        columns: Mapping[str, Sequence[Any]] | Any = None,
        test_images: Any = None,
        test_ids: Sequence[Any] | np.ndarray | None = None,
        test_columns: Mapping[str, Sequence[Any]] | Any = None,
        classes: Sequence[Any] | None = None,
        task: str | None = None,
        metric: str | None = None,
        also: Sequence[str] = (),
        symmetries: Sequence[str] = (),
        name: str = "samples",
    ) -> None:
        if not _NAME.fullmatch(name):
            raise UserError(f"name = '{plain(name, 80)}': take letters, digits, - and _; it is a folder's name")
        self.name = name
        self.images = image_array(images, "images")
        self.targets: Targets = targets_of(labels, task, classes)
        self.ids = texts(ids, "ids") if ids is not None else None
        self._beside = {"groups": _groups(groups) if groups is not None else None, "weight": _numbers(weight)}
        self.test_images = None if test_images is None else image_array(test_images, "test_images")
        self.test_ids = texts(test_ids, "test_ids") if test_ids is not None else None
        self.columns, self.test_columns = _table(columns), _table(test_columns)
        self.metric = _written(metric or METRICS[self.targets.task])
        self.also = tuple(map(_written, also))
        self.symmetries = tuple(symmetries)
        self._check()

    def _check(self) -> None:
        n = len(self.images)
        lengths = {"labels": self.targets.values, "ids": self.ids, **self._beside}
        lengths |= {f"columns['{k}']": v for k, v in self.columns.items()}
        of_test = {"test_ids": self.test_ids, **{f"test_columns['{k}']": v for k, v in self.test_columns.items()}}
        n_test = 0 if self.test_images is None else len(self.test_images)
        for arrays, images, rows in ((lengths, "images", n), (of_test, "test_images", n_test)):
            for what, array in arrays.items():
                if array is not None and len(array) != rows:
                    raise UserError(f"{what}: has {len(array):,} rows, {images} {rows:,}; every image needs its own")
        if self.test_images is not None:
            if self.test_images.shape[1:] != self.images.shape[1:]:
                shapes = f"{self.test_images.shape[1:]}, images {self.images.shape[1:]}"
                raise UserError(f"test_images: are {shapes}; bring them to one size and number of channels")
            if set(self.columns) != set(self.test_columns):
                odd = sorted(set(self.columns) ^ set(self.test_columns))[0]
                raise UserError(f"columns and test_columns: only one of them has '{plain(odd, 80)}'")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n_test = 0 if self.test_images is None else len(self.test_images)
        shape = " x ".join(map(str, self.images.shape[1:]))
        return f"<samples {self.name}: {len(self):,} images {shape}, {n_test:,} to predict, {self.targets.task}>"

    def contest(self) -> Contest:
        """The competition that they are, written into the cache where it does not stand there."""
        from harness.base.options import DataOptions
        from harness.competition import find_competition

        folder = self.folder
        return Contest(find_competition(folder), DataOptions(data=folder.parent))

    @cached_property
    def folder(self) -> Path:
        """The folder in the cache: competition.toml, and the arrays."""
        from harness.base.command import cache_root
        from harness.base.storage.atomic_files import complete_folder

        home = cache_root() / "_arrays" / self.digest
        if not (home / self.name / "competition.toml").is_file():
            home.parent.mkdir(parents=True, exist_ok=True)
            with complete_folder(home) as building:
                self._write(building / self.name)
        return home / self.name

    @cached_property
    def digest(self) -> str:
        """16 hex digits over everything that they are."""
        import json

        import numpy as np

        about = [_VERSION, self.name, self.targets.task, self.targets.classes, self.metric, self.also, self.symmetries]
        digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=8)
        arrays = [self.images, self.targets.values, self.ids, *self._beside.values(), self.test_images, self.test_ids]
        for array in [*arrays, *self.columns.values(), *self.test_columns.values()]:
            told = None if array is None else (str(array.dtype), array.shape)
            digest.update(repr(told).encode())
            if array is not None:
                digest.update(
                    json.dumps(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).data
                )
        digest.update(json.dumps([list(self.columns), list(self.test_columns)]).encode())
        return digest.hexdigest()

    def _write(self, folder: Path) -> None:
        import numpy as np

        from harness.base.storage.toml_text import dump_toml

        (folder / "train").mkdir(parents=True)
        np.save(folder / "train" / "images.npy", self.images)
        np.save(folder / "train" / "labels.npy", self.targets.values)
        for name, array in {"ids": self.ids, **self._beside}.items():
            if array is not None:
                np.save(folder / "train" / f"{name}.npy", array)
        if self.test_images is not None:
            (folder / "test").mkdir()
            np.save(folder / "test" / "images.npy", self.test_images)
            if self.test_ids is not None:
                np.save(folder / "test" / "ids.npy", self.test_ids)
        if self.columns:
            self._write_columns(folder)
        (folder / "competition.toml").write_text(dump_toml(self._spec()), encoding="utf-8")

    def _write_columns(self, folder: Path) -> None:
        """columns.csv, or one for each split: rows of both are found by their ids."""
        import csv

        n_test = 0 if self.test_images is None else len(self.test_images)
        splits = {"columns.csv": (self.columns, self.ids, len(self))}
        if n_test:
            splits["test_columns.csv"] = (self.test_columns, self.test_ids, n_test)
            own = [set(_ids(ids, n)) for _, ids, n in splits.values()]
            if own[0] & own[1]:
                raise UserError(
                    f"columns: id '{plain(sorted(own[0] & own[1])[0], 80)}' is of a training row and of a test row; give ids and test_ids that differ"
                )
        for name, (columns, ids, n) in splits.items():
            with (folder / name).open("w", newline="", encoding="utf-8") as file:
                lines = csv.writer(file)
                lines.writerow(["id", *columns])
                lines.writerows(zip(_ids(ids, n), *(c.tolist() for c in columns.values()), strict=True))

    def _spec(self) -> dict[str, Any]:
        height, width, channels = (*self.images.shape[1:], 1)[:3]
        data: dict[str, Any] = {"format": "arrays", "size": [height, width], "channels": channels, "optional": ["test"]}
        if self.columns:
            files = ["columns.csv", *(["test_columns.csv"] if self.test_images is not None else [])]
            data |= {"features": list(self.columns), "features_from": {"file": files, "id": "id"}}
            categories = [name for name, values in self.columns.items() if values.dtype.kind not in "iufb"]
            data |= {"categories": categories} if categories else {}
        spec: dict[str, Any] = {
            "title": self.name,
            "task": self.targets.task,
            "metric": self.metric,
            "classes": list(self.targets.classes),
            "data": data,
        }
        more = {"also": list(self.also), "symmetries": list(self.symmetries)}
        return {**{k: v for k, v in more.items() if v}, **spec}


def image_array(images: Any, what: str) -> np.ndarray:
    """Images as uint8 (n, H, W) or (n, H, W, C), in C order.

    Raises
    ------
    UserError
        If they are of another type or shape (with the cure).
    """
    import numpy as np

    try:
        array = np.asarray(images)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{what}: cannot be put into one array ({plain(error, 200)}); bring all to one size") from error
    if array.dtype != np.uint8:
        cure = (
            "bring them to one size"
            if array.dtype == object
            else "make them so: (255 * x).round().astype('uint8') of values from 0 to 1"
        )
        raise UserError(f"{what}: are {array.dtype} {array.shape}, wanted uint8, 0 to 255; {cure}")
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise UserError(f"{what}: are of shape {array.shape}, wanted (n, H, W) or (n, H, W, C)")
    if array.ndim == 4 and array.shape[3] > 64:
        cure = "; channels come last: x.transpose(0, 2, 3, 1)" if array.shape[1] in (1, 3, 4) else ""
        raise UserError(f"{what}: are of shape {array.shape}, with {array.shape[3]} channels; 64 are the most{cure}")
    return np.ascontiguousarray(array)


def texts(values: Any, what: str) -> np.ndarray:
    """Texts, each plain and not empty, as a str array (n,).

    Raises
    ------
    UserError
        Names the first that is not.
    """
    import numpy as np

    found = [str(value) for value in np.asarray(values, dtype=object).tolist()]
    odd = next((row for row, text in enumerate(found) if not text or not is_plain(text)), None)
    if odd is not None:
        raise UserError(
            f"{what}: row {odd} (from 0): {plain(found[odd], 80)!r} is empty, or holds what cannot be printed"
        )
    return np.array(found, dtype=np.str_)


def _groups(values: Any) -> np.ndarray:
    """As texts; each row of which no group is known gets one of its own."""
    import numpy as np

    found = np.asarray(values, dtype=object).tolist()
    known = [value is not None and value == value for value in found]  # NaN and NaT are unlike themselves
    named = texts([v for v, is_known in zip(found, known, strict=True) if is_known], "groups").tolist()
    taken, names = set(named), iter(named)
    alone = (name for row in itertools.count() if (name := f"row {row}") not in taken)
    return np.array([next(names) if is_known else next(alone) for is_known in known], dtype=np.str_)


def _written(metric: str) -> str:
    """A metric as competition.toml has it; one that was registered is a custom one of that label."""
    own = registered.find("metric", metric)
    if own is None:
        return metric
    return written({"name": "custom", "label": metric, "greater_is_better": own.greater_is_better})


def _numbers(values: Any) -> np.ndarray | None:
    import numpy as np

    return None if values is None else np.asarray(values, dtype=np.float64)


def _table(columns: Any) -> dict[str, np.ndarray]:
    import numpy as np

    if columns is None:
        return {}
    items = columns.items()  # of a DataFrame as of a mapping
    table = {str(name): np.asarray(values) for name, values in items}
    for name, values in table.items():
        odd = values.dtype if values.dtype.kind not in "iufbUSO" else _odd_value(values)
        if odd is not None:
            raise UserError(
                f"columns['{plain(name, 80)}']: holds {plain(odd, 80)}; give numbers or texts, of a time say its days: (x - x.min()).dt.days"
            )
    return table


def _odd_value(values: np.ndarray) -> str | None:
    """The type of the first value that is neither a number nor a text, nor missing."""
    import numbers

    plain_kinds = (str, bytes, numbers.Real, type(None))
    some = values.tolist() if values.dtype == object else []
    return next((type(value).__name__ for value in some if not isinstance(value, plain_kinds)), None)


def _ids(ids: np.ndarray | None, n: int) -> list[str]:
    return [str(i) for i in range(n)] if ids is None else ids.tolist()
