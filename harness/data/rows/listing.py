"""The rows of image files: found in folders, by their names, or by a table, with their targets as text and their groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.untrusted_text import counted, is_plain, listed, plain
from harness.competition.data_spec import DataSpec, is_array_file
from harness.competition.samples import Listing, RawTargets
from harness.data.files.archives import FileTree
from harness.data.files.decode import ENDINGS, is_image
from harness.data.files.names import Lookup, nfc, other_spellings, stem, without_ending
from harness.data.rows.groups import matches
from harness.data.rows.long import one_row_each, one_row_of_images
from harness.data.rows.tables import Table, joined, read_table, rows_where, stacked
from harness.data.rows.targets import label_of, targets_of
from harness.data.rows.weights import weights_of


def list_by_folder(tree: FileTree, spec: DataSpec, names: Sequence[str], classes: tuple[str, ...]) -> Listing:
    """The training images below folders named after their classes, or with names that tell it (`label_pattern`); not those of the test,
    where its folder is one of them.

    An id is the path below the folder ('cat/1.png'); with several folders, with that folder's name ('val/cat/1.png').

    Raises
    ------
    UserError
        If there are no images, a class folder is unknown or empty, or a name tells no label.
    """
    files: list[str] = []
    ids: list[str] = []
    labels: list[str] = []
    notes: list[str] = []
    for name in names:
        found, left_out = image_files(tree, name)
        notes += left_out
        if spec.test and (name == "." or spec.test.startswith(f"{name}/")):  # classes have folders beside the test's
            found = [file for file in found if not file.startswith(f"{spec.test}/")]
        below = [f.removeprefix(f"{name}/") for f in found]
        if spec.label_pattern:
            found_in = matches(below, spec.label_pattern, "data.label_pattern")
            of_file = [None if g is None else "".join(part for part in g if part) for g in found_in]
            kept = [place for place, label in enumerate(of_file) if label is not None]
            notes += _unlabelled(tree, name, below, of_file)
            labels += [str(of_file[place]) for place in kept]
        else:
            kept = list(range(len(found)))
            labels += _folder_labels(tree, name, below, classes)
        prefix = f"{PurePosixPath(name).name}/" if len(names) > 1 else ""
        files += [found[place] for place in kept]
        ids += [prefix + below[place] for place in kept]
    shown = tree.show(names[0])
    if not files:
        raise UserError(
            f"{shown}: data.label_pattern = '{plain(spec.label_pattern, 80)}' finds a label in no file name, e.g. not in "
            f"'{plain(below[0], 80)}'. Correct it in competition.toml."
        )
    beside = Table(["id"], [ids], shown)
    if spec.join:
        beside = joined(beside, read_table(tree, spec.join.file, "data.join.file"), "id", spec.join.id)
    groups = groups_of(beside, spec)
    raw = RawTargets([labels], ["label"], shown)
    return Listing([(f,) for f in files], ids, raw, groups, tuple(notes), weight=weights_of(beside, spec))


def _unlabelled(tree: FileTree, name: str, below: list[str], labels: list[str | None]) -> list[str]:
    without = [path for path, label in zip(below, labels, strict=True) if label is None]
    if not without:
        return []
    return [
        f"{len(without):,} of {len(below):,} images in {tree.show(name)} have no label in their names (data.label_pattern) and are left "
        f"out, e.g. '{plain(without[0], 80)}'"
    ]


def _folder_labels(tree: FileTree, name: str, below: list[str], classes: tuple[str, ...]) -> list[str]:
    loose = next((f for f in below if "/" not in f), None)
    if loose is not None:
        raise UserError(
            f"{tree.show(name)}: {plain(loose, 200)} lies in no class folder. Move it into that of its class; where a CSV holds the labels: "
            "data.format = 'image_csv' and data.labels in competition.toml; where the name tells it: data.label_pattern."
        )
    folders = [nfc(f.partition("/")[0]) for f in below]
    known = {label_of(c) for c in classes}
    for found in sorted(set(folders)) if classes else ():
        if label_of(found) not in known:
            raise UserError(
                f"{tree.show(name)}: folder '{found}' is no class{nearest(found, classes)}. Classes: "
                f"{listed(classes)}. Rename the folder, or correct 'classes' in competition.toml."
            )
    there = set(map(label_of, folders))
    empty = [c for c in classes if label_of(c) not in there]
    if empty:
        raise UserError(
            f"{tree.show(name)}: no images of class '{empty[0]}': its folder is missing or empty. Complete it, or take the class out of 'classes' in competition.toml."
        )
    return folders


def training_table(tree: FileTree, spec: DataSpec, classes: Sequence[str] = ()) -> Table:
    """The table of the training rows, with those of `merge_labels` behind, those that `where` chooses, one for each image (`long`), with
    the columns of `join`.

    classes : of the competition, where they are known
    """
    table = stacked(label_tables(tree, spec))
    if spec.long is None:
        table = rows_where(table, spec.where, "data.where")
    else:  # `where` may name classes, which are columns then
        before = {name: cells for name, cells in spec.where.items() if table.has(name)}
        after = {name: cells for name, cells in spec.where.items() if name not in before}
        table = rows_where(table, before, "data.where")
        table = one_row_each(table, spec.long, id_column(spec), spec.one_label, classes)
        table = rows_where(table, after, "data.where")
    if spec.join:
        table = joined(table, read_table(tree, spec.join.file, "data.join.file"), id_column(spec), spec.join.id)
    return table


def test_table(tree: FileTree, spec: DataSpec, classes: Sequence[str] = ()) -> Table:
    """The table that names the test rows, those that `test_where` chooses; there must be one. classes : as of `training_table`"""
    assert spec.table_of_test is not None
    key = "data.test_rows" if spec.test_rows else "data.labels"
    table = rows_where(read_table(tree, spec.table_of_test, key), spec.test_where, "data.test_where")
    if spec.long is not None and spec.table_of_test == spec.labels:
        table = one_row_of_images(table, spec.long, id_column(spec), classes)
    return table


def pixel_table(tree: FileTree, name: str, spec: DataSpec, labelled: bool) -> Table:
    """The table whose cells hold the images of the training or the test rows, those that `where` or `test_where` chooses."""
    where, key = (spec.where, "data.where") if labelled else (spec.test_where, "data.test_where")
    first, *more = pixel_files(tree, name, spec, labelled)
    parts = [read_table(tree, first, "data.train" if labelled else "data.test")]
    parts += [read_table(tree, other, "data.merge") for other in more]
    return rows_where(stacked(parts), where, key)


def pixel_files(tree: FileTree, name: str, spec: DataSpec, labelled: bool) -> list[str]:
    """The tables, or patterns of their parts, that hold the rows of a split, in their order."""
    merged = [other for other in spec.merge if tree.has(other) or other not in spec.optional]
    return [name, *(merged if labelled else [])]


def label_tables(tree: FileTree, spec: DataSpec) -> list[Table]:
    """The table of `labels`, and those of `merge_labels`; rows of arrays, which have no ids, are numbered through."""
    found = [read_table(tree, spec.labels, "data.labels")]
    more = [labels for _, labels in merged_arrays(tree, spec)]
    if spec.format == "image_csv":
        more = [name for name in spec.merge_labels if tree.has(name) or name not in spec.optional]
    for labels in more:
        table, before = read_table(tree, labels, "data.merge_labels"), sum(map(len, found))
        if is_array_file(labels):
            table = replace(table, columns=[[str(before + n) for n in range(len(table))], *table.columns[1:]])
        found.append(table)
    return found


def merged_arrays(tree: FileTree, spec: DataSpec) -> list[tuple[str, str]]:
    """The arrays of further training images, each with that of its labels, but those that may be missing and are."""
    pairs = zip(spec.merge, spec.merge_labels, strict=True) if spec.is_stack else ()
    return [(images, labels) for images, labels in pairs if tree.has(images) or images not in spec.optional]


def id_column(spec: DataSpec) -> str:
    """Name of the id's column in tables."""
    return spec.id or "id"


