"""Which images are trained on and which are predicted, which column of a table is their id, which files belong to a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.base.untrusted_text import counted
from harness.data.files.names import NAMES, PATHS, alike, nfc, other_spellings, without_ending
from harness.data.files.spreadsheets import ENDINGS as SHEETS
from harness.data.guess.inventory import SAMPLE, Images, Inventory, without_letters
from harness.data.guess.targets import Targets, hold_flags, sample_columns
from harness.data.guess.words import of_test, of_training
from harness.data.rows.tables import Table

_ENOUGH = 0.95
_TRIED = 3_000


@dataclass
class Layout:
    """Where rows and pixels are, as [data] has it.

    Attributes
    ----------
    values : keys of [data] with their values
    why : of a key, why
    train_table, sample : the tables of the training rows and of the sample submission, where there are such
    labels_of : labels of the training rows, where folders or names tell them
    unknown : what could not be known, in words
    classes : where they have to be named
    value_column : data.label, where the table is in long format, so that the targets are no columns of it
    """

    values: dict[str, object] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    train_table: tuple[str, Table] | None = None
    sample: tuple[str, Table] | None = None
    id_column: str | None = None
    labels_of: list[str] | None = None
    unknown: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    value_column: str | None = None

    def set(self, key: str, value: object, why: str = "") -> None:
        """Note a value, and why it is one."""
        self.values[key] = value
        if why:
            self.why[key] = why


def find_sample(inventory: Inventory) -> tuple[str, Table] | None:
    """The sample submission, by its name; of several the one that asks for the most rows."""
    named = [n for n in inventory.tables if SAMPLE.search(PurePosixPath(n).name) and not n.lower().endswith(SHEETS)]
    plain = sorted(
        named,
        key=lambda n: (
            "sample" not in n.lower(),
            not re.search("sub|sol|bench", n, re.I),
            -len(inventory.tables[n]),
            len(n),
        ),
    )
    return (plain[0], inventory.tables[plain[0]]) if plain else None


def unread_samples(inventory: Inventory) -> list[str]:
    """What to say of sample submissions in a spreadsheet's format, which is not what a platform takes."""
    names = [n for n in inventory.tables if SAMPLE.search(PurePosixPath(n).name) and n.lower().endswith(SHEETS)]
    return [
        f"what is handed in: {name} is not read as a sample submission; save it as CSV, and name that in submission.sample"
        for name in names
    ]


def train_and_test(inventory: Inventory) -> tuple[Images | None, Images | None, list[Images]]:
    """Folders of the training and of the test images, and those that may be merged with the first (validation).

    A folder in one of the other kind is a class or a part of it ('train/test'), and is not taken.
    """
    inner = [i for i in inventory.images if i.folder != "."]
    train = _outermost([i for i in inner if of_training(_name(i))])
    train.sort(key=lambda i: any(map(of_test, PurePosixPath(i.folder).parent.parts)))
    if train:
        chosen = train[0]
        apart = [i for i in inner if not _nested(i.folder, chosen.folder)]
        test = _outermost([i for i in apart if of_test(_name(i))])
        beside = _outermost([i for i in apart if re.fullmatch(r"val(id|idation)?", _name(i), re.I)])
        return chosen, test[0] if test else None, [i for i in beside if _parent(i) == _parent(chosen)]
    test = _outermost([i for i in inner if of_test(_name(i))])
    if test:
        rest = [i for i in inner if not _nested(i.folder, test[0].folder)]
        return (rest[0] if rest else None), test[0], []
    if not inventory.images:
        return None, None, []
    most = len(inventory.images[0].files)
    whole = [i for i in inventory.images if len(i.files) == most]
    return whole[0], None, []  # one folder for both: the deepest that holds all


def _outermost(found: list[Images]) -> list[Images]:
    """Those that lie in no other one that holds as many images."""

    def inside(images: Images) -> bool:
        return any(images.folder.startswith(f"{o.folder}/") and len(o.files) >= len(images.files) for o in found)

    return [images for images in found if not inside(images)]


def above_classes(inventory: Inventory, train: Images) -> Images | None:
    """The folder above one called 'train' that is a class (of vehicles): its images lie loose in it, as in those beside it, none of which
    is called as a part of the data is; None where it is no class."""
    beside = [i for i in inventory.images if _parent(i) == _parent(train) and i.folder not in (".", train.folder)]
    loose = all("/" not in path for images in (train, *beside) for path in images.below)
    if not beside or not loose or any(map(_is_part, beside)):
        return None
    return next(i for i in inventory.images if i.folder == _parent(train))


