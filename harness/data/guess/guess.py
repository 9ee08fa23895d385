"""From an inventory to a layout and targets: every format that the harness reads without Python."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed, plain
from harness.data.columns.patterns import IMAGE_COLUMNS
from harness.data.files.embedded import encoded_images
from harness.data.files.names import nfc
from harness.data.guess.arrays import arrays_as_files, of_arrays
from harness.data.guess.features import columns_beside, feature_columns, note_features
from harness.data.guess.framing import choose_resize, sizes_tell
from harness.data.guess.groups import choose_groups, group_pattern
from harness.data.guess.inventory import SAMPLE, Images, Inventory
from harness.data.guess.layout import (
    Layout,
    Matched,
    above_classes,
    asked_by_column,
    find_sample,
    holds_some,
    id_column_of,
    label_pattern,
    names_often,
    shared_rows,
    test_of_sample,
    train_and_test,
)
from harness.data.guess.looks import Looks, look_at, look_at_contents
from harness.data.guess.others import (
    note_folders,
    note_images,
    note_inner_folders,
    note_tables,
    others_said,
    refuse_sequences,
)
from harness.data.guess.splits import Split, split_column
from harness.data.guess.stacks import of_stacks
from harness.data.guess.targets import Targets, find_targets, hold_flags, sample_columns
from harness.data.guess.words import of_test, of_test_path, of_training
from harness.data.rows.tables import Table, bare_id, joined, rows_where

_LARGEST_SIDES, _DECODED_BYTES = (256, 192, 128), 2**30
"""Images are decoded to the first of these sides at which all of them take no more than that: pretrained networks see more in larger ones."""
_BESIDE, _PICTURES = (
    re.compile(r"mask|annot|segm|label|ground|thumb", re.I),
    re.compile(r"image|img|photo|pict|jpe?g|png", re.I),
)
"""What folders of other things than the images are called, and folders of images, where both hold the same names."""
_FAR_MORE = 0.2  # more of a table's rows, in a folder further up
_ID = re.compile(r"(image|img)?_?id|filename|index", re.I)


def guess(inventory: Inventory) -> tuple[Layout, Targets]:
    """Layout and targets of what lies there.

    Raises
    ------
    UserError
        If neither images nor pixels in tables nor arrays with labels are found.
    """
    layout = Layout(sample=find_sample(inventory))
    pixels = _pixel_tables(inventory)
    if pixels:
        return layout, _of_pixel_tables(layout, inventory, *pixels)
    if inventory.images:
        targets = _of_images(layout, inventory)
        note_images(layout, inventory)
        return layout, targets
    if inventory.stacks:
        return layout, of_stacks(layout, inventory, inventory.stacks | arrays_as_files(inventory))
    if inventory.arrays:
        return layout, of_arrays(layout, inventory)
    unread = "".join(f" Not read: {why}" for why in list(inventory.unread.values())[:1])
    raise UserError(
        f"{inventory.tree.path}: there are tables, but no images and no pixels in them.{unread} Name the folder that holds the images too."
    )


# Images in files.


def _of_images(layout: Layout, inventory: Inventory) -> Targets:
    train, test, merged = train_and_test(inventory)
    if train is None:
        raise UserError(
            f"{inventory.tree.path}: there are test images only (in '{test.folder if test else '.'}'); the training images are missing. Complete it."
        )
    asked: list[str] = []
    if layout.sample:
        asked = layout.sample[1].column(sample_columns(layout.sample[1])[0], "")
        test = test_of_sample(inventory, train, test, asked)
    tables = {n: t for n, t in inventory.tables.items() if not SAMPLE.search(PurePosixPath(n).name)}
    found = _table_and_folder(tables, train, inventory, layout.sample)
    if found is None:
        refuse_sequences(inventory, tables, train, asked)
        return _by_folders(layout, inventory, train, test, merged)
    train, name, table, matched = found
    split = split_column(table)
    told = rows_where(table, {split.column: split.test}, "") if split and split.test else None
    if split:
        table = _rows_of_split(layout, table, split, matched.column, train)
    _size(layout, inventory, train, test, len(matched.files))
    layout.set("format", "image_csv", "the labels stand in a table")
    layout.set("train", train.folder)
    test_table = _test_table(tables, name, matched.column) or ((name, told) if told is not None else None)
    wanted = asked or (test_table[1].column(matched.column, "") if test_table else [])
    if test is None and wanted and (matched.files or holds_some(train, wanted)):
        test = train
    _set_test(layout, test)
    layout.set("labels", name, f"{matched.share:.0%} of its rows have an image" if matched.share < 1 else "")
    by_row = None if matched.files else asked_by_column(table, test_table, train, test, layout.sample)
    shared = shared_rows(test_table, layout.sample, matched.column)
    if test_table:
        fills = not asked or _fills(matched.files, test_table[1], matched.column)
        _set_test_rows(layout, test_table[0], bool(shared), by_row is not None, fills)
        matched = by_row if by_row and not shared else matched
    if told is not None and layout.values.get("test_rows") == name and split:
        layout.set("test_where", {split.column: list(split.test)})
    layout.id_column = matched.column
    layout.set("id", matched.column)
    if matched.files:
        layout.set("files", list(matched.files) if len(matched.files) > 1 else matched.files[0])
    targets = find_targets(
        table, None, matched.column, layout.sample, test_table[1] if test_table and told is None else None
    )
    table = _labelled_rows(layout, table, targets)
    layout.train_table = (name, table)
    _set_asked(layout, targets, matched, shared, asked)
    others = {n: t for n, t in tables.items() if n != name and not (test_table and n == test_table[0])}
    _groups(layout, table, targets, test_table, others)
    if test_table and told is None:
        columns_beside(layout, targets, table, test_table, asked)
    note_tables(layout, others, targets, table, test_table)
    return targets


def _set_test(layout: Layout, test: Images | None) -> None:
    """data.test: the folder, or one that may come."""
    why = "" if test else "there are no test images: hidden, or not unpacked"
    layout.set("test", test.folder if test else "test", why)
    if test is None:
        layout.set("optional", ["test"])


def _set_test_rows(layout: Layout, name: str, shared: bool, by_row: bool, fills: bool) -> None:
    """data.test_rows, where the table of the test rows is needed beside the sample submission.

    shared : several images are of one row of it; by_row : the table says which file an id of it is; fills : nothing else names the rows,
    or the files' names are made of its columns
    """
    if shared:
        layout.set("test_rows", name, "it says which images are of one row of the sample submission")
    elif by_row:
        layout.set("test_rows", name, "it says which file an id of the sample submission is")
    elif fills:
        layout.set("test_rows", name)


def _set_asked(layout: Layout, targets: Targets, matched: Matched, shared: str | None, asked: list[str]) -> None:
    """What the rows of the sample submission are, by `asked`, their ids."""
    if shared:
        targets.submission["rows"] = shared
        targets.why["rows"] = "several images are of one row: their outputs are averaged"
    else:
        _joined_sample_id(layout, matched)
    if layout.sample and not asked:
        layout.unknown.append(
            f"what '{layout.sample[0]}' wants in its columns: it has no rows; every test image is answered"
        )


def _table_and_folder(
    tables: dict[str, Table], train: Images, inventory: Inventory, sample: tuple[str, Table] | None
) -> tuple[Images, str, Table, Matched] | None:
    """The training table, and the folder of its images: that of the training images, or the nearest above which holds far more of them
    ('train_1', 'train_2', ... are parts of one)."""
    best = _training_table(tables, train, sample)
    folder = train
    above = {parent.as_posix() for parent in PurePosixPath(train.folder).parents}
    for images in sorted((i for i in inventory.images if i.folder in above), key=lambda i: -len(i.folder)):
        wider = _training_table(tables, images, sample)
        if wider is not None and wider[2].share > (best[2].share + _FAR_MORE if best else _FAR_MORE):
            best, folder = wider, images
    if best is None:
        return None
    stems = Counter(PurePosixPath(p).stem for p in folder.below)
    if max(stems.values()) > 1 and not best[2].files:
        inner = [
            i for i in inventory.images if i.folder.startswith("" if folder.folder == "." else f"{folder.folder}/")
        ]
        inner.sort(key=lambda i: (bool(_BESIDE.search(i.folder)), not _PICTURES.search(i.folder)))
        for images in inner:
            narrower = _training_table(tables, images, sample)
            if narrower is not None and narrower[2].share >= best[2].share and not _twice(images):
                return (images, *narrower)
    return (folder, *best)


def _twice(images: Images) -> bool:
    """Whether two images have one name."""
    return len({PurePosixPath(p).stem for p in images.below}) < len(images.files)


def _rows_of_split(layout: Layout, table: Table, split: Split, id_column: str, train: Images) -> Table:
    """The rows that are not the test's, those for validation among them where their images lie in the same folder; notes data.where."""
    for values in (split.train, tuple(v for v in split.train if of_training(v) or v.lower().startswith("dev"))):
        kept = rows_where(table, {split.column: values}, "")
        matched = id_column_of(kept, train)
        if matched is not None and matched.share == 1:
            break
    layout.set("where", {split.column: list(values)}, "the table holds other rows too")
    return kept


