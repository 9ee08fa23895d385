"""What lies beside the files that were chosen and might be meant: it is said, for nothing may be left out in silence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, plain
from harness.data.files.names import nfc
from harness.data.guess.inventory import SAMPLE, Images, Inventory
from harness.data.guess.layout import Layout
from harness.data.guess.targets import Targets, sample_columns
from harness.data.guess.words import of_test
from harness.data.rows.tables import Table, bare_id

_MOST_SHOWN = 4


def others_said(names: Sequence[str]) -> str:
    """The files that are not looked at, in words."""
    endings = Counter(PurePosixPath(n).suffix.lower() or "no ending" for n in names)
    told = ", ".join(f"{count:,} with {ending}" for ending, count in endings.most_common(_MOST_SHOWN))
    return f"{told} (e.g. {plain(names[0], 80)})"


def note_tables(
    layout: Layout, others: dict[str, Table], targets: Targets, table: Table, test: tuple[str, Table] | None
) -> None:
    """Say of labelled rows and given folds that are not used, and of a test whose rows are trained on."""
    ids = {bare_id(PurePosixPath(i).name) for i in table.column(layout.id_column or "", "")}
    for name, other in others.items():
        if targets.label and all(map(other.has, (layout.id_column or "", *targets.label))):
            layout.unknown.append(
                f"'{name}' has {counted(len(other), 'row')} with '{targets.label[0]}' that are not used (validation?): to train on them too, put "
                "their rows into one table and name the folder above all the images in data.train"
            )
        elif of_test(PurePosixPath(name).name) and len(shared := _shared(other, ids)):
            layout.unknown.append(
                f"'{name}' names {counted(len(shared), 'image')} of the training table, e.g. '{plain(shared[0], 80)}': if they are the test's, take "
                "their rows out of the table, or they are trained on"
            )
    if test is None and not layout.sample:
        layout.unknown.append("which rows are the test's: no table of them and no sample submission was found")
    fold = next((c for c in table.header if re.fullmatch(r"k?_?folds?", c, re.I) and c not in targets.label), None)
    if fold and all(re.fullmatch(r"\d{1,2}", cell) for cell in table.column(fold, "")):
        layout.unknown.append(
            f"whether '{fold}' holds the folds to be used: if so, write fold = \"{fold}\" under [data]"
        )


def _shared(table: Table, ids: set[str]) -> list[str]:
    found = ([c for c in cells if bare_id(PurePosixPath(c).name) in ids] for cells in table.columns)
    return max(found, key=len, default=[])


def note_images(layout: Layout, inventory: Inventory) -> None:
    """Say of images that lie in none of the folders that are read (masks, validation, what has no label)."""
    merged = layout.values.get("merge", [])
    assert isinstance(merged, list)
    read = [str(layout.values.get(key)) for key in ("train", "test")] + merged
    everything = next((i.files for i in inventory.images if i.folder == "."), [])
    aside = [f for f in everything if not any(folder == "." or f.startswith(f"{folder}/") for folder in read)]
    if aside:
        layout.unknown.append(
            f"what {counted(len(aside), 'more image')} are for, in none of the folders that are read, e.g. '{plain(aside[0], 80)}'{_alike_said(read[0], aside)}"
        )


def _alike_said(train: str, aside: Sequence[str]) -> str:
    """Of folders with a folder in them that is called as the training images' is: they may be competitions of their own."""
    chosen = PurePosixPath(train)
    above = (parent for f in aside for parent in PurePosixPath(f).parents if parent.name == chosen.name)
    alike = sorted({str(folder.parent) for folder in above if str(folder.parent) != "."})
    if not alike or str(chosen.parent) == ".":
        return ""
    shown = plain(", ".join(f"'{folder}'" for folder in alike[:_MOST_SHOWN]), 200)
    return (
        f"; '{plain(chosen.parent, 80)}', which is read, and {shown}{', ...' if len(alike) > _MOST_SHOWN else ''} are laid out alike: where "
        "each is a competition, begin anew with the folder of one"
    )


def note_folders(layout: Layout, inventory: Inventory, train: Images, labels: list[str]) -> list[str]:
    """Of class folders with folders in them the level that the sample submission names; the labels by it."""
    inner = [PurePosixPath(p).parts[1] for p in train.below if p.count("/") > 1]
    if len(inner) < len(train.below):
        inner = []
    asked = _asked(layout.sample[1]) if layout.sample else set()
    kinds, tops = {nfc(i) for i in inner}, {nfc(i) for i in labels}
    if kinds and len(asked & kinds) > len(asked & tops):
        pattern = "^[^/]+/([^/]+)/"
        layout.set("label_pattern", pattern, "the sample submission names the second folders, below the first")
        return inner
    if kinds and not asked & tops:
        layout.unknown.append(
            f"which folders are the classes: the {counted(len(tops), 'first one')} were taken; for the {len(kinds):,} in them: label_pattern = "
            "'^[^/]+/([^/]+)/' under [data]"
        )
    unused = [n for n in inventory.tables if not SAMPLE.search(PurePosixPath(n).name)]
    if unused:
        shown = ", ".join(f"{n} ({', '.join(inventory.tables[n].header[:5])})" for n in unused[:_MOST_SHOWN])
        layout.unknown.append(
            f"what these tables are for, which name none of the images by file: {plain(shown, 200)}. The labels were taken from the folders"
        )
    return labels


def note_inner_folders(layout: Layout, train: Images) -> None:
    """Say of folders in those that the sample submission names as classes: they may be patients or objects."""
    inner = [PurePosixPath(p).parts[:2] for p in train.below if p.count("/") > 1]
    asked = _asked(layout.sample[1]) if layout.sample else set()
    repeated = 1 < len(set(inner)) < len(inner) == len(train.below)
    if repeated and "label_pattern" not in layout.values and asked & {nfc(top) for top, _ in inner}:
        layout.unknown.append(
            f"whether the images of one folder in the class folders, e.g. '{plain('/'.join(inner[0]), 80)}', belong together (a patient, an object): "
            "if so, group = '^[^/]+/([^/]+)/' under [data]"
        )


def _asked(sample: Table) -> set[str]:
    """What the sample submission calls classes: its columns, or the cells of its one column."""
    _, columns = sample_columns(sample)
    return {nfc(c) for c in (columns if len(columns) > 1 else sample.column(columns[0], "") if columns else [])}


def refuse_sequences(inventory: Inventory, tables: dict[str, Table], train: Images, asked: Sequence[str]) -> None:
    """Refuse rows that are folders of images (the frames of a video, the slices of a scan).

    Raises
    ------
    UserError
        If the sample submission asks for folders, and a table names those of the training images.
    """
    folders = {PurePosixPath(p).parent.name for p in train.below if "/" in p}
    anywhere = {PurePosixPath(p).parent.name for p in inventory.images[0].files}
    if not asked or sum(i in anywhere for i in asked) < len(asked) / 2:
        return
    for name, table in tables.items():
        column = next((c for c in table.header if folders and folders <= set(table.column(c, ""))), None)
        if column is not None:
            raise UserError(
                f"{inventory.tree.show(name)}: '{plain(column, 80)}' names folders of images, e.g. '{plain(min(folders), 80)}' (frames, slices?), and a row "
                "is one image here. Write load_samples, which lists the images with their folders, those of a folder in one fold and one row of the submission: "
                "docs/layouts.md, 'Folders of images as rows', has it for you."
            )