def classes_beside_test(inventory: Inventory, train: Images, test: Images | None) -> Images | None:
    """The images of the folders beside the test's, where each is a class: none is called as a part of the data, all images lie loose in
    them, and the test is plain, not packed. None where it is not so."""
    if test is None or _parent(test) != _parent(train):
        return None
    parent = _parent(test)
    classes = [i for i in inventory.images if _parent(i) == parent and i.folder not in (".", test.folder)]
    loose = all("/" not in path for images in classes for path in images.below)
    files = sorted(file for images in classes for file in images.files)
    if len(classes) < 2 or not loose or any(map(_is_part, classes)):
        return None
    return Images(parent, files) if set(files) <= set(inventory.tree.names(parent)) else None


def copy_of_classes(inventory: Inventory, train: Images, tops: set[str]) -> Images | None:
    """The one of several folders that holds folders called as all others are: the whole data again, as some archives have it."""
    for images in inventory.images:
        if len(tops) > 2 and _parent(images) == train.folder and _name(images) in tops:
            inner = {PurePosixPath(path).parts[0] for path in images.below if "/" in path}
            if inner == tops - {_name(images)}:
                return images
    return None


_OF_MASKS = re.compile(r"([_ -](?:mask|masks|seg|segm|segmentation|annotation|gt|groundtruth))[_ -]?\d*$", re.I)


def mask_ending(train: Images) -> str | None:
    """What the names of masks end with that lie beside their images, 'a.png' and 'a_mask.png'; None where there are none."""
    stems = {without_ending(path) for path in train.below}
    ends = Counter(
        found[1] for stem in stems if (found := _OF_MASKS.search(stem)) is not None and stem[: found.start()] in stems
    )
    return ends.most_common(1)[0][0] if ends else None


def _is_part(images: Images) -> bool:
    return bool(_PARTS.search(_name(images)))


_PARTS = re.compile(
    r"train|test|val|dev|hold|extra|unlab|image|img|photo|pict|mask|label|annot|segm|data|ground|thumb", re.I
)
"""What folders beside that of the training images are called, where classes are not."""


def _name(images: Images) -> str:
    return PurePosixPath(images.folder).name


def _parent(images: Images) -> str:
    return PurePosixPath(images.folder).parent.as_posix()


def test_of_sample(inventory: Inventory, train: Images, test: Images | None, asked: Sequence[str]) -> Images | None:
    """The folder that holds most of what the sample submission asks for; everything, where that lies in several folders.

    An id counts where it names one file only. What names tell (`test`) stands unless another folder holds more.
    """

    def held(images: Images | None) -> int:
        return 0 if images is None else _held(images, asked)

    most, best = held(test), test
    if most == len(asked[:_TRIED]):
        return test
    apart = [i for i in inventory.images if not _nested(i.folder, train.folder)]
    plain = set(inventory.tree.names("."))  # what lies packed is not below it
    whole = [i for i in inventory.images if i.folder == "." and plain.issuperset(i.files)]
    for images in (*apart, train, *whole):
        if held(images) > most:
            most, best = held(images), images
    return best


def holds_some(images: Images, asked: Sequence[str]) -> bool:
    """Whether an image of the folder is called as one of these ids."""
    return _held(images, asked) > 0


def _held(images: Images, asked: Sequence[str]) -> int:
    """How many of these ids (of many the first) name one file of the folder, by the spelling that finds the most."""
    wanted = [nfc(i.replace("\\", "/").removeprefix("./")) for i in asked[:_TRIED]]
    named = [Counter(alike(way(p)) for p in images.below) for way in (*NAMES, *PATHS)]

    def held(ids: list[str]) -> int:
        spelt = [alike(i.removeprefix(f"{images.folder}/")) for i in ids]
        return sum(any(count[i] == 1 for count in named) and all(count[i] <= 1 for count in named) for i in spelt)

    plain = held(wanted)
    return plain if plain == len(wanted) else max((plain, *map(held, other_spellings(wanted, images.width))))


def _nested(one: str, other: str) -> bool:
    return "." in (one, other) or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