def _labelled_rows(layout: Layout, table: Table, targets: Targets) -> Table:
    """The rows that have a target; where others have none, data.where leaves them out (of several labels in a cell it may mean: none)."""
    cells = [table.column(name, "") for name in targets.label]
    labelled = [row for row, told in enumerate(zip(*cells, strict=True)) if any(cell.strip() for cell in told)]
    if len(labelled) == len(table) or targets.separator or hold_flags(cells):
        return table
    where = layout.values.get("where", {})
    assert isinstance(where, dict)
    without = counted(len(table) - len(labelled), "row")
    layout.set("where", {**where, targets.label[0]: "?*"}, f"{without} without a label: left out of training")
    return table.rows(labelled)


def _groups(
    layout: Layout, table: Table, targets: Targets, test_table: tuple[str, Table] | None, others: dict[str, Table]
) -> None:
    """data.group_by of the table's columns, or of another's that is joined; else data.group of the ids."""
    id_column, test = layout.id_column or "", test_table[1] if test_table else None
    one_class = len(targets.label) == 1 and targets.task != "regression"
    classes = table.column(targets.label[0], "") if one_class else None
    passed_over: list[str] = []
    for join, there in _with_others(table, id_column, others):
        columns = [
            n for n in there.header if n not in (id_column, *targets.label) and (join is None or not table.has(n))
        ]
        groups = choose_groups(there, columns, classes, test)
        passed_over += groups.passed_over
        if groups.column is None:
            continue
        if join:
            layout.set("join", join, "it has more columns of the training rows")
        why = "rows of one share a fold: take it out if they are independent"
        layout.set("group_by", groups.column, why + groups.others_said)
        return
    if pattern := group_pattern(table.column(id_column, "")):
        layout.set("group", pattern, _GROUP_WHY)
    elif passed_over:
        layout.unknown.append(
            f"whether rows belong together that have one value of {listed(passed_over, 5)}, which have few values: if so, name the column in group_by "
            "under [data]"
        )


