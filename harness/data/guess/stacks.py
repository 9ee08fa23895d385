"""From arrays of all images (.npy, IDX, members of an .npz or of HDF5) to a layout: which are trained on, what says their labels."""

from __future__ import annotations

import contextlib
import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed, plain
from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.data.files.archives import FileTree
from harness.data.files.stacks import open_stack
from harness.data.guess.features import feature_columns, note_features
from harness.data.guess.groups import note_groups
from harness.data.guess.inventory import SAMPLE, Inventory, holds_images, rows_told
from harness.data.guess.layout import Layout
from harness.data.guess.looks import axis_of_channels
from harness.data.guess.splits import Split, split_column
from harness.data.guess.targets import Targets, find_targets
from harness.data.guess.words import has_word, of_labels, of_test, of_test_path, of_training, of_validation
from harness.data.rows.tables import Table, read_table, rows_where, stacked

Shapes = Mapping[str, tuple[int, ...]]

_LOOKED_AT = 500  # rows, for the range of their values


def of_stacks(layout: Layout, inventory: Inventory, stacks: Shapes, labels: str | None = None) -> Targets:
    """The layout of the training images' array, with the labels of an array or a table that has as many rows.

    labels : the array or table that is known to hold them

    Raises
    ------
    UserError
        If nothing has a row for each of the training images.
    """
    images, train, test = _train_and_test(inventory, stacks)
    n, n_test = stacks[train][0], stacks[test][0] if test else 0
    layout.set("format", "arrays", "all images lie in one array, each row's label at the same place in another file")
    layout.set("train", train)
    _set_images(layout, inventory.tree, train, stacks[train])
    layout.set("test", test or "test.npy", "" if test else "there is no test array")
    if test is None:
        layout.set("optional", ["test.npy"])
    if labels is None:
        name, table = _labels(inventory, stacks, images, n, train)
    else:
        name, table = labels, read_table(inventory.tree, labels, "data.labels")
    layout.set("labels", name)
    test_name = _test_table(inventory, n_test, name)
    test_table = inventory.tables[test_name] if test_name else None
    if split := split_column(table):
        table = _set_split(layout, table, train if test is None else None, split)
    own, is_array = _id_column(table, test_table, layout.sample), name not in inventory.tables
    targets = find_targets(table, None, own, layout.sample, test_table, table.header[1:] if is_array else ())
    layout.train_table, layout.id_column = (name, table), own
    if not is_array:
        _set_columns(layout, table, targets, own, (test_name, test_table) if test_name and test_table else None)
    others = [other for other in images if other not in (train, test)]
    known = Known(table, targets, None if is_array else own, _needed(layout, targets))
    merged = (
        {}
        if "where" in layout.values
        else arrays_to_merge(inventory, stacks, train, others, {train, test, name, test_name}, known)
    )
    if merged:
        layout.set("merge", list(merged), "their rows have labels too, and are trained on")
        layout.set("merge_labels", list(merged.values()))
    used = {train, test, name, *merged, *merged.values()}
    _note_others(layout, stacks, used, [other for other in others if other not in used])
    return targets


def _needed(layout: Layout, targets: Targets) -> list[str]:
    """Columns, or patterns of such, that a table of further training rows must have."""
    groups, features = layout.values.get("group_by", []), layout.values.get("features", [])
    columns = [groups] if isinstance(groups, str) else [*groups] if isinstance(groups, list) else []
    columns += [f for f in features if f not in IMAGE_COLUMNS] if isinstance(features, list) else []
    return [*targets.label, *columns]


@dataclass(frozen=True)
class Known:
    """What is known of the training rows.

    Attributes
    ----------
    table, targets : theirs
    own : the column of their ids, or None
    needed : columns, or patterns of such, that other tables must have
    """

    table: Table
    targets: Targets
    own: str | None
    needed: Sequence[str]

    def fits(self, other: Table) -> bool:
        """Whether rows are of the same kind: all columns are there, no id is theirs, and no label is new."""
        if self.own and (
            not other.has(self.own) or set(self.table.column(self.own, "")) & set(other.column(self.own, ""))
        ):
            return False
        if not all(fnmatch.filter(other.header, name) or other.has(name) for name in self.needed):
            return False
        if self.targets.task not in ("single", "binary", "ordinal") or len(self.targets.label) != 1:
            return True
        label = self.targets.label[0]
        return set(other.column(label, "")) <= set(self.table.column(label, ""))