@dataclass(frozen=True)
class Matched:
    """How a column names images.

    Attributes
    ----------
    column : its name; files : templates where ids alone do not find them; share : of the rows that have an image
    """

    column: str
    files: tuple[str, ...]
    share: float


def id_column_of(table: Table, images: Images) -> Matched | None:
    """The column that names images, and how; None where no column does.

    Where several columns name a file each (pairs of images), they are the row's files, and its id is a column of its own.
    """
    if (several := _file_columns(table, images)) is not None:
        return several
    best: Matched | None = None
    for name, cells in zip(table.header, table.columns, strict=True):
        some = cells[:_TRIED]
        if len(set(some)) < 0.9 * len(some) or not some:
            continue
        share = images.share_named(some)
        if share > (best.share if best else 0.5):
            best = Matched(name, (), share)
    return best if best and best.share >= 0.5 else _by_template(table, images) or _by_columns(table, images)


def _file_columns(table: Table, images: Images) -> Matched | None:
    """Two columns or more that name a file of the folder in each row; None where there are fewer, or no column tells rows apart."""
    files = [name for name in table.header if _names_files(table, name, images)]
    unique = (
        n for n, c in zip(table.header, table.columns, strict=True) if n not in files and len(set(c)) == len(table)
    )
    id_column = next(unique, None)
    if len(files) < 2 or id_column is None:
        return None
    return Matched(id_column, tuple(f"{{{name}}}" for name in files), 1.0)


def names_often(table: Table, images: Images) -> str | None:
    """A column that names images in several rows each, such as boxes; None where there is none."""
    for name, cells in zip(table.header, table.columns, strict=True):
        some = set(map(alike, cells[:_TRIED]))
        if len(some) < len(cells[:_TRIED]) and some and any(some <= known for known in images.spellings):
            return name
    return None


def asked_by_column(
    train_table: Table,
    test_table: tuple[str, Table] | None,
    train: Images,
    test: Images | None,
    sample: tuple[str, Table] | None,
) -> Matched | None:
    """Where the sample submission's ids are no file names, but a column of the test's table, which names each row's file in another:
    that id column, with the other as template; None where names will do."""
    if test_table is None or test is None or sample is None:
        return None
    asked = {nfc(i) for i in sample[1].column(sample_columns(sample[1])[0], "")}
    stems = {nfc(way(p)) for p in test.below for way in (*NAMES, *PATHS)}
    if len(asked & stems) >= 0.5 * len(asked):
        return None
    both = [c for c in test_table[1].header if train_table.has(c)]
    id_column = next((c for c in both if asked <= set(map(nfc, test_table[1].column(c, "")))), None)
    path = next((c for c in both if _names_files(test_table[1], c, test) and _names_files(train_table, c, train)), None)
    if id_column is None or path is None or len(set(train_table.column(id_column, ""))) < len(train_table):
        return None
    return Matched(id_column, (f"{{{path}}}",), 1.0)


def shared_rows(test_table: tuple[str, Table] | None, sample: tuple[str, Table] | None, id_column: str) -> str | None:
    """The column of the test's table that holds the sample submission's ids, several rows having the same; None where there is none."""
    if test_table is None or sample is None:
        return None
    asked = {nfc(i) for i in sample[1].column(sample_columns(sample[1])[0], "")}
    for name, cells in zip(test_table[1].header, test_table[1].columns, strict=True):
        if name != id_column and len(set(cells)) < len(cells) and asked == set(map(nfc, cells)):
            return name
    return None


def _names_files(table: Table, column: str, images: Images) -> bool:
    """Whether a column's cells are paths with ending, of the whole tree or below the folder."""
    some = table.column(column, "")[:_TRIED]
    return sum(alike(c) in images.paths for c in some) >= _ENOUGH * len(some)


def _by_template(table: Table, images: Images) -> Matched | None:
    """Several files a row, '<id>_red.png', or one with more in its name, 'Train_<id>.jpg'."""
    for name, cells in zip(table.header, table.columns, strict=True):
        some = [c for c in cells[:200] if c]
        if len(set(some)) < 0.9 * len(some) or not some or min(map(len, some)) < 2:
            continue
        wanted = set(some)
        patterns = Counter(
            pattern
            for value in wanted
            for pattern in {path.replace(value, "{id}") for path in images.by_part.get(value, ())}
        )
        kept = [p for p, count in patterns.items() if count >= _ENOUGH * len(wanted)]
        if kept:
            return Matched(name, tuple(p.replace("{id}", f"{{{name}}}") for p in sorted(kept, key=_colour_order)), 1.0)
    return None