_GROUP_WHY = "what it finds alike shares a fold: take it out if the images are independent"


def _with_others(
    table: Table, id_column: str, others: dict[str, Table]
) -> Iterator[tuple[dict[str, str] | None, Table]]:
    """The table, and data.join with what comes of it for each other one that has all of its ids."""
    yield None, table
    ids = {bare_id(i) for i in table.column(id_column, "")}
    for name, other in others.items():
        known = next((c for c in other.header if _names_all(other, c, ids)), None)
        if known:
            yield {"file": name, "id": known}, joined(table, other, id_column, known)


def _names_all(table: Table, column: str, ids: set[str]) -> bool:
    """Whether a column has each of these ids, in one row."""
    cells = [bare_id(i) for i in table.column(column, "")]
    return len(set(cells)) == len(cells) and ids.issubset(cells)


def _fills(files: tuple[str, ...], test: Table, id_column: str) -> bool:
    """Whether templates need columns beside the id, and the test's table has them."""
    named = {name for template in files for name in re.findall(r"\{([^{}]+)\}", template)} - {"id", id_column}
    return bool(named) and all(map(test.has, named))


def _training_table(
    tables: dict[str, Table], train: Images, sample: tuple[str, Table] | None
) -> tuple[str, Table, Matched] | None:
    """The table that names most of the training images and has something to learn beside; of equal ones one that has what
    the sample submission asks for, then a 'train', before others."""
    found = []
    for name, table in tables.items():
        if of_test(PurePosixPath(name).name) or len(table.header) < 2:
            continue
        matched = id_column_of(table, train)
        if matched is None:
            continue
        named = of_training(PurePosixPath(name).name) or "label" in PurePosixPath(name).name.lower()
        covered = matched.share * len(table)
        rank = (covered > 0.3 * len(train.files), _answers(table, sample), named, covered)
        found.append((rank, name, table, matched))
    if not found:
        return None
    _, name, table, matched = max(found, key=lambda f: f[0])
    return name, table, matched


