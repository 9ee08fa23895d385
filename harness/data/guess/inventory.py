"""What lies there: tables with their columns, folders of images with their sizes, arrays. Nothing is interpreted yet."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from harness.base.errors import UserError
from harness.base.untrusted_text import listed
from harness.competition.data_spec import is_array_file
from harness.data.files.archives import FileTree, is_hidden, walk
from harness.data.files.csv_tables import read_rows, separator
from harness.data.files.decode import is_image
from harness.data.files.embedded import is_embedding, is_tfrecord
from harness.data.files.names import alike, base, nfc, number_width, other_spellings, stem, without_ending
from harness.data.files.packed import kind_of
from harness.data.files.spreadsheets import ENDINGS as SHEETS
from harness.data.files.stacks import open_stack
from harness.data.formats.npz import members_of_npz
from harness.data.guess.shards import as_patterns, of_one_size
from harness.data.rows.tables import Table, read_table

_TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", *SHEETS)
_TEXT = ".txt"  # a table where it lists files; else a note to people


SAMPLE = re.compile(
    r"sample.?sub|submission|sample_solution|benchmark|^sample(?!s[._ ]|.*(label|meta|sheet|info|annot|attrib|feature|clinic|key|map|list))",
    re.I,
)
"""What a sample submission is called; 'samples.csv', 'sample_labels.csv' and 'sample_metadata.csv' are of samples."""


def without_letters(part: str) -> str:
    """'12' of 'Plate12'."""
    return re.sub("^[A-Za-z]*", "", part)


@dataclass(frozen=True)
class Images:
    """Image files below one folder.

    Attributes
    ----------
    folder : relative to the data's folder; "." = the folder itself
    files : their names, sorted
    """

    folder: str
    files: list[str]

    @cached_property
    def below(self) -> list[str]:
        """Their paths below the folder."""
        return self.files if self.folder == "." else [f.removeprefix(f"{self.folder}/") for f in self.files]

    @cached_property
    def spellings(self) -> list[set[str]]:
        """What a table may call them, a set for each way: names without ending or with it, paths below the folder, whole paths."""
        return [
            {nfc(stem(p)) for p in self.below},
            {alike(base(p)) for p in self.below},
            {alike(p) for p in self.below} | {nfc(without_ending(p)) for p in self.below},
            {alike(p) for p in self.files},
        ]

    @cached_property
    def paths(self) -> set[str]:
        """As a table may write their paths, of the whole tree or below the folder."""
        return {alike(p) for p in (*self.files, *self.below)}

    @cached_property
    def width(self) -> int | None:
        """Of their names that are numbers, see `number_width`."""
        return number_width(self.below)

    @cached_property
    def by_part(self) -> dict[str, list[str]]:
        """Paths below the folder by what stands in their names before or behind the first or the last '_' or '-'."""
        found: dict[str, list[str]] = {}
        for path in self.below:
            name = stem(path)
            cuts = {name.find("_"), name.rfind("_"), name.find("-"), name.rfind("-")} - {-1}
            for part in {part for cut in cuts for part in (name[:cut], name[cut + 1 :])}:
                found.setdefault(part, []).append(path)
        return found

    @cached_property
    def whole(self) -> set[str]:
        """Paths below the folder, as they are."""
        return set(self.below)

    @cached_property
    def has_folders(self) -> bool:
        """Whether there are folders in it."""
        return any("/" in path for path in self.below)

    @cached_property
    def parts(self) -> set[str]:
        """What stands between '/', '_' and '.' in the paths below the folder, also without the letters in front."""
        parts = {part for path in self.below for part in re.split("[/_.]", path)}
        return parts.union(map(without_letters, parts)) - {""}

    def share_named(self, cells: Sequence[str]) -> float:
        """The share of these cells that name an image, by the spelling that finds the most: also paths of another machine, and numbers
        that lost their leading zeros."""
        if not cells:
            return 0.0
        ids = [nfc(cell.replace("\\", "/").removeprefix("./")) for cell in cells]
        share = self._share(ids)
        return share if share == 1 else max((share, *map(self._share, other_spellings(ids, self.width))))

    def _share(self, ids: Sequence[str]) -> float:
        return max(sum(alike(i) in known for i in ids) for known in self.spellings) / len(ids)


@dataclass(frozen=True)
class Inventory:
    """What a folder or zip holds.

    Attributes
    ----------
    tree : to read it by
    tables : by name
    images : folders with images, each with everything below it, the most images first
    arrays : names of .npz files
    stacks : arrays of all images or of what is known of each row (.npy, IDX, members of an .npz), with their shapes; {} where each .npy is
        an image
    aside : tables of the same images in other sizes, which are not read
    pixels : names of the tables with a column for each pixel, of which the first rows alone were read
    unread : tables that could not be read, with the reason
    others : files of other kinds, which are not looked at
    """

    tree: FileTree
    tables: dict[str, Table]
    images: list[Images]
    arrays: list[str]
    pixels: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    stacks: dict[str, tuple[int, ...]] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)


def take_stock(tree: FileTree) -> Inventory:
    """Look through a folder or zip.

    Raises
    ------
    UserError
        If there is nothing in it that could be a competition's data.
    """
    names = all_names(tree)
    images = _image_folders([n for n in names if is_image(n)])
    everything = next((i for i in images if i.folder == "."), Images(".", []))
    tables: dict[str, Table] = {}
    pixels: set[str] = set()
    unread: dict[str, str] = {}
    patterns, aside = of_one_size(as_patterns(names))
    if sum(is_image(name) for name in names if not is_array_file(name)) > _STRAY:  # the same images as files
        patterns = [name for name in patterns if not is_tfrecord(name)]
    for name in patterns:
        ending = PurePosixPath(name).suffix.lower()
        if (
            not (ending in (*_TABLES, _TEXT) or is_embedding(name))
            or _is_by_the_way(name)
            or (ending == _TEXT and not _lists_files(tree, name))
        ):
            continue
        try:
            if (wide := _wide_csv(tree, name, everything)) is not None:
                tables[name] = wide
                pixels.add(name)
            else:
                tables[name], twice = _told_apart(read_table(tree, name, "the file's name"))
                if twice:
                    unread[name] = (
                        f"{tree.show(name)}: columns named {listed(twice)}, of which there are two or more each"
                    )
        except UserError as error:
            bare = _header_alone(tree, name)
            if bare is not None:
                tables[name] = bare
            else:
                unread[name] = str(error)
    arrays = [n for n in names if n.lower().endswith(".npz")]
    stacks = stacks_among(tree, names, tables)
    if stacks:
        images = []
    if not (tables or images or arrays or stacks):
        held = Counter(PurePosixPath(n).suffix.lower() or "no ending" for n in names)
        kinds = ", ".join(f"{count:,} with {ending}" for ending, count in held.most_common(8)) or "nothing"
        cure = _PICKLED if held.keys() & {".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth"} else ""
        raise UserError(
            f"{tree.path}: holds no table, no image and no array; it holds {kinds}. {cure or 'Name the folder or zip of the data.'}"
        )
    known = {
        *tables,
        *unread,
        *arrays,
        *stacks,
        *(part for n in (*tables, *unread, *aside) for part in tree.matching(n)),
    }
    others = [n for n in names if n not in known and not is_image(n) and not _is_by_the_way(n)]
    return Inventory(tree, tables, images, arrays, pixels, unread, others, stacks, aside)


_PICKLED = (
    "Pickled files can run code when they are read, so that they are not. Where you trust them, load them yourself and save images and labels "
    "by numpy.save (docs/layouts.md, 'All images in one array')."
)


_MOST_STACKS, _LEAST_PIXELS, _STRAY = 64, 49, 4


def stacks_among(tree: FileTree, names: Sequence[str], tables: Mapping[str, Table]) -> dict[str, tuple[int, ...]]:
    """Shapes of the files that are arrays with something for each row, where any of them is of images; {} where each is one image.

    So it is where there are other images (a few, a logo, do not count), very many, three of one shape that are called by numbers, or where
    a table names them.
    """
    files = [name for name in names if is_array_file(name)]
    if not files or len(files) > _MOST_STACKS or _are_named(files, tables):
        return {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name in files:
        with contextlib.suppress(UserError), open_stack(tree, name) as stack:
            shapes[name] = stack.shape
    for name in (n for n in names if n.lower().endswith(".npz")):
        with contextlib.suppress(UserError):
            shapes |= members_of_npz(tree, name)
    numbered = Counter(shape for name, shape in shapes.items() if re.fullmatch(r"\d+", PurePosixPath(name).stem))
    strays = sum(is_image(name) for name in names if name not in files)
    rows = rows_told(shapes, tables)
    stacks = [shape for shape in shapes.values() if holds_images(shape, rows)]
    if not stacks or max(numbered.values(), default=0) > 2 or _STRAY * strays > max(shape[0] for shape in stacks):
        return {}
    return shapes


def _are_named(files: Sequence[str], tables: Mapping[str, Table]) -> bool:
    """Whether a table has a column of these files' names."""
    images = Images(".", sorted(files))
    columns = (cells for table in tables.values() for cells in table.columns if len(cells) > 1)
    return len(files) > 1 and any(images.share_named(cells) >= 0.5 for cells in columns)