def list_by_table(tree: FileTree, name: str, spec: DataSpec, classes: Sequence[str] = ()) -> Listing:
    """The training images that a table names, in its order; their ids are the table's.

    classes : of the competition, where they are known

    Ids may be names without ending ('1'), with it ('1.png'), or paths below the folder or with it; or `files` says where each lies.

    Raises
    ------
    UserError
        If the table lacks a column or has it twice, names an id twice, an image that is not there, or one that may be two files
        (names both).
    """
    table = training_table(tree, spec, classes)
    ids, raw = table.ids(id_column(spec)), targets_of(table, spec)
    there, notes = image_files(tree, name)
    if spec.where:
        notes = (
            *notes,
            f"{table.shown}: {counted(len(ids), 'row is', 'rows are') if spec.long is None else counted(len(ids), 'image is', 'images are')} taken, as data.where says",
        )
    files = rows_files(tree, name, spec, table, ids, there)
    hidden = [place for place, i in enumerate(ids) if files[place] is None and PurePosixPath(i).name.startswith(".")]
    if hidden:  # '.DS_Store', which a listing of files took for an image
        gone = set(hidden)
        rows = [place for place in range(len(table)) if place not in gone]
        notes = (
            *notes,
            f"{table.shown}: {counted(len(hidden), 'row')} {'names a hidden file and is' if len(hidden) == 1 else 'name hidden files and are'} left out, e.g. '{plain(ids[hidden[0]], 80)}'",
        )
        table, ids, files = table.rows(rows), [ids[row] for row in rows], [files[row] for row in rows]
        raw = targets_of(table, spec)
    missing = [i for i, found in zip(ids, files, strict=True) if found is None]
    if missing:
        raise UserError(
            f"{table.shown}: {len(missing):,} of its {len(ids):,} ids have no image in {tree.show(name)}, e.g. "
            f"'{plain(missing[0], 80)}'{_wanted_file(spec, table, ids, missing[0])}. Download both again if one of them is cut off or of "
            "another version; or correct data.train, data.id, data.files, or of a row for each image and class data.long, in competition.toml."
        )
    kept = [found for found in files if found is not None]
    used = {file for found in kept for file in found}
    unnamed = [file for file in there if file not in used]
    if unnamed and name != spec.test:
        notes = (
            *notes,
            f"{len(unnamed):,} of {len(there):,} images in {tree.show(name)} are not named by {table.shown} and left out, e.g. "
            f"'{unnamed[0]}'",
        )
    fold = table.column(spec.fold, "data.fold") if spec.fold else None
    return Listing(kept, ids, raw, groups_of(table, spec), notes, fold, weight=weights_of(table, spec))