def _answers(table: Table, sample: tuple[str, Table] | None) -> bool:
    """Whether the sample submission's columns, or the classes that they are, stand in a table."""
    asked = sample_columns(sample[1])[1] if sample else []
    if not asked or all(map(table.has, asked)):
        return bool(asked)
    return len(asked) > 1 and any({nfc(c) for c in cells} == set(map(nfc, asked)) for cells in table.columns)


def _test_table(tables: dict[str, Table], train_name: str, id_column: str) -> tuple[str, Table] | None:
    named = [n for n in tables if n != train_name and of_test_path(n) and tables[n].has(id_column)]
    return (named[0], tables[named[0]]) if named else None


def _joined_sample_id(layout: Layout, matched: Matched) -> None:
    if layout.sample and not layout.sample[1].has(matched.column):
        layout.unknown.append(
            f"the sample submission calls its id otherwise than '{matched.column}' of the training table: its ids are looked for among the test images"
        )


def _by_folders(
    layout: Layout, inventory: Inventory, train: Images, test: Images | None, merged: list[Images]
) -> Targets:
    """Labels in folders' or files' names."""
    if label_pattern(train.below) is None:
        train = above_classes(inventory, train) or train
    tops = {PurePosixPath(p).parts[0] for p in train.below if "/" in p}
    loose = sum("/" not in p for p in train.below)
    while len(tops) == 1 and not loose:  # everything lies in one folder more
        inner = next(i for i in inventory.images if i.folder == (tops_path(train, tops)))
        train, tops = inner, {PurePosixPath(p).parts[0] for p in inner.below if "/" in p}
        loose = sum("/" not in p for p in train.below)
    _size(layout, inventory, train, test, 0)
    layout.set("format", "image_folder")
    layout.set("train", train.folder)
    labels: list[str] | None = None
    if len(tops) >= 2 and loose <= 0.02 * len(train.below):
        layout.why["format"] = f"each class has a folder ({len(tops):,} of them)"
        labels = [PurePosixPath(p).parts[0] for p in train.below if "/" in p]
        alike = [i for i in merged if {PurePosixPath(p).parts[0] for p in i.below} == tops]
        if alike:
            layout.set("merge", [i.folder for i in alike], "its images are training images too")
        labels = note_folders(layout, inventory, train, labels)
    else:
        told = label_pattern(train.below)
        if told is None:
            raise UserError(
                f"{inventory.tree.path}: {counted(len(train.files), 'image')} in '{train.folder}', but neither a table names them, nor do folders or "
                f"file names tell labels (e.g. '{plain_name(train)}'). {_tables_said(inventory, train)}"
            )
        pattern, labels = told[0], told[1]
        layout.set("label_pattern", pattern, f"the label stands in the file's name, e.g. '{plain_name(train)}'")
    if test is None and layout.sample and "label_pattern" in layout.values:
        test = train
    layout.set(
        "test", test.folder if test else "test", "" if test else "there are no test images: hidden, or not unpacked"
    )
    if test is None:
        layout.set("optional", ["test"])
    layout.labels_of = labels
    labelled = train.below if len(labels) == len(train.below) else [p for p in train.below if "/" in p]
    if named := group_pattern(labelled, labels if len(labels) == len(labelled) else None):
        layout.set("group", named, _GROUP_WHY)
    else:
        note_inner_folders(layout, train)
    return find_targets(None, labels, None, layout.sample, None)


def tops_path(train: Images, tops: set[str]) -> str:
    """The one folder below."""
    top = next(iter(tops))
    return top if train.folder == "." else f"{train.folder}/{top}"


def plain_name(images: Images) -> str:
    """An example of a name."""
    return images.below[0]


def _tables_said(inventory: Inventory, train: Images) -> str:
    often = ((name, names_often(table, train)) for name, table in inventory.tables.items())
    if found := next(((name, column) for name, column in often if column), None):
        return (
            f"'{found[0]}' names them by '{found[1]}', several rows an image (boxes?), and a row is an image here: write a table with one row for each, "
            "several labels in a cell with blanks between, say (docs/layouts.md)."
        )
    if inventory.unread:
        return "Not read: " + " ".join(list(inventory.unread.values())[:3])
    aside = (
        f" Not looked at: {others_said(inventory.others)}; save what holds the labels as CSV."
        if inventory.others
        else ""
    )
    shown = ", ".join(_table_said(name, table) for name, table in list(inventory.tables.items())[:4])
    return f"Tables there: {shown or 'none'}.{aside} Write data.labels, data.id, data.files, or data.label_pattern for names, into a competition.toml yourself (see docs/layouts.md)."