def rows_told(shapes: Mapping[str, tuple[int, ...]], tables: Mapping[str, Table]) -> set[int]:
    """How many rows arrays and tables have that say one thing, or several, of each row."""
    known = {shape[0] for shape in shapes.values() if math.prod(shape[1:]) < _LEAST_PIXELS}
    return known | {
        len(table) + more for table in tables.values() for more in (0, 1)
    }  # one more: a line that is no header


def holds_images(shape: tuple[int, ...], rows: Collection[int]) -> bool:
    """Whether an array has an image in each row; of less than four axes only if it has as many rows as others have that say something of
    each row, since it might be an image itself, or columns.
    """
    if len(shape) == 4:
        return math.prod(shape[1:]) > 1
    return shape[0] in rows and len(shape) in (2, 3) and math.prod(shape[1:]) >= _LEAST_PIXELS


def all_names(tree: FileTree) -> list[str]:
    """Every file, those in packed folders ('train.zip' is 'train/...') among them; hidden ones are left out."""
    if tree.is_zip:
        top = sorted(tree.files)
    else:
        top = [name.removeprefix("/").removeprefix("./") for name in walk(tree.path, "")]
    found = []
    for name in top:
        if is_hidden(name):
            continue
        kind = kind_of(name)
        bare = name[: -len(kind)] if kind else ""
        if kind == ".gz" and not (is_array_file(bare) or bare.lower().endswith(_TABLES)):
            kind = None  # of a volume (.nii.gz) or a log nothing is read
        if kind and bare and kind != ".npz":
            found += tree.names_in_packed(name) or [name]
            continue
        found.append(name)
    return sorted(set(found))