def arrays_to_merge(
    inventory: Inventory, stacks: Shapes, train: str, images: Sequence[str], used: set[str | None], known: Known
) -> dict[str, str]:
    """Arrays of images for validation, each with the array or table of its labels: of as many rows, called so too.

    {} where the training images seem to hold them: 'X_trainval', or another array that has as many rows as both have fewer.
    """
    if of_validation(train) or has_word(train, *_BOTH):
        return {}
    found: dict[str, str] = {}
    for name in filter(of_validation, images):
        if (
            stacks[name][1:] != stacks[train][1:]
            or _is_part(stacks, name, train)
            or not _same_type(inventory, name, train)
        ):
            continue
        rows = stacks[name][0]
        arrays = [
            n
            for n, s in stacks.items()
            if s[0] == rows and n not in images and of_validation(n) and of_labels(PurePosixPath(n).name)
        ]
        tables = [
            n
            for n, t in inventory.tables.items()
            if len(t) == rows and of_validation(n) and not SAMPLE.search(PurePosixPath(n).name)
        ]
        for labels in sorted({*arrays, *tables} - used):
            with contextlib.suppress(UserError):  # what cannot be read is no array of labels
                other = inventory.tables.get(labels) or read_table(inventory.tree, labels, "data.merge_labels")
                if known.fits(other):
                    found[name] = labels
                    known = replace(known, table=stacked([known.table, other]) if known.own else known.table)
                    break
    return found


_BOTH = ("trainval", "trainvalid", "trainvalidation")


def _is_part(stacks: Shapes, name: str, train: str) -> bool:
    """Whether a third array has as many rows as the training array has more than this one: then it holds this one's rows."""
    rest = stacks[train][0] - stacks[name][0]
    return any(
        s[0] == rest and s[1:] == stacks[train][1:] and of_training(n)
        for n, s in stacks.items()
        if n not in (name, train)
    )


def _same_type(inventory: Inventory, name: str, other: str) -> bool:
    with open_stack(inventory.tree, name) as one, open_stack(inventory.tree, other) as another:
        return one.dtype == another.dtype


def _train_and_test(inventory: Inventory, stacks: Shapes) -> tuple[list[str], str, str | None]:
    """The arrays of images, that of the training and that of the test.

    Raises
    ------
    UserError
        If none holds images.
    """
    rows = rows_told(stacks, inventory.tables)
    images = [name for name, shape in stacks.items() if holds_images(shape, rows)]
    images = images or [name for name, shape in stacks.items() if len(shape) in (3, 4)]
    if not images:
        told = plain(", ".join(stacks), 300)
        raise UserError(
            f"{inventory.tree.path}: none of its arrays holds images: {told}. Name the folder that has them."
        )
    train = min(images, key=lambda name: _likeliness(name, stacks))
    images += [name for name, shape in stacks.items() if name not in images and shape[1:] == stacks[train][1:]]
    test = next((name for name in sorted(images) if name != train and of_test_path(_words(name))), None)
    return images, train, test


def _set_columns(
    layout: Layout, table: Table, targets: Targets, own: str | None, test: tuple[str, Table] | None
) -> None:
    """data.id, group_by, test_rows and features, by the columns of the training and the test table; own : the id's."""
    if own:
        layout.set("id", own)
    known = [own] if own else []
    group = note_groups(layout, table, targets, test[1] if test else None, [c for c in table.header if c not in known])
    if test and own and test[1].has(own):
        layout.set("test_rows", test[0])
        note_features(layout, feature_columns(table, test[1], [*known, *targets.label, *group]))


def _set_split(layout: Layout, table: Table, train: str | None, split: Split) -> Table:
    """The training rows of a table that says which they are.

    train : the array, where it holds the test's rows too
    """
    layout.set("where", {split.column: list(split.train)}, "the table holds other rows too")
    if split.test and train is not None:
        layout.why.pop("test", None)
        layout.set("test", train)
        layout.set("test_where", {split.column: list(split.test)})
        layout.values.pop("optional", None)
    return rows_where(table, {split.column: split.train}, "")


def _likeliness(name: str, stacks: Shapes) -> tuple[bool, bool, bool, bool, int, str]:
    """Sorts an array before those that are less likely the training images."""
    called = has_word(name, "x", "xtrain", "image", "images", "img", "imgs", "data")
    return not of_training(_words(name)), _is_aside(name), not called, len(stacks[name]) < 4, -stacks[name][0], name


def _words(name: str) -> str:
    """The name as words are looked for in it: MNIST calls its test 't10k'."""
    return name.replace("t10k", "test")


def _is_aside(name: str) -> bool:
    return of_test_path(_words(name)) or of_validation(name) or has_word(name, "extra")