def _table_said(name: str, table: Table) -> str:
    taken = ", taken for the sample submission by its name" if SAMPLE.search(PurePosixPath(name).name) else ""
    return f"{name} ({', '.join(table.header[:6])}{taken})"


def _size(layout: Layout, inventory: Inventory, train: Images, test: Images | None, n_files: int) -> None:
    """data.size, channels and range, and whether sizes are columns, by what some images look like."""
    looks = look_at(inventory.tree, train.files)
    if not len(looks.heights):
        layout.set("size", [64, 64], f"no image could be opened ({looks.odd})" if looks.odd else "")
        layout.set("channels", 3)
        return
    layout.set("size", *_sides(looks, _largest_side(len(train.files))))
    chosen = choose_resize(looks.heights, looks.widths, looks.borders)
    if chosen:
        layout.set("resize", *chosen)
    if test is not None and n_files < 2:
        there = look_at(inventory.tree, test.files)
        why = sizes_tell(looks.heights, looks.widths, looks.borders, (there.heights, there.widths))
        if why:
            layout.set("features", list(IMAGE_COLUMNS), why)
    of_a_file = looks.channels or (1 if looks.grey else 3)
    channels = max(n_files, 1) * of_a_file
    grey = "all that were looked at are grey" if channels == 1 else ""
    of_arrays = "as the arrays have" if looks.channels else grey
    of_files = f"{'one' if of_a_file == 1 else of_a_file} for each file of a row"
    layout.set("channels", channels, of_files if n_files > 1 else of_arrays)
    if looks.bounds and looks.bounds[0] < looks.bounds[1]:
        bounds = [math.floor(looks.bounds[0]), math.ceil(looks.bounds[1])]
        layout.set("range", bounds, "what becomes black and white: about what some arrays hold")
    if looks.deep is not None and looks.deep < 32_768:
        upto = next(2**bits - 1 for bits in range(8, 17) if 2**bits > looks.deep)
        layout.set("range", [0, upto], "16 bits a pixel, of which fewer are used")
    if looks.odd:
        layout.unknown.append(f"an image could not be opened: {looks.odd}")


def _largest_side(n: int) -> int:
    fitting = (side for side in _LARGEST_SIDES if n * side * side * 3 <= _DECODED_BYTES)
    return next(fitting, _LARGEST_SIDES[-1])


def _sides(looks: Looks, largest: int) -> tuple[list[int], str]:
    heights, widths = looks.heights, looks.widths
    # of unlike sizes what three quarters of them fit into: larger ones lose little, small ones nothing
    height, width = float(np.quantile(heights, 0.75)), float(np.quantile(widths, 0.75))
    same = len(set(heights)) == 1 and len(set(widths)) == 1
    had = (
        f"{int(height)} x {int(width)}"
        if same
        else f"{heights.min()} to {heights.max()} x {widths.min()} to {widths.max()}"
    )
    shrink = min(largest / max(height, width), 1.0)
    if same and shrink == 1:
        return [int(height), int(width)], "as they are"
    aspect = width / height
    if 0.75 < aspect < 1.34:
        side = max(round(min(max(height, width), largest)), 8)
        return [side, side], f"they are {had}; decoded once to this size, recipes may take less"
    sides = [max(round(height * shrink / 8) * 8, 8), max(round(width * shrink / 8) * 8, 8)]
    return sides, f"they are {had}; decoded once to this size, recipes may take less"


# Pixels in tables.


def _pixel_tables(inventory: Inventory) -> tuple[str, str | None, list[str]] | None:
    """Training table, test table and the columns that hold whole images ([] where every pixel has a column); None where there is none."""
    cells = {n: columns for n, t in inventory.tables.items() if (columns := _image_cells(t) or list(t.pictures[:1]))}
    for found in (inventory.pixels, cells):
        train = sorted(found, key=lambda n: (of_test_path(n), not of_training(PurePosixPath(n).name), n))
        if train and not of_test_path(train[0]):
            test = next(filter(of_test_path, train[1:]), None)
            return train[0], test, [] if found is inventory.pixels else cells[train[0]]
    return None


def _image_cells(table: Table) -> list[str]:
    """Columns whose cells are lists of a hundred numbers or more."""
    found = []
    for name, cells in zip(table.header, table.columns, strict=True):
        some = cells[:5]
        if all(len(c) > 150 and re.fullmatch(r"[\[\]\d\s.,eE+-]+", c) for c in some) and some:
            found.append(name)
    return found


