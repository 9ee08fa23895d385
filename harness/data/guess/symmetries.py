"""Which symmetries `init` declares: some training images are decoded small, and their nearest neighbours asked."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition, find_competition
from harness.data.build import Building, stamped
from harness.data.files.archives import FileTree
from harness.data.files.decode import Decoder
from harness.data.files.stacks import open_joined
from harness.data.rows.listing import merged_arrays, pixel_table
from harness.data.symmetries import MOST_ROWS, Evidence, declared, examine

_SIDE, _AT_ONCE, _MOST_BYTES = 64, 100, 256 * 2**20
_SECONDS = 20.0  # images may be large: those that were decoded by then count


@dataclasses.dataclass(frozen=True)
class Guess:
    """Attributes
    ----------
    names : as competition.toml has them; why : in words, "" where there are none
    unread : why the training rows could not be looked at, "" where they could
    """

    names: tuple[str, ...] = ()
    why: str = ""
    unread: str = ""


def guess_symmetries(text: str, tree: FileTree) -> Guess:
    """What the training images say of the competition.toml `text`; nothing where they are not read, or very large tables and arrays.

    tree : the competition's files
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "competition.toml").write_text(text, encoding="utf-8")
        try:
            evidence = _examined(find_competition(Path(folder)), tree)
        except UserError as error:  # harness.data says it better, with all of its rows
            return Guess(unread=str(error).splitlines()[0])
    names = declared(evidence)
    told = [f"{name} {100 * evidence[name].share:.0f} %" for name in names if name in evidence and evidence[name].holds]
    why = f"images changed like this look like the others ({', '.join(told)}; 50 % = no difference seen). Take out what changes the label"
    return Guess(names, why if names else "")


def _examined(competition: Competition, tree: FileTree) -> dict[str, Evidence]:
    building = Building(competition, tree, False, False, False, lambda done, total: None, tree)
    if competition.data.format not in ("image_folder", "image_csv"):
        return _examined_whole(building)
    listing, arrays = building.training_rows()
    rows = np.sort(np.random.default_rng(0).permutation(len(listing.ids))[:MOST_ROWS])
    decoder = dataclasses.replace(Decoder.of(competition.data), height=_SIDE, width=_SIDE, resize="stretch")
    images, rows = _decoded(tree, listing.files, rows, decoder)
    groups = arrays.get("groups")
    return examine(images, arrays["labels"][rows], None if groups is None else groups[rows])


def _examined_whole(building: Building) -> dict[str, Evidence]:
    """Of tables and arrays, which are read from front to end, all rows are decoded first; nothing where that would be many."""
    if _decoded_bytes(building) > _MOST_BYTES:
        return {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows deletes no file that is mapped
        samples = building.write_train(Path(folder))
        assert samples.labels is not None  # training rows always have labels
        rows = np.sort(np.random.default_rng(0).permutation(len(samples))[:MOST_ROWS])
        images, labels, groups = (
            np.array(samples.images[rows]),
            samples.labels[rows].copy(),
            samples.groups[rows].copy(),
        )
        del samples
    return examine(images, labels, groups)


def _decoded_bytes(building: Building) -> int:
    """How large the decoded training images will be, at least about: where rows are not known by a header, as large as the files."""
    competition, tree = building.competition, building.tree
    spec = competition.data
    an_image = spec.size[0] * spec.size[1] * spec.channels
    if spec.is_stack:
        with open_joined(tree, [spec.train, *(array for array, _ in merged_arrays(tree, spec))]) as stack:
            return stack.shape[0] * an_image
    if spec.format == "table_pixels":
        return len(pixel_table(tree, spec.train, spec, True)) * an_image
    return sum(size for _, size, _ in tree.stamp(stamped(competition, tree)))


def _decoded(
    tree: FileTree, files: Sequence[Sequence[str]], rows: np.ndarray, decoder: Decoder
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (m, H, W, C) of the rows that were decoded in time, and these rows."""
    from harness.data.formats.images import decode_row

    def one(row: int) -> np.ndarray | None:
        try:
            return decode_row(tree, files[row], decoder).pixels
        except UserError:  # a broken image is harness.data's affair
            return None

    started, found = time.monotonic(), []
    order = np.random.default_rng(1).permutation(rows).tolist()
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            found += [(row, image) for row, image in zip(some, pool.map(one, some), strict=True) if image is not None]
            if time.monotonic() - started > _SECONDS:
                break
    images = [image for _, image in found]
    shape = (0, decoder.height, decoder.width, decoder.channels)
    return (
        np.stack(images) if images else np.zeros(shape, dtype=np.uint8),
        np.array([row for row, _ in found], dtype=np.int64),
    )