def _set_images(layout: Layout, tree: FileTree, name: str, shape: tuple[int, ...]) -> None:
    """data.size, channels and range, by shape and values."""
    row = shape[1:]
    if len(row) == 1:
        channels = 3 if math.isqrt(row[0]) ** 2 != row[0] and row[0] % 3 == 0 else 1
        side = math.isqrt(row[0] // channels)
        square = side * side * channels == row[0]
        sides = [side, side] if square else [1, row[0] // channels]
        why = "rows are flat" if square else f"rows are flat, and {row[0]} values are no square: say how they lie"
    else:
        axis = axis_of_channels(row) if len(row) == 3 else None
        sides = [length for place, length in enumerate(row) if place != axis]
        channels, why = 1 if axis is None else row[axis], "as they are"
    layout.set("size", sides, why)
    layout.set("channels", channels)
    with open_stack(tree, name) as stack:
        if stack.dtype.kind not in "uifb":
            raise UserError(
                f"{stack.shown}: holds {stack.dtype} values, which are no pixels. Save the images as numbers, by numpy.save."
            )
        if stack.dtype == np.uint8:
            return
        some = next(stack.blocks())[:_LOOKED_AT].astype(np.float64)
    finite = some[np.isfinite(some)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    usual = next(([0, end] for end in (1, 255) if low >= 0 and 0.5 * end < high <= end), None)
    bounds = usual or [math.floor(low), math.ceil(high) if math.ceil(high) > math.floor(low) else math.floor(low) + 1]
    layout.set("range", bounds, f"what becomes black and white: the first rows hold {low:g} to {high:g}")


def _labels(inventory: Inventory, stacks: Shapes, images: list[str], n: int, train: str) -> tuple[str, Table]:
    """The array or table with a row for each training image, the likeliest by its name."""
    arrays = [name for name, shape in stacks.items() if shape[0] == n and name not in images and not _is_aside(name)]
    tables = [
        name
        for name, table in inventory.tables.items()
        if len(table) == n and not SAMPLE.search(PurePosixPath(name).name) and not of_test_path(name)
    ]
    ranked = sorted(arrays, key=lambda name: (not of_labels(PurePosixPath(name).name), not of_training(name), name))
    if tables and not (ranked and of_labels(PurePosixPath(ranked[0]).name)):
        best = min(
            tables, key=lambda name: (not of_training(PurePosixPath(name).name), "label" not in name.lower(), name)
        )
        return best, inventory.tables[best]
    if not ranked:
        _refuse_headless(inventory, n)
        held = {name: shape[0] for name, shape in stacks.items() if name != train} | {
            name: len(t) for name, t in inventory.tables.items()
        }
        told = plain(", ".join(f"{name} ({counted(rows, 'row')})" for name, rows in held.items()), 400) or "no others"
        raise UserError(
            f"{inventory.tree.show(train)}: {counted(n, 'image')}, and their labels were not found: no array and no table that is not the test's has as "
            f"many rows. There are {told}. Save the labels as an array (n,) or a table with a row for each image, in their order."
        )
    return ranked[0], read_table(inventory.tree, ranked[0], "data.labels")


def _refuse_headless(inventory: Inventory, n: int) -> None:
    """Refuse a table that has all rows but one, where its first line, which was taken for the header, looks like another row (UserError)."""
    for name, table in inventory.tables.items():
        numeric = [cell.replace(".", "").isdigit() for cell in table.header]
        if len(table) == n - 1 and any(numeric):
            raise UserError(
                f"{inventory.tree.show(name)}: has {counted(n - 1, 'row')} below its first line '{plain(','.join(table.header), 80)}', which looks like a "
                f"row too: there are {n:,} images. Write a header above it, such as 'label'."
            )


def _test_table(inventory: Inventory, n: int, labels: str) -> str | None:
    """The table with a row for each test image."""
    named = [
        name
        for name, table in inventory.tables.items()
        if n
        and len(table) == n
        and name != labels
        and not of_validation(name)
        and not SAMPLE.search(PurePosixPath(name).name)
    ]
    return min(named, key=lambda name: (not of_test(PurePosixPath(name).name), name), default=None)


def _id_column(table: Table, test: Table | None, sample: tuple[str, Table] | None) -> str | None:
    """The column that names each row: that of the sample submission or the test's table, else one called so."""
    unique = [name for name in table.header if len(set(table.column(name, ""))) == len(table)]
    theirs = [name for name in unique if (test and test.has(name)) or (sample and sample[1].has(name))]
    return next(iter(theirs), None) or next(
        (name for name in unique if has_word(name, "id", "image", "file", "filename", "name")), None
    )


def _note_others(layout: Layout, stacks: Shapes, used: set[str | None], images: list[str]) -> None:
    """Say of arrays that are not read; images : those of them that hold images."""
    aside = [f"{name} {shape}" for name, shape in stacks.items() if name not in used]
    if aside:
        cure = "; to train on more images and labels, put them behind the others in one array each" if images else ""
        layout.unknown.append(f"what other arrays are for, which are not read: {listed(aside, 6)}{cure}")
