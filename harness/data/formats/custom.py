"""Data that TOML cannot describe: read, or only listed, by the competition's own `load_samples`, checked, written to the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from pathlib import Path, PurePosixPath

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted, plain
from harness.competition import Competition, Listing, Samples
from harness.data.columns.reading import write_columns
from harness.data.files.archives import FileTree
from harness.data.files.decode import ENDINGS, is_image
from harness.data.files.names import check_ids
from harness.data.formats.given_arrays import checked_samples
from harness.data.formats.images import forget_decoded
from harness.data.rows.tables import text_of
from harness.data.rows.weights import checked_weights


def load_custom(competition: Competition, tree: FileTree, files: FileTree, split: str) -> Samples | Listing | None:
    """What `load_samples` gives for a split, checked; None where the competition has no such split.

    files : where a listing's names are looked up; `load_samples` gets it too, where it has a parameter of that name

    Raises
    ------
    UserError
        If the function is missing, fails, or gives what does not fit competition.toml or is not there (says which row).
    """
    load = competition.hook("load_samples")
    if load is None:
        raise UserError(
            f"{competition.folder / 'competition.toml'}: data.format = 'custom' needs load_samples in competition.py"
        )
    where = f"{competition.folder / 'competition.py'}: load_samples(..., '{split}')"
    try:
        more = {"files": files} if "files" in inspect.signature(load).parameters else {}
        found = load(tree.path, split, **more)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except Exception as error:
        raise UserError(f"{where} failed: {type(error).__name__}: {plain(error, 500)}") from error
    if found is None and split == "train":
        raise UserError(f"{where} gave None; without training images there is nothing to learn from")
    if found is None:
        return None
    if isinstance(found, Listing):
        return _checked_listing(found, files, split, where)
    return checked_samples(competition, found, split, where)


def write_samples(samples: Samples, folder: Path) -> None:
    """Write the arrays that `load_custom` checked."""
    for name in ("images", "ids", "labels", "captions", "soft", "fold", "rows", "weight", "groups"):
        if getattr(samples, name) is not None:
            np.save(folder / f"{name}.npy", getattr(samples, name))
    if samples.columns is not None:
        write_columns(samples.columns, folder)


def begin_anew_with_other_files(listing: Listing, folder: Path) -> None:
    """Forget what an earlier, broken-off decoding has done where it was of other files: own code may list them otherwise each time."""
    digest = hashlib.sha256(json.dumps(listing.files).encode("utf-8", "surrogatepass")).hexdigest()
    path = folder / "listed.txt"
    if path.is_file() and path.read_text() != digest:
        forget_decoded(folder)
    path.write_text(digest)


def _checked_listing(listing: Listing, files: FileTree, split: str, where: str) -> Listing:
    """The listing with its cells as text; refuses files that are not there, and columns that are not as long as the ids."""
    if split == "train" and listing.targets is None:
        raise UserError(f"{where}: has no labels; give them to Listing.of")
    ids = [text_of(i) for i in listing.ids]
    targets = listing.targets and dataclasses.replace(
        listing.targets,
        columns=[[text_of(cell) for cell in cells] for cells in listing.targets.columns],
        shown=where,
    )
    beside = {"groups": listing.groups, "fold": listing.fold, "weight": listing.weight, "rows": listing.rows}
    columns = dict(zip(targets.names, targets.columns, strict=True)) if targets else {}
    for name, cells in {"files": listing.files, **columns, **beside}.items():
        if cells is not None and len(cells) != len(ids):
            raise UserError(
                f"{where}: {counted(len(ids), 'id')} but {len(cells):,} of {plain(name, 80)}; every row needs both"
            )
    if not ids:
        raise UserError(f"{where}: lists no images; give None where the competition has no such split")
    check_ids(ids, where)
    _check_files(listing.files, files, where)
    weight = listing.weight
    if weight is not None and split == "train":
        weight = checked_weights(weight.tolist(), lambda row: f"{where}: row {row + 1}, weight")
    labelled = split == "train"
    return dataclasses.replace(
        listing,
        ids=ids,
        targets=targets if labelled else None,
        groups=[text_of(g) for g in listing.groups] if listing.groups is not None and labelled else None,
        weight=weight if labelled else None,
        rows=[text_of(r) for r in listing.rows] if listing.rows is not None and not labelled else None,
    )


def _check_files(rows: list[tuple[str, ...]], files: FileTree, where: str) -> None:
    """Refuse names that lead out of the data folder, are no image's, or of which there is no file."""
    per_row = len(rows[0])
    for row, names in enumerate(rows):
        if len(names) != per_row or not names:
            raise UserError(
                f"{where}: row {row + 1} has {counted(len(names), 'file')}, row 1 {per_row}; every row needs as many"
            )
        for name in names:
            place = f"{where}: row {row + 1}: file '{plain(name, 200)}'"
            path = PurePosixPath(name) if isinstance(name, str) else None
            if path is None or path.is_absolute() or ".." in path.parts:
                raise UserError(f"{place} is no name relative to {files.path}, with '/' between folders")
            if not is_image(name):
                raise UserError(f"{place} does not end as an image's does: {', '.join(ENDINGS)}")
            if not files.holds(name):
                raise UserError(f"{place} is not there: {files.show(name)}. Correct the list, or complete the data.")