def _told_apart(table: Table) -> tuple[Table, list[str]]:
    """Without the columns of which several have one name, so that none can be named; and these names."""
    twice = [name for name, n in Counter(table.header).items() if n > 1]
    if not twice or len(twice) == len(set(table.header)):
        return table, []
    kept = [place for place, name in enumerate(table.header) if name not in twice]
    return replace(table, header=[table.header[p] for p in kept], columns=[table.columns[p] for p in kept]), twice


def _header_alone(tree: FileTree, name: str) -> Table | None:
    """A sample submission that has columns and no rows; None where it is something else."""
    if not SAMPLE.search(PurePosixPath(name).name) or PurePosixPath(name).suffix.lower() not in (".csv", ".tsv"):
        return None
    try:
        with tree.open(name) as file:
            header, rows = read_rows(file, tree.show(name))
    except UserError:
        return None
    return None if rows else Table(header, [[] for _ in header], tree.show(name))


def _lists_files(tree: FileTree, name: str) -> bool:
    """Whether a text begins with the name of an image: the line is no header."""
    with tree.open(name) as file:
        first = next(iter(_first_lines(file, 1)), "")
    return is_image(next(iter(re.split(r"[\s,;]+", first.strip()))))


def _is_by_the_way(name: str) -> bool:
    """Files that tools leave."""
    return PurePosixPath(name).name in ("download.json", "dataset-metadata.json", "package.json")


def _wide_csv(tree: FileTree, name: str, images: Images) -> Table | None:
    """Of a CSV of pixels (hundreds of columns) the first rows only; None where it is no such table: a sample submission, or one of which
    a column names images that are there."""
    if not name.lower().endswith((".csv", ".tsv")) or SAMPLE.search(PurePosixPath(name).name):
        return None
    with tree.open(name) as file:
        lines = list(_first_lines(file, 60))
    try:
        rows = list(csv.reader(lines, delimiter=separator("".join(lines[:1]))))
    except csv.Error:  # said when it is read as a table
        return None
    if not rows or len(rows[0]) < 64 or len(rows) < 2:
        return None
    numeric = sum(bool(re.fullmatch(r"\d{1,3}", cell.strip())) for cell in rows[1])
    if numeric < 0.9 * len(rows[0]):
        return None
    header, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    table = Table(header, [[row[c] for row in body] for c in range(len(header))], tree.show(name))
    return None if _names_images(table, images) else table


def _names_images(table: Table, images: Images) -> bool:
    """Whether a column has another image's name in each of most rows."""
    bare = (
        [base(cell.replace("\\", "/")) for cell in cells] for cells in table.columns if len(set(cells)) == len(cells)
    )
    return bool(images.files) and any(images.share_named(cells) >= 0.5 for cells in bare)


def _first_lines(file: Any, n: int) -> list[str]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    return [line for _, line in zip(range(n), text, strict=False)]


def _image_folders(files: list[str]) -> list[Images]:
    """Every folder that has images somewhere below it, the most images first; of equally many the deepest."""
    below: dict[str, list[str]] = {}
    for name in files:
        for parent in PurePosixPath(name).parents:
            below.setdefault(parent.as_posix(), []).append(name)
    folders = [Images(folder, sorted(found)) for folder, found in below.items()]
    return sorted(folders, key=lambda i: (-len(i.files), -len(PurePosixPath(i.folder).parts) if i.folder != "." else 0))