def _by_columns(table: Table, images: Images) -> Matched | None:
    """Paths that are put together of several columns, '{experiment}/Plate{plate}/{well}_w1.png'; the id is the first column that no two
    rows share."""
    unique = next(
        (n for n, cells in zip(table.header, table.columns, strict=True) if len(set(cells)) == len(cells)), None
    )
    if unique is None or len(table) < 2 or not images.has_folders:
        return None
    tried = [table.row(n) for n in range(0, len(table), max(len(table) // _ROWS_TRIED, 1))]
    templates: dict[str, None] = {}
    for row in tried[:2]:
        columns = sorted((c for c in row if row[c] in images.parts and c != unique), key=lambda c: -len(row[c]))
        for path in images.below[:_PATHS_TRIED] if len(columns) > 1 else ():
            used, parts = set(), []
            for part in re.split(r"([/_.])", path):
                bare = without_letters(part)
                column = next((c for c in columns if row[c] in (part, bare) and c not in used), None)
                used |= {column} if column else set()
                parts.append(part if column is None else f"{part.removesuffix(row[column])}{{{column}}}")
            if len(used) > 1:
                templates["".join(parts)] = None
    kept = [t for t in templates if all(_filled(t, row) in images.whole for row in tried)]
    kept = [t for t in kept if len({_filled(t, row) for row in tried}) == len(tried)]
    return Matched(unique, tuple(sorted(kept)), 1.0) if 0 < len(kept) <= _MOST_FILES else None


_ROWS_TRIED, _PATHS_TRIED, _MOST_FILES = 200, 100_000, 64


def _filled(template: str, row: dict[str, str]) -> str:
    return re.sub(r"\{([^{}]+)\}", lambda match: row[match[1]], template)


def _colour_order(template: str) -> tuple[int, str]:
    """Red, green, blue before others, as RGB has them."""
    order = next((i for i, colour in enumerate(("red", "green", "blue")) if colour in template.lower()), 9)
    return order, template


def label_pattern(names: Sequence[str]) -> tuple[str, list[str]] | None:
    """A pattern by which file names tell a label: 'cat.0.jpg', 'dog_12.png', 'IM_benign_3.png'; None where they do not."""
    stems = [PurePosixPath(n).name for n in names]
    for pattern in (
        r"^([A-Za-z]+)[._-]?\d+\.\w+$",
        r"^([A-Za-z][A-Za-z_-]*?)[._-]\d+[\w.-]*\.\w+$",
        r"^\d+[._-]([A-Za-z]+)\.\w+$",
    ):
        found = [m[1] if (m := re.match(pattern, s)) else None for s in stems]
        labels = [label for label in found if label]
        kinds = Counter(labels)
        if (
            len(labels) >= _ENOUGH * len(stems)
            and 2 <= len(kinds) <= max(len(stems) // 5, 2)
            and min(kinds.values()) > 1
        ):
            alternatives = "|".join(sorted(kinds))
            if len(kinds) <= 12:
                before = pattern.partition("([A-Za-z")[0]
                return (f"^({alternatives})" if before == "^" else pattern), labels
            return pattern, labels
    return None


def labelled_rows(layout: Layout, table: Table, targets: Targets) -> Table:
    """The rows that have a target, of several columns all of them; where others have not, data.where leaves them out (of several labels
    in a cell it may mean: none)."""
    cells = {name: table.column(name, "") for name in targets.label}
    if targets.separator or targets.odd or hold_flags(list(cells.values())):
        return table
    partly = [name for name, told in cells.items() if not all(map(str.strip, told))]
    of_rows = zip(*(cells[name] for name in partly), strict=True)
    kept = [row for row, told in enumerate(of_rows) if all(map(str.strip, told))]
    if not kept:  # all rows are told, or none is
        return table
    where = layout.values.get("where", {})
    assert isinstance(where, dict)
    left_out = f"{counted(len(table) - len(kept), 'row')} without {'a label' if len(cells) == 1 else 'all labels'}: left out of training"
    layout.set("where", {**where, **dict.fromkeys(partly, "?*")}, left_out)
    return table.rows(kept)