def _of_pixel_tables(layout: Layout, inventory: Inventory, train: str, test: str | None, columns: list[str]) -> Targets:
    table = inventory.tables[train]
    test_table = inventory.tables[test] if test else None
    split = split_column(table) if columns and test is None else None
    if split:
        layout.set("where", {split.column: list(split.train)}, "the table holds other rows too")
        table = rows_where(table, {split.column: split.train}, "")
    others = [c for c in table.header if c not in columns] if columns else _no_pixels(table, test_table)
    encoded = bool(columns) and columns[0] in table.pictures
    if encoded and table.has(f"{columns[0]}.path"):
        others.remove(f"{columns[0]}.path")
    id_column = next(
        (c for c in others if _ID.fullmatch(c) and len(set(table.column(c, ""))) == len(table)),
        None,
    )
    if id_column is None and test_table is not None:  # the test's rows alone have names
        id_column = next((c for c in test_table.header if c not in table.header and _ID.fullmatch(c)), None)
    targets_table = Table(others, [table.column(c, "") for c in others], table.shown)
    targets = find_targets(targets_table, None, id_column, layout.sample, test_table)
    table = _labelled_rows(layout, table, targets) if columns else table
    layout.train_table = (train, table)
    if encoded:
        _set_encoded(layout, inventory, train, columns)
        _merge_tables(layout, inventory, {train, test}, columns, targets)
    elif columns:
        first = table.column(columns[0], "")[0]
        n, values = len(re.findall(r"[^\s,\[\]]+", first)), _values_of(table, columns)
        layout.set("format", "table_pixels", "whole images stand in cells")
        layout.set("pixels", columns)
        channels = len(columns)
        if values and (values[0] < 0 or values[1] > 255 or any(not float(v).is_integer() for v in values)):
            low, high = math.floor(values[0] * 1.05 if values[0] < 0 else values[0]), math.ceil(values[1])
            layout.set("range", [low, high], "what becomes black and white: about what the first rows hold")
    else:
        n = len(table.header) - len([c for c in others if c in table.header])
        layout.set("format", "csv_pixels", "a column for each pixel")
        channels = 3 if math.isqrt(n) ** 2 != n and n % 3 == 0 and math.isqrt(n // 3) ** 2 == n // 3 else 1
        n //= channels
    if not encoded:
        side = math.isqrt(n)
        odd = "" if side * side == n else f"{n} pixels are no square: say how they lie"
        layout.set("size", [1, n] if odd else [side, side], odd)
        layout.set("channels", channels)
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
    if columns and test_table is not None:
        taken = [*columns, *targets.label, *([id_column] if id_column else [])]
        note_features(layout, feature_columns(table, test_table, taken))
    return targets


def _set_encoded(layout: Layout, inventory: Inventory, train: str, columns: list[str]) -> None:
    """Of cells that hold encoded images: data.size, channels, resize, by what some of them look like."""
    tree = inventory.tree
    layout.set("format", "table_pixels", "cells hold encoded images")
    layout.set("pixels", columns)
    part = tree.matching(train)[0]
    looks = look_at_contents(itertools.islice(encoded_images(tree, part, columns[0]), 2_000), tree.show(part))
    if not len(looks.heights):
        raise UserError(f"{tree.show(part)}: no image in '{plain(columns[0], 80)}' could be opened ({looks.odd}).")
    layout.set("size", *_sides(looks, _largest_side(len(inventory.tables[train]))))
    if (chosen := choose_resize(looks.heights, looks.widths, looks.borders)) and chosen[0] != "scale":
        layout.set("resize", *chosen)
    layout.set("channels", 1 if looks.grey else 3, "all that were looked at are grey" if looks.grey else "")


def _merge_tables(
    layout: Layout, inventory: Inventory, used: set[str | None], columns: list[str], targets: Targets
) -> None:
    """data.merge: other tables with images and labels, those for validation; of any without labels it is said that they are not read."""
    others = {n: t for n, t in inventory.tables.items() if n not in used and set(columns) <= set(t.pictures)}
    labelled = [n for n, t in others.items() if all(map(t.has, targets.label)) and not of_test_path(n)]
    if labelled:
        layout.set("merge", labelled, "their rows have labels too, and are trained on")
    if aside := [n for n in others if n not in labelled]:
        layout.unknown.append(f"what these tables of images are for, which are not read: {listed(aside, 5)}")


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
