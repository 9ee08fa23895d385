"""Tables that hold the images themselves: a column for each pixel, lists of numbers in cells, or encoded images."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import PurePosixPath

from harness.base.errors import UserError
from harness.base.untrusted_text import listed, plain
from harness.data.files.embedded import encoded_images
from harness.data.guess.features import feature_columns, note_features
from harness.data.guess.framing import choose_resize
from harness.data.guess.groups import note_groups
from harness.data.guess.inventory import Inventory
from harness.data.guess.layout import Layout, labelled_rows
from harness.data.guess.looks import look_at_contents
from harness.data.guess.sizes import largest_side, sides
from harness.data.guess.splits import split_column
from harness.data.guess.targets import Targets, find_targets
from harness.data.guess.words import has_word, of_test_path, of_training, of_validation
from harness.data.rows.tables import Table, rows_where

_ID = re.compile(r"(image|img)?_?id|filename|index", re.I)


def pixel_tables(inventory: Inventory) -> tuple[str, str | None, list[str]] | None:
    """Training table, test table and the columns that hold whole images ([] where every pixel has a column); None where there is none."""
    cells = {n: columns for n, t in inventory.tables.items() if (columns := _pictures(inventory, t) or _image_cells(t))}
    for found in (inventory.pixels, cells):
        train = sorted(found, key=lambda n: (of_test_path(n), not of_training(PurePosixPath(n).name), n))
        if train and not of_test_path(train[0]):
            test = next(filter(of_test_path, train[1:]), None)
            return train[0], test, [] if found is inventory.pixels else cells[train[0]]
    return None


def _pictures(inventory: Inventory, table: Table) -> list[str]:
    """The column of encoded images, rather one that is called so; [] where as many images lie there as files."""
    files = len(inventory.images[0].files) if inventory.images else 0
    if 4 * files > len(table):
        return []
    return sorted(table.pictures, key=lambda name: not has_word(name, "image", "images", "img", "picture", "photo"))[:1]


def _image_cells(table: Table) -> list[str]:
    """Columns whose cells are lists of a hundred numbers or more."""
    found = []
    for name, cells in zip(table.header, table.columns, strict=True):
        some = cells[:5]
        if all(len(c) > 150 and re.fullmatch(r"[\[\]\d\s.,eE+-]+", c) for c in some) and some:
            found.append(name)
    return found


def of_pixel_tables(layout: Layout, inventory: Inventory, train: str, test: str | None, columns: list[str]) -> Targets:
    """The layout of a table of images.

    columns : that hold whole images; [] where every pixel has a column
    """
    table = inventory.tables[train]
    test_table = inventory.tables[test] if test else None
    split = split_column(table) if columns and test is None else None
    if split:
        layout.set("where", {split.column: list(split.train)}, "the table holds other rows too")
        table = rows_where(table, {split.column: split.train}, "")
    others = _others(table, test_table, columns)
    if not others:
        raise UserError(
            f"{table.shown}: has images and no column of labels. Name the folder or zip that holds them too."
        )
    id_column = _id_column(table, test_table, others)
    targets_table = Table(others, [table.column(c, "") for c in others], table.shown)
    targets = find_targets(targets_table, None, id_column, layout.sample, test_table)
    table = labelled_rows(layout, table, targets) if columns else table
    layout.train_table = (train, table)
    if columns and columns[0] in table.pictures:
        _set_encoded(layout, inventory, train, columns)
        _merge_tables(layout, inventory, train, {train, test}, columns, targets.label, id_column)
    elif columns:
        _set_cells(layout, table, columns)
    else:
        _set_wide(layout, len(table.header) - sum(map(table.has, others)))
    layout.set("train", train)
    if split and split.test:
        layout.set("test", train)
        layout.set("test_where", {split.column: list(split.test)})
    else:
        layout.set("test", test or "test.csv", "" if test else "there is no test table")
    if layout.values["test"] == "test.csv" and test is None:
        layout.set("optional", ["test.csv"])
    if id_column:
        layout.set("id", id_column)
    if columns:
        group = note_groups(layout, table, targets, test_table, [c for c in others if c != id_column])
        if test_table is not None:
            paths = [f"{name}.path" for name in table.pictures]
            taken = [*columns, *paths, *table.classes, *targets.label, *group, *([id_column] if id_column else [])]
            note_features(layout, feature_columns(table, test_table, taken))
            _note_classes(layout, [name for name in table.classes if name not in targets.label])
    return targets


def _others(table: Table, test: Table | None, columns: list[str]) -> list[str]:
    """The columns that are no pixels; of encoded images without their paths."""
    if not columns:
        return _no_pixels(table, test)
    paths = {f"{name}.path" for name in table.pictures}
    return [name for name in table.header if name not in columns and name not in paths]


def _id_column(table: Table, test: Table | None, others: list[str]) -> str | None:
    """The column that names each row, of the training table or, where its rows have none, of the test's alone."""
    own = (c for c in others if _ID.fullmatch(c) and len(set(table.column(c, ""))) == len(table))
    found = next(own, None)
    if found is None and test is not None:
        return next((c for c in test.header if c not in table.header and _ID.fullmatch(c)), None)
    return found


