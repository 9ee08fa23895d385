"""Rows of a table whose cells hold an image each: numbers in a string (FER2013) or a list (radar bands), a column for each channel; or
the bytes of an encoded image (Parquet of the Hugging Face hub)."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition.data_spec import DataSpec
from harness.data.files.archives import FileTree
from harness.data.files.arrays import new_images
from harness.data.files.decode import Decoder
from harness.data.files.embedded import encoded_images
from harness.data.formats.csv_pixels import PixelRows, may_lack_id
from harness.data.formats.images import Broken, keep_rows
from harness.data.rows.listing import groups_of, pixel_files, pixel_table
from harness.data.rows.tables import Table, read_table
from harness.data.rows.targets import targets_of
from harness.data.rows.weights import weights_of

Tick = Callable[[int, int], None]
"""(done, of how many)."""

_AT_ONCE = 256  # encoded images that are in memory


def read_table_pixels(
    tree: FileTree,
    name: str,
    spec: DataSpec,
    labelled: bool,
    folder: Path,
    tick: Tick = lambda done, total: None,
    skip_broken: bool = False,
) -> tuple[PixelRows, list[Broken]]:
    """Write images.npy of one table into a folder; returns what stands beside the pixels, and the images that cannot be decoded.

    Values are taken as 0 to 255; others need data.range, whose ends become 0 and 255. Encoded images are brought to data.size. With
    `skip_broken` training rows whose image cannot be decoded are left out, and of the test rows it stays black.

    Raises
    ------
    UserError
        If a cell has another number of values than data.size says, or one is no number or out of range: names row and column.
    """
    table = pixel_table(tree, name, spec, labelled)
    if set(spec.pixels) <= set(table.pictures):
        names = [part for one in pixel_files(tree, name, spec, labelled) for part in tree.matching(one)]
        broken = _write_encoded(tree, names, spec, table, folder, tick)
    else:
        _write_numbers(spec, table, folder)
        broken = {}
    kept = None
    if broken and skip_broken and labelled:
        kept = [row for row in range(len(table)) if row not in broken]
        keep_rows(folder, kept, spec)
        table = table.rows(kept)
    lacks = may_lack_id(tree, spec, table.header, labelled, lambda t, test: read_table(t, test, "data.test").header)
    ids = table.ids(spec.id) if spec.id and not lacks else None
    told = list(broken.values())
    if not labelled:
        return PixelRows(ids, None), told
    fold = table.column(spec.fold, "data.fold") if spec.fold else None
    beside = groups_of(table, spec), fold, weights_of(table, spec), kept
    return PixelRows(ids, targets_of(table, spec), *beside), told


def _write_encoded(
    tree: FileTree, names: Sequence[str], spec: DataSpec, table: Table, folder: Path, tick: Tick
) -> dict[int, Broken]:
    """Decode the bytes in the rows' cells, in threads; returns those that cannot be decoded, which are black, by the table's row."""
    if len(spec.pixels) > 1 or spec.resize == "scale":
        told = f"resize = '{spec.resize}'" if len(spec.pixels) == 1 else f"pixels names {len(spec.pixels)} columns"
        raise UserError(
            f"{table.shown}: data.{told}: of encoded images one column is read, each at its own scale. Correct competition.toml."
        )
    rows, broken = table.origin(table.header[0])[1], dict[int, Broken]()
    places = {row: place for place, row in enumerate(rows)}
    images, decoder = new_images(folder, len(places), spec), Decoder.of(spec)

    def decode(cell: tuple[int, str, bytes]) -> None:
        row, where, content = cell
        try:
            if not content:
                raise UserError(
                    f"{where}: holds no image. Leave the row out by data.where, complete the file, or add --skip-broken."
                )
            images[places[row]] = decoder(io.BytesIO(content), where).pixels
        except UserError as error:
            broken[places[row]] = Broken(where, str(error))

    wanted, done = (cell for cell in _cells(tree, names, spec.pixels[0]) if cell[0] in places), 0
    with ThreadPoolExecutor() as pool:
        while part := list(itertools.islice(wanted, _AT_ONCE)):
            for _ in pool.map(decode, part):
                done += 1
                tick(done, len(places))
            if len(broken) == done < len(places):
                raise UserError(
                    f"none of the first {done:,} images can be decoded. The first of them: {broken[min(broken)].reason}"
                )
    images.flush()
    return dict(sorted(broken.items()))


def _cells(tree: FileTree, names: Sequence[str], column: str) -> Iterator[tuple[int, str, bytes]]:
    """Of each row of these files its number over all of them, its place in words, and the bytes of its image."""
    number = itertools.count()
    for name in names:
        for row, content in enumerate(encoded_images(tree, name, column), start=1):
            yield next(number), f"{tree.show(name)}: row {row}, column '{plain(column, 80)}'", content


def _write_numbers(spec: DataSpec, table: Table, folder: Path) -> None:
    """Read the numbers in the rows' cells."""
    columns = [table.column(column, "data.pixels") for column in spec.pixels]
    images, per_cell = new_images(folder, len(table), spec), spec.channels // len(columns)
    if per_cell * len(columns) != spec.channels:
        raise UserError(
            f"{table.shown}: data.channels = {spec.channels} are not shared evenly by the {len(columns)} columns of data.pixels. Correct "
            "them in competition.toml."
        )
    for row in range(len(table)):
        parts = [
            _pixels(cells[row], spec, per_cell, table, row, c) for c, cells in zip(spec.pixels, columns, strict=True)
        ]
        images[row] = np.concatenate(parts, axis=2)
    images.flush()


def _pixels(cell: str, spec: DataSpec, channels: int, table: Table, row: int, column: str) -> np.ndarray:
    """uint8 (H, W, channels) of one cell."""
    place = table.place(column, row)
    try:
        values = np.array(json.loads(cell) if cell.startswith("[") else cell.split(), dtype=np.float64).ravel()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{place}: holds what is no number ({plain(error, 120)}). Correct the cell.") from error
    height, width = spec.size
    if len(values) != height * width * channels:
        raise UserError(
            f"{place}: has {len(values):,} values; data.size {list(spec.size)} needs {height * width * channels:,}. Correct data.size or "
            "data.channels in competition.toml, or the cell."
        )
    low, high = spec.range or (0.0, 255.0)
    if spec.range is None and not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255):
        raise UserError(
            f"{place}: its values are {values.min():g} to {values.max():g}, not 0 to 255. Say which become black and white: data.range = "
            "[LOW, HIGH] in competition.toml."
        )
    scaled = np.round(255 * np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)).astype(np.uint8)
    return scaled.reshape(height, width, channels)