def groups_of(table: Table, spec: DataSpec) -> list[str] | None:
    """A text of each row by the columns of `group_by`, "" where all of them are empty; None where it names no column."""
    if not spec.group_by:
        return None
    cells = [table.column(name, "data.group_by") for name in spec.group_by]
    return ["\x1f".join(values) if any(values) else "" for values in zip(*cells, strict=True)]


def _wanted_file(spec: DataSpec, table: Table, ids: Sequence[str], i: str) -> str:
    if not spec.files:
        return ""
    return f" (by data.files it would be '{plain(filled(spec.files[0], table.row(ids.index(i)), i), 200)}')"


def rows_files(
    tree: FileTree, name: str, spec: DataSpec, table: Table | None, ids: Sequence[str], there: list[str]
) -> list[tuple[str, ...] | None]:
    """The files of each row: by the templates of `files`, or found by its id; None where one is not there."""
    if not spec.files:
        rows = _matched(tree, name, there, ids, table.shown if table else "sample submission")
        return [None if row is None else (there[row],) for row in rows]
    known, found = {nfc(path): path for path in there}, []
    for number, i in enumerate(ids):
        values = table.row(number) if table else {id_column(spec): i}
        known_of = (
            "" if table else " Of the test rows only the id is known: name the table that lists them, data.test_rows."
        )
        asked = [_below(name, filled(template, values, i, known_of)) for template in spec.files]
        paths = [known.get(nfc(path)) for path in asked]
        found.append(None if None in paths else tuple(path for path in paths if path is not None))
    return found


def filled(template: str, values: dict[str, str], i: str, cure: str = "") -> str:
    """A path by a template: '{id}' and any column's name are replaced; cure : what else a message offers.

    Raises
    ------
    UserError
        If it names what is no column.
    """

    def value(match: re.Match[str]) -> str:
        key = match[1]
        if key in values:
            return values[key]
        if key == "id":
            return i
        raise UserError(
            f"data.files = '{plain(template, 80)}' in competition.toml: '{{{plain(key, 80)}}}' is no column{plain(nearest(key, values))}; there "
            f"are: {listed(list(dict.fromkeys(['id', *values])))}.{cure}"
        )

    return re.sub(r"\{([^{}]+)\}", value, template)


def _below(name: str, path: str) -> str:
    """A row's path in the tree: below the folder, which it may begin with."""
    path = path.replace("\\", "/").removeprefix("./")
    return path if name == "." or path.startswith(f"{name}/") else f"{name}/{path}"