def _set_cells(layout: Layout, table: Table, columns: list[str]) -> None:
    """Of cells that hold lists of numbers: data.pixels, size, channels, range."""
    n, values = len(re.findall(r"[^\s,\[\]]+", table.column(columns[0], "")[0])), _values_of(table, columns)
    layout.set("format", "table_pixels", "whole images stand in cells")
    layout.set("pixels", columns)
    if values and (values[0] < 0 or values[1] > 255 or any(not float(v).is_integer() for v in values)):
        low, high = math.floor(values[0] * 1.05 if values[0] < 0 else values[0]), math.ceil(values[1])
        layout.set("range", [low, high], "what becomes black and white: about what the first rows hold")
    _set_square(layout, n, len(columns))


def _set_wide(layout: Layout, n: int) -> None:
    """Of a column for each of n values: data.size and channels."""
    layout.set("format", "csv_pixels", "a column for each pixel")
    colours = math.isqrt(n) ** 2 != n and n % 3 == 0 and math.isqrt(n // 3) ** 2 == n // 3
    _set_square(layout, n // 3 if colours else n, 3 if colours else 1)


def _set_square(layout: Layout, n: int, channels: int) -> None:
    side = math.isqrt(n)
    odd = "" if side * side == n else f"{n} pixels are no square: say how they lie"
    layout.set("size", [1, n] if odd else [side, side], odd)
    layout.set("channels", channels)


def _set_encoded(layout: Layout, inventory: Inventory, train: str, columns: list[str]) -> None:
    """Of cells that hold encoded images: data.size, channels, resize, by what some of them look like."""
    tree = inventory.tree
    layout.set("format", "table_pixels", "cells hold encoded images")
    layout.set("pixels", columns)
    part = tree.matching(train)[0]
    looks = look_at_contents(itertools.islice(encoded_images(tree, part, columns[0]), 2_000), tree.show(part))
    if not len(looks.heights):
        raise UserError(f"{tree.show(part)}: no image in '{plain(columns[0], 80)}' could be opened ({looks.odd}).")
    layout.set("size", *sides(looks, largest_side(len(inventory.tables[train]))))
    if (chosen := choose_resize(looks.heights, looks.widths, looks.borders)) and chosen[0] != "scale":
        layout.set("resize", *chosen)
    layout.set("channels", 1 if looks.grey else 3, "all that were looked at are grey" if looks.grey else "")


def _merge_tables(
    layout: Layout,
    inventory: Inventory,
    train: str,
    used: set[str | None],
    columns: list[str],
    label: list[str],
    id_column: str | None,
) -> None:
    """data.merge: tables for validation, and more of the training's, of the same place, with other ids; of all others it is said that they
    are not read."""
    others = {n: t for n, t in inventory.tables.items() if n not in used and set(columns) <= set(t.pictures)}
    own = id_column if id_column and inventory.tables[train].has(id_column) else None
    needed, known = [*label, *([own] if own else [])], set(inventory.tables[train].column(own, "") if own else [])
    merged: list[str] = []
    for name, table in others.items():
        is_more = of_validation(name) or of_training(PurePosixPath(name).name)
        if not (is_more and _place(name) == _place(train) and all(map(table.has, needed))):
            continue
        ids = table.column(own, "") if own else []
        if known.isdisjoint(ids):
            merged.append(name)
            known.update(ids)
    if merged:
        layout.set("merge", merged, "their rows have labels too, and are trained on")
    if aside := [n for n in others if n not in merged]:
        layout.unknown.append(f"what these tables of images are for, which are not read: {listed(aside, 5)}")
    if inventory.aside:
        layout.unknown.append(
            f"which size is best: the same images in others are not read: {listed(inventory.aside, 4)}"
        )


def _place(name: str) -> str:
    """The folder of a table, above one that is called as a part of the data is: of both 'small/train/a' and 'small/val/a' 'small'."""
    folders = PurePosixPath(name).parent.parts
    return "/".join(f for f in folders if not (of_training(f) or of_validation(f)))


def _note_classes(layout: Layout, names: list[str]) -> None:
    """Say of other columns of classes, which may be labels too and are no features."""
    if names:
        layout.unknown.append(f"whether {listed(names, 5)}, classes too, are known of the test; then: data.features")


def _no_pixels(table: Table, test: Table | None) -> list[str]:
    """Columns of a wide table that are no pixels: by name, and what the test table lacks."""
    named = [c for c in table.header if not re.fullmatch(r"(pixel|p|px|x)?[_ ]?\d+(x\d+)?", c, re.I)]
    lacking = [c for c in table.header if test is not None and c not in test.header]
    return (
        list(dict.fromkeys([*(named if len(named) < 8 else []), *(lacking if len(lacking) < 8 else [])]))
        or table.header[:1]
    )


def _values_of(table: Table, columns: list[str]) -> tuple[float, float] | None:
    numbers: list[float] = []
    for column in columns:
        for cell in table.column(column, "")[:200]:
            numbers += [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", cell)]
    finite = [number for number in numbers if math.isfinite(number)]
    return (min(finite), max(finite)) if finite else None
