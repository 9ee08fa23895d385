"""Tables of rows that are kept for validation: trained on too, and not taken for the training rows."""

from __future__ import annotations

from pathlib import PurePosixPath

from harness.data.guess.inventory import Images, Inventory
from harness.data.guess.layout import Layout, Matched
from harness.data.guess.targets import Targets
from harness.data.guess.words import of_validation
from harness.data.rows.tables import Table

_SOME = 2000  # ids that are looked for


def validation_tables(
    layout: Layout, tables: dict[str, Table], table: Table, targets: Targets, inventory: Inventory
) -> dict[str, Table]:
    """Tables for validation like that of the training rows, whose images lie in the same folder, or in one beside it: data.train is then
    the folder above, where each name is one image."""
    column = layout.id_column or ""
    ids = set(table.column(column, ""))
    found = {
        n: t
        for n, t in tables.items()
        if of_validation(PurePosixPath(n).name)
        and all(map(t.has, (column, *targets.label)))
        and ids.isdisjoint(t.column(column, ""))
    }
    rows = [i for t in found.values() for i in t.column(column, "")]
    if not found or layout.values.get("files"):
        return {}
    folder = str(layout.values["train"])
    images = next((i for i in inventory.images if i.folder == folder), None)
    if images is not None and images.share_named(rows) == 1:
        return found
    above = next((i for i in inventory.images if i.folder == PurePosixPath(folder).parent.as_posix()), None)
    if above is None or above.share_named([*ids, *rows]) < 1 or (names_twice(above) and not all("/" in i for i in ids)):
        return {}
    layout.set("train", above.folder, "the folder above, for the images of validation are trained on too")
    return found


def is_of_validation(best: tuple[str, Table, Matched], train: Images) -> bool:
    """Whether a table names no training image, and these lie in a folder for each class: it is of other rows (Tiny ImageNet's 'val')."""
    tops = {PurePosixPath(path).parts[0] for path in train.below if "/" in path}
    in_classes = len(tops) > 1 and all("/" in path for path in train.below)
    named = best[2].files or train.share_named(best[1].column(best[2].column, "")[:_SOME])
    return in_classes and not named


def names_twice(images: Images) -> bool:
    """Whether two images have one name."""
    return len({PurePosixPath(p).stem for p in images.below}) < len(images.files)