def list_test(
    tree: FileTree,
    name: str,
    spec: DataSpec,
    wanted: np.ndarray | None = None,
    shared: str | None = None,
    classes: Sequence[str] = (),
) -> Listing:
    """The test images of a folder: those that a table (data.test_rows, data.test_where), else the sample submission (`wanted`) names,
    in that order, else all.

    Their ids are what the sample submission calls the files, in its spelling: names without ending ('1'), with it ('1.png'), or
    paths below the folder; without one, names without ending. What has no image is told when ids are held against the sample.

    shared : column of data.test_rows (submission.rows) that names the submission's row of each image
    classes : of the competition, where they are known

    Raises
    ------
    UserError
        If there are no images, a file name is unprintable, or two files answer to one id.
    """
    there, notes = image_files(tree, name)
    table = test_table(tree, spec, classes) if spec.table_of_test else None
    if table is not None:
        ids = table.ids(id_column(spec))
        if spec.join and spec.files:
            table = joined(table, read_table(tree, spec.join.file, "data.join.file"), id_column(spec), spec.join.id)
    elif wanted is not None and len(wanted):
        ids = wanted.tolist()
    else:
        return Listing([(f,) for f in there], _own_ids(name, there, spec), None, None, notes)
    files = rows_files(tree, name, spec, table, ids, there)
    if table is not None and None in files:
        lost = ids[files.index(None)]
        raise UserError(
            f"{table.shown}: id '{plain(lost, 80)}' has no image in {tree.show(name)}. Correct data.test, data.id or data.files in "
            "competition.toml, or download both again."
        )
    rows = [(i, found) for i, found in zip(ids, files, strict=True) if found is not None]
    if not rows:
        raise UserError(
            f"{tree.show(name)}: none of the {len(ids):,} ids of the sample submission has an image there, e.g. not '{plain(ids[0], 80)}'. "
            f"There is, e.g., '{plain(there[0], 200)}'. Correct data.test, submission.id or data.files, or of a row for each image and class submission.long, in competition.toml."
        )
    used = {file for _, found in rows for file in found}
    surplus = [file for file in there if file not in used]
    if surplus and name != spec.train:
        notes = (
            *notes,
            f"{len(surplus):,} of {len(there):,} images in {tree.show(name)} are not asked for and left out, e.g. '{surplus[0]}'",
        )
    answered = table.column(shared, "submission.rows") if table is not None and shared else None
    return Listing([found for _, found in rows], [i for i, _ in rows], None, None, notes, rows=answered)


def _own_ids(name: str, files: list[str], spec: DataSpec) -> list[str]:
    """Names without ending, or paths where those are not unique."""
    if len(spec.files) > 1:
        raise UserError(
            "data.files: several files make a test row, and nothing says which rows there are. Name a table of them: data.test_rows, or the "
            "sample submission: submission.sample, in competition.toml."
        )
    below = [f.removeprefix(f"{name}/") for f in files]
    stems = [stem(f) for f in below]
    return stems if len(set(map(nfc, stems))) == len(stems) else [without_ending(f) for f in below]


def _matched(tree: FileTree, name: str, files: list[str], ids: Sequence[str], where: str) -> list[int | None]:
    """For each id the number of its file, by the way of writing ids that fits most of them."""
    lookup = Lookup([f.removeprefix(f"{name}/") for f in files], lambda number: tree.show(files[number]))
    asked = _asked_below(name, lookup, [i.replace("\\", "/").removeprefix("./") for i in ids])
    rows = lookup.rows(asked, lookup.way_of(asked), where)
    bare = [place for place, (i, row) in enumerate(zip(asked, rows, strict=True)) if row is None and "/" not in i]
    if bare and any("/" in i for i in asked):  # some ids are paths, these are names
        names = [asked[place] for place in bare]
        for place, row in zip(bare, lookup.rows(names, lookup.way_of(names), where), strict=True):
            rows[place] = row
    return rows


def _asked_below(name: str, lookup: Lookup, ids: list[str]) -> list[str]:
    """The ids as they would be below the folder, in the spelling by which the most of them are there, the table's own before others."""
    below = [i.removeprefix(f"{name}/") for i in ids]
    best, most = below, lookup.known(below)
    if most == len(set(below)):
        return below
    for spelt in other_spellings(ids, lookup.width):
        other = [i.removeprefix(f"{name}/") for i in spelt]
        if (known := lookup.known(other)) > most:
            best, most = other, known
    return best


def image_files(tree: FileTree, name: str) -> tuple[list[str], tuple[str, ...]]:
    """Names of a folder's image files, and what is said of the others: none is left out unsaid."""
    everything = tree.names(name)
    files = [f for f in everything if is_image(f)]
    others = Counter(PurePosixPath(f).suffix.lower() or "no ending" for f in everything if not is_image(f))
    counted = ", ".join(f"{n:,} with {ending}" for ending, n in others.most_common())
    if not files:
        held = f"It holds {counted}. " if others else "It is empty, or not there. "
        raise UserError(
            f"{tree.show(name)}: no images there. {held}Looked for {', '.join(ENDINGS)}; correct the folder in [data] of "
            "competition.toml, or rename the files."
        )
    for file in files:
        if not is_plain(file):
            raise UserError(
                f"{tree.show(name)}: the file name {plain(file)!r} has unprintable characters. Rename the file."
            )
    left_out = f"left out of {tree.show(name)}, not among the image formats: {plain(counted)}"
    return files, (left_out,) if others and name != "." else ()
