"""From an inventory to a layout and targets: every format that the harness reads without Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, listed
from harness.data.files.names import nfc
from harness.data.guess.arrays import of_arrays
from harness.data.guess.features import columns_beside
from harness.data.guess.groups import GROUPS_WHY, choose_groups, group_pattern
from harness.data.guess.inventory import SAMPLE, Images, Inventory
from harness.data.guess.layout import (
    Layout,
    Matched,
    above_classes,
    asked_by_column,
    classes_beside_test,
    copy_of_classes,
    find_sample,
    holds_some,
    id_column_of,
    label_pattern,
    labelled_rows,
    mask_ending,
    names_often,
    shared_rows,
    test_of_sample,
    train_and_test,
    unread_samples,
)
from harness.data.guess.long import Long, LongTables, long_tables
from harness.data.guess.others import (
    note_folders,
    note_images,
    note_inner_folders,
    note_tables,
    others_said,
    refuse_sequences,
)
from harness.data.guess.pixel_tables import of_pixel_tables, pixel_tables
from harness.data.guess.sizes import set_size
from harness.data.guess.splits import Split, split_column
from harness.data.guess.stacks import of_stacks
from harness.data.guess.targets import Targets, find_targets, sample_columns
from harness.data.guess.validation import is_of_validation, names_twice, validation_tables
from harness.data.guess.words import of_test, of_test_path, of_training
from harness.data.rows.tables import Table, bare_id, joined, rows_where, stacked

OTHER_ID = "the sample submission calls its id otherwise"
_BESIDE, _PICTURES = (
    re.compile(r"mask|annot|segm|label|ground|thumb", re.I),
    re.compile(r"image|img|photo|pict|jpe?g|png", re.I),
)
"""What folders of other things than the images are called, and folders of images, where both hold the same names."""
_MANY = 20  # images: fewer are examples beside a table of pixels
_FAR_MORE = 0.2  # more of a table's rows, in a folder further up


def guess(inventory: Inventory) -> tuple[Layout, Targets]:
    """Layout and targets of what lies there.

    Raises
    ------
    UserError
        If neither images nor pixels in tables nor arrays with labels are found.
    """
    sample = find_sample(inventory)
    samples = [name for name in inventory.tables if SAMPLE.search(PurePosixPath(name).name)]
    long = long_tables(inventory, sample, samples)
    if sample and long.sample:
        layout, targets = _guess(inventory, (sample[0], long.sample.table), long.tables)
        if _asks_for(long.sample, layout, targets):
            _in_long_format(layout, targets, long)
            return layout, targets
        long = replace(long, sample=None)
    try:
        layout, targets = _guess(inventory, sample, long.tables)
    except UserError as error:
        raise UserError(" ".join([*(f"Not known: {note}" for note in long.notes), str(error)])) from error
    _in_long_format(layout, targets, long)
    return layout, targets


def _asks_for(sample: Long, layout: Layout, targets: Targets) -> bool:
    """Whether the classes of a sample submission in long format are the targets that were found: their columns, or what stands in one."""
    if len(targets.label) > 1:
        return set(sample.names) <= set(map(nfc, targets.label))
    if layout.train_table is None or not targets.label:
        return layout.labels_of is not None and set(sample.names) <= set(map(nfc, layout.labels_of))
    cells = layout.train_table[1].column(targets.label[0], "")
    mark = targets.separator
    held = {nfc(part.strip()) for cell in set(cells) for part in (cell.split(mark) if mark else [cell])}
    return set(sample.names) <= held


def _in_long_format(layout: Layout, targets: Targets, long: LongTables) -> None:
    """What tables in long format have to be called."""
    labels, asked = long.tables.get(str(layout.values.get("labels"))), long.sample
    if labels:
        of_labels = labels.long == labels.value
        why = (
            "a row for each label of an image"
            if of_labels
            else "a row for each image and class, with its value in label"
        )
        layout.set("long", labels.long, why)
        layout.value_column = labels.value
        targets.why["label"] = ""
        if targets.task == "multilabel":
            targets.why["task"] = "images have any number of labels"
    if asked:
        layout.unknown = [line for line in layout.unknown if not line.startswith(OTHER_ID)]
        targets.submission.update(target=asked.value, long=asked.long)
        if asked.lookup:
            targets.submission["lookup"] = asked.lookup
        targets.why["long"] = "a row of the sample submission is of an image and a class"
        if targets.why.get("label") == "the sample submission's columns":
            targets.why["label"] = "what the sample submission's rows ask for"
        targets.why["value"] = "its value in target"
    named = next((told for told in (labels, asked) if told and told.named), None)
    layout.classes = list(named.names) if named else []
    if not labels:
        layout.unknown += long.notes


def _guess(inventory: Inventory, sample: tuple[str, Table] | None, long: dict[str, Long]) -> tuple[Layout, Targets]:
    """The same of a sample submission with a row for each image.

    long : tables that are in long format
    """
    layout = Layout(sample=sample)
    layout.unknown += unread_samples(inventory)
    pixels = pixel_tables(inventory)
    if pixels and not _names_the_images(inventory, pixels[0]):
        return layout, of_pixel_tables(layout, inventory, *pixels)
    if inventory.images:
        targets = _of_images(layout, inventory, long)
        note_images(layout, inventory)
        return layout, targets
    if inventory.stacks:
        return layout, of_stacks(layout, inventory, inventory.stacks)
    if inventory.arrays:
        return layout, of_arrays(layout, inventory)
    unread = "".join(f" Not read: {why}" for why in list(inventory.unread.values())[:1])
    raise UserError(
        f"{inventory.tree.path}: there are tables, but no images and no pixels in them.{unread} Name the folder that holds the images too."
    )


def _names_the_images(inventory: Inventory, pixels: str) -> bool:
    """Whether another table names nearly all images that lie there, many: that of the pixels holds small copies of them (HAM10000)."""
    if not inventory.images or len(inventory.images[0].files) < _MANY:
        return False
    others = (t for n, t in inventory.tables.items() if n != pixels and n not in inventory.pixels and len(t.header) > 1)
    matched = ((table, id_column_of(table, inventory.images[0])) for table in others)
    return any(m is not None and m.share * len(t) > 0.9 * len(inventory.images[0].files) for t, m in matched)


# Images in files.


def _of_images(layout: Layout, inventory: Inventory, long: dict[str, Long]) -> Targets:
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
    found = _table_and_folder(tables | {n: told.table for n, told in long.items()}, train, inventory, layout.sample)
    if found is None:
        refuse_sequences(inventory, tables, train, asked)
        return _by_folders(layout, inventory, train, test, merged)
    train, name, table, matched = found
    split = split_column(table)
    told = rows_where(table, {split.column: split.test}, "") if split and split.test else None
    if split:
        table = _rows_of_split(layout, table, split, matched.column, train)
    set_size(layout, inventory, train, test, len(matched.files))
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
    more = validation_tables(layout, tables, table, targets, inventory) if name not in long and told is None else {}
    if more:
        layout.set("merge_labels", list(more), "its rows are training rows too")
        table = stacked([table, *more.values()])
    table = labelled_rows(layout, table, targets)
    layout.train_table = (name, table)
    _set_asked(layout, targets, matched, shared, asked)
    used = {name, *more, *([test_table[0]] if test_table else [])}
    others = {n: t for n, t in tables.items() if n not in used}
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
    if best is None or is_of_validation(best, train):
        return None
    stems = Counter(PurePosixPath(p).stem for p in folder.below)
    if max(stems.values()) > 1 and not best[2].files:
        inner = [
            i for i in inventory.images if i.folder.startswith("" if folder.folder == "." else f"{folder.folder}/")
        ]
        inner.sort(key=lambda i: (bool(_BESIDE.search(i.folder)), not _PICTURES.search(i.folder)))
        for images in inner:
            narrower = _training_table(tables, images, sample)
            if narrower is not None and narrower[2].share >= best[2].share and not names_twice(images):
                return (images, *narrower)
    return (folder, *best)


def _rows_of_split(layout: Layout, table: Table, split: Split, id_column: str, train: Images) -> Table:
    """The rows that are not the test's, those for validation among them where their images lie in the same folder; notes data.where."""
    for values in (split.train, tuple(v for v in split.train if of_training(v) or v.lower().startswith("dev"))):
        kept = rows_where(table, {split.column: values}, "")
        matched = id_column_of(kept, train)
        if matched is not None and matched.share == 1:
            break
    layout.set("where", {split.column: list(values)}, "the table holds other rows too")
    return kept


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
        layout.set("group_by", groups.column, GROUPS_WHY + groups.others_said)
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
            f"{OTHER_ID} than '{matched.column}' of the training table: its ids are looked for among the test images"
        )


def _by_folders(
    layout: Layout, inventory: Inventory, train: Images, test: Images | None, merged: list[Images]
) -> Targets:
    """Labels in folders' or files' names."""
    if label_pattern(train.below) is None:
        train = above_classes(inventory, train) or classes_beside_test(inventory, train, test) or train
    tops = {PurePosixPath(p).parts[0] for p in train.below if "/" in p}
    if (copy := copy_of_classes(inventory, train, tops)) is not None:
        layout.unknown.append(
            f"why '{copy.folder}' holds folders that are called as those beside it: they were taken for copies; it alone is read"
        )
        train, tops = copy, tops - {PurePosixPath(copy.folder).name}
    loose = sum("/" not in p for p in train.below)
    while len(tops) == 1 and not loose:  # everything lies in one folder more
        inner = next(i for i in inventory.images if i.folder == (tops_path(train, tops)))
        train, tops = inner, {PurePosixPath(p).parts[0] for p in inner.below if "/" in p}
        loose = sum("/" not in p for p in train.below)
    set_size(layout, inventory, train, test, 0)
    layout.set("format", "image_folder")
    layout.set("train", train.folder)
    labels: list[str] | None = None
    if len(tops) >= 2 and loose <= 0.02 * len(train.below):
        layout.why["format"] = f"each class has a folder ({len(tops):,} of them)"
        if masks := mask_ending(train):
            train = Images(train.folder, [f for f in train.files if masks not in PurePosixPath(f).name])
            pattern = f"^([^/]+)/(?!.*{re.escape(masks)})"
            layout.set(
                "label_pattern", pattern, f"the class's folder; names with '{masks}' are masks of others, and left out"
            )
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
                f"file names tell labels (e.g. '{plain_name(train)}'). {packed_classes_said(inventory, train)}{_tables_said(inventory, train)}"
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


def packed_classes_said(inventory: Inventory, train: Images) -> str:
    """What to do where folders lie beside that of the images, each packed by itself: they may be the classes."""
    parent = PurePosixPath(train.folder).parent
    beside = [i.folder for i in inventory.images if PurePosixPath(i.folder).parent == parent and not of_test(i.folder)]
    packed = [folder for folder in beside if inventory.tree.is_packed(folder)]
    if len(packed) < 2:
        return ""
    return f"If {listed(packed, 4)} are classes, each packed by itself: unpack them into one folder, train/. "


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
