"""[data] and [submission] of competition.toml: where rows, targets and pixels are, and what the platform wants back."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from harness.base.errors import UserError, needs
from harness.competition.recipe import (
    DataChoice,
    Fill,
    Resize,
    Share,
    Side,
    Strings,
    check_framing,
    image_that_fits,
)
from harness.competition.schema import Frozen, Later

Names = Annotated[tuple[str, ...], Field(strict=False)]
Where = dict[str, Annotated[Names, BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]]


_READ_BY = {
    "merge": ("image_folder", "table_pixels", "arrays"),
    "merge_labels": ("arrays", "image_csv"),
    "label_pattern": ("image_folder",),
    "files": ("image_csv",),
    "pixels": ("table_pixels",),
    "join": ("image_csv", "image_folder", "arrays"),
    "long": ("image_csv",),
    "where": ("image_csv", "table_pixels", "arrays"),
    "test_where": ("image_csv", "table_pixels", "arrays"),
    "group_by": ("image_csv", "table_pixels", "csv_pixels", "arrays"),
    "weight": ("image_csv", "table_pixels", "csv_pixels", "arrays"),
    "fold": ("image_csv", "table_pixels", "arrays"),
}
"""Keys of [data] that only some formats read, arrays where they have a table of labels; of class folders `join` names the table that
`group_by` and `weight` are columns of."""

_ARRAY_FILES = re.compile(r"\.npy$|idx\d-ubyte$|\.idx\d?$", re.I)


def is_array_file(name: str) -> bool:
    """Whether a file's name ends as that of one array: numpy's .npy, or IDX ('train-images-idx3-ubyte')."""
    return bool(_ARRAY_FILES.search(name))


def is_pattern(long: str) -> bool:
    """Whether a `long` is a pattern of ids, not a column."""
    return "{" in long


def _pattern_or_column(long: str) -> str:
    if not long.strip():
        raise ValueError("is empty; leave it out, or name a column or a pattern")
    made = re.fullmatch(r"[^{}]*(\{id\}[^{}]+\{class\}|\{class\}[^{}]+\{id\})[^{}]*", long)
    if is_pattern(long) and not made:
        raise ValueError(
            'must be a column, or a pattern with {id} and {class} and something between the two, as "{id}_{class}"'
        )
    return long


PatternOrColumn = Annotated[str, AfterValidator(_pattern_or_column)]


class DataSpec(Later):
    """[data]: which files hold what."""

    later: ClassVar[tuple[str, ...]] = (
        "resize",
        "fill",
        "fits",
        "weight",
        "features",
        "categories",
        "features_from",
        "where",
        "test_where",
        "merge_labels",
        "long",
    )

    format: Literal["csv_pixels", "table_pixels", "image_folder", "image_csv", "npz", "arrays", "captioned", "custom"]
    """csv_pixels: one row per image, columns pixel0...; table_pixels: rows of a table whose cells hold an image each; image_folder:
    train/<class>/*, test/*; image_csv: train/*, test/* and a table of labels; npz: images and labels in one file of numpy's; arrays:
    `train`, an array of all images, and `labels`, an array or a table of their rows in the same order (or the folders train/*.npy and
    test/*.npy: images, labels, ids, groups); captioned: train/* and a file of captions, no labels; custom: load_samples."""
    size: Annotated[tuple[Side, Side], Field(strict=False)]
    """Height and width in pixels, or one number for both; images in files are brought to it."""
    channels: Annotated[int, Field(ge=1, le=64)] = 3
    """1 = grey, 3 = RGB; with several `files` a row, so many in all: one of each, or three."""
    resize: Resize = "stretch"
    """How images in files are brought to `size`, in its middle. stretch: height and width each, the shape is lost; fit: the shape is
    kept, what is left of the frame is filled; cover: the shape is kept, what sticks out of the frame is cut off; scale: as fit, but
    at one scale for all images, so that a pixel keeps its meaning."""
    fill: Fill = "edge"
    """fit, scale: what the rest of the frame holds. edge: the image's outermost pixels; mean: its own mean; constant: `background`;
    reflect: the image mirrored."""
    fits: Share = 0.98
    """scale: this share of the training images fits the frame, and the scale is the largest at which it does; images that are larger
    are shrunk to fit, and counted in a note. Test images have no say."""
    background: Literal["white", "grey", "black"] = "white"
    """Images: what shows through where they are transparent, and the rest of the frame with fill = "constant"."""
    range: Annotated[tuple[float, float], Field(strict=False)] | None = None
    """Images with more than 8 bits a pixel: the values that become black and white, e.g. [0, 4095] for 12 bits stored in 16.
    None = [0, 65535]; images of 32 bits need it."""
    train: str = "train"
    """File or folder of the training images, relative to <data root>/<slug>/. A folder may lie packed beside the other
    files, as train.7z or train.zip for 'train'; array X of train.npz or train.h5 is 'train/X.npy'. Of a table in Parquet or TFRecord a
    pattern for its parts: 'train-*.parquet'."""
    merge: Strings = ()
    """image_folder, table_pixels, arrays: further folders, tables or arrays like `train` whose images are training images too."""
    merge_labels: Strings = ()
    """arrays: of each of `merge` the array or table of its rows, like `labels`. image_csv: further tables like `labels`, whose images lie in
    `train` too."""
    test: str | None = "test"
    """File or folder of the test images, or None where the test is hidden."""
    optional: Strings = ()
    """Files and folders of this table and of [submission] that may be missing: the competition then has none."""
    captions: Strings = ("captions.txt",)
    """captioned: file of the captions, the first of these that is there: lines 'image,caption' under that header, or
    'image#number<tab>caption'. Where `train` is such a file itself, there are captions only."""
    test_captions: str | None = None
    """captioned: the captions of the test images; None = they have none."""
    labels: str = "trainLabels.csv"
    """image_csv, arrays: file of the labels."""
    label: Names = ("label",)
    """csv_pixels, table_pixels, image_csv, arrays: the target's column, or a list of columns: one-hot, a label each, a number each. npz:
    array of the labels, indices of classes or their names as text, in `train`."""
    long: PatternOrColumn | None = None
    """image_csv: `labels` has a row for each image and class; this says which class: a pattern of the id's cells, "{id}_{class}", or a
    column. `label` is the column of the values; named here too, a row says that its image has the label in it."""
    separator: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    """Several labels in one cell: what stands between them, e.g. " "."""
    label_pattern: str | None = None
    """image_folder: regular expression on a training image's path below the folder; what its groups (...) match is the label, as in
    '^(cat|dog)'. Default: the label is the first folder."""
    id: str | None = None
    """csv_pixels, table_pixels, image_csv, arrays: the id's column. Default: the row's number, counted from 1 (arrays: from 0); image_csv:
    'id'."""
    files: Names = ()
    """image_csv: where a row's image is below `train` or `test`, e.g. '{id}.jpg', '{file_name}' (any column). Several: each a part of
    the channels, as '{id}_red.png', '{id}_green.png'. Default: found by its id."""
    pixels: Names = ()
    """table_pixels: the columns that hold an image: numbers in a string or a list; several columns are channels. Or one column of encoded
    images in Parquet or TFRecord: bytes, or {"bytes": ..., "path": ...}, of which '<column>.path' is a column too."""
    test_rows: str | None = None
    """image_csv, arrays: table that names the test rows, with the same id column, where it is no sample submission."""
    where: Where = Field(default={})
    """image_csv, table_pixels, arrays: which rows of `labels`, or of `train`, count: of each named column the values, or patterns as of file
    names, of which a row has one: {split = ["train", "val"]}; "?*" is any cell that is not empty, so that {level = "?*"} leaves out
    what has no label."""
    test_where: Where = Field(default={})
    """The same of `test_rows` (image_csv, arrays; left out, of `labels`), or of `test`, which may be the training rows' table."""
    join: JoinSpec | None = None
    """image_csv, image_folder: another table whose columns `group_by` and `weight`, of image_csv `files`, may name too; of image_folder
    its ids are paths below `train`."""
    group_by: Names = ()
    """image_csv, table_pixels, csv_pixels, arrays: columns of the training table; rows with equal values, say of one patient, share a fold."""
    weight: str | None = None
    """image_csv, table_pixels, csv_pixels, arrays: column of the training table with a number >= 0 for each row, its weight in the training loss
    (scaled so that a fold's training rows weigh 1 in the mean); scores stay unweighted."""
    images: str = "images"
    """npz: array of the training images, uint8 (n, H, W) or (n, H, W, C), in `train`; ids are its row numbers from 0."""
    test_images: str = "images"
    """npz: array of the test images in `test`."""
    group: str | None = None
    """Regular expression on a training image's id: images whose groups (...) it finds alike, say the same patient, share
    a fold. Where it finds nothing an image stands alone. Beside `group_by` (or groups that the data give) images share a fold that either
    joins."""
    archive: str | None = None
    """Zip that the platform delivers, read when the files themselves are not there. Default: <slug>.zip."""

    fold: str | None = None
    """image_csv, table_pixels, arrays: column of the training table that holds each row's fold, 0 to k - 1, where the folds are given."""
    features: Names = ()
    """Columns that models get beside the images: names or patterns ('margin*') of the training table, which the test's table must have
    too; "image.height", "image.width": pixels of each image before it was brought to `size`. Numbers, or text: categories."""
    categories: Names = ()
    """Those of `features`, names or patterns, whose numbers are names: the number of a site, a code."""
    features_from: FeaturesFrom | None = None
    """Other table or tables that hold the columns of `features`, by id: "file.csv", or {file = "file.csv", id = "name"}."""

    @field_validator("size", mode="before")
    @classmethod
    def _one_number_is_a_square(cls, size: object) -> object:
        return (size, size) if isinstance(size, int) and not isinstance(size, bool) else size

    @field_validator("features_from", mode="before")
    @classmethod
    def _a_file_is_a_table(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str | list) else value

    @field_validator("label", "files", "pixels", "group_by", "features", "categories", mode="before")
    @classmethod
    def _one_name_is_a_list_of_one(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names

    @field_validator("size")
    @classmethod
    def _an_image_that_fits(cls, size: tuple[int, int]) -> tuple[int, int]:
        return image_that_fits(size)

    @field_validator("range")
    @classmethod
    def _from_low_to_high(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and bounds[0] >= bounds[1]:
            raise ValueError("must be [LOW, HIGH] with LOW below HIGH")
        return bounds

    @field_validator("train", "test", "labels", "test_captions", "test_rows", "archive")
    @classmethod
    def _inside_the_data_folder(cls, name: str | None) -> str | None:
        return None if name is None else _inside(name)

    @field_validator("merge", "merge_labels", "optional", "captions")
    @classmethod
    def _all_inside_the_data_folder(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_inside, names))

    @model_validator(mode="after")
    def _one_column_of_values(self) -> DataSpec:
        if self.long is not None and self.long == (self.id or "id"):
            raise ValueError(f"data.long = '{self.long}': is the id's column too; name that of the classes")
        if self.long is not None and (len(self.label) > 1 or self.separator is not None):
            key = "label" if len(self.label) > 1 else "separator"
            raise ValueError(
                f'data.{key}: with data.long there is one value or one label in a row: label = "value", no separator'
            )
        return self

    @field_validator("group", "label_pattern")
    @classmethod
    def _a_pattern_with_groups(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            with needs("a pattern (data.group, data.label_pattern)", "regex"):
                import regex  # with a limit of time: see harness.data.rows.groups

            try:
                compiled = regex.compile(pattern)
            except (regex.error, RecursionError, OverflowError) as error:
                raise ValueError(f"is no regular expression: {error}") from None
            if not compiled.groups:
                raise ValueError("needs a group in parentheses: what it matches names the samples' group")
        return pattern

    @model_validator(mode="after")
    def _pixels_of_a_table(self) -> DataSpec:
        if self.format == "table_pixels" and not self.pixels:
            raise ValueError("data.pixels: missing; table_pixels needs the columns that hold the images")
        return self

    @model_validator(mode="after")
    def _labels_of_what_is_merged(self) -> DataSpec:
        of_images = [self.train, *self.merge]
        twice = next((name for place, name in enumerate(of_images) if name in of_images[:place]), None)
        if twice is not None:
            raise ValueError(f"data.merge: '{twice}' is trained on already; name it once")
        if self.is_stack and self.test in self.merge:
            raise ValueError(f"data.merge: '{self.test}' holds the test images (data.test)")
        if self.is_stack and len(self.merge) != len(self.merge_labels):
            raise ValueError(
                f"data.merge_labels: names {len(self.merge_labels)}, but data.merge names {len(self.merge)}; each array of images needs the one of "
                "its labels"
            )
        return self

    @model_validator(mode="after")
    def _channels_of_the_files(self) -> DataSpec:
        n = len(self.files)
        if n > 1 and self.channels not in (n, 3 * n):
            raise ValueError(
                f"data.channels = {self.channels}: a row has {n} files; write {n} (one of each) or {3 * n} (three)"
            )
        return self

    @model_validator(mode="after")
    def _keys_that_are_read(self) -> DataSpec:
        """A key that its format does not read would be believed: that patients share a fold, say."""
        for key, formats in _READ_BY.items():
            has_table = self.format != "arrays" or self.is_stack
            if not getattr(self, key) or key not in self.model_fields_set or (self.format in formats and has_table):
                continue
            by_rows = key in ("group_by", "weight", "fold")
            if by_rows and self.format == "image_folder":
                if key == "fold" or self.join is None:
                    cure = (
                        "name the one with this column: data.join"
                        if key != "fold"
                        else "give a table of labels: image_csv"
                    )
                    also = (
                        "; or say by a pattern on the file's name who belongs together: data.group"
                        if key == "group_by"
                        else ""
                    )
                    raise ValueError(f"data.{key}: class folders have no table; {cure}{also}")
                continue
            if self.format in formats:
                beside = {"group_by": "groups.npy", "weight": "weight.npy", "fold": "fold.npy"}.get(key)
                cure = f"; beside images.npy in a folder {beside} says it" if beside else ""
                raise ValueError(
                    f"data.{key}: of arrays it is read where data.train is one array of all images, as in 'X.npy'{cure}"
                )
            given = {"group_by": "groups", "weight": "weights", "fold": "folds"}.get(key)
            cure = f"; with format = 'custom' load_samples gives {given}" if given else ""
            raise ValueError(
                f"data.{key}: format = '{self.format}' does not read it; it is of {' and '.join(formats)}{cure}"
            )
        return self

    @model_validator(mode="after")
    def _keys_that_do_something(self) -> DataSpec:
        given = self.model_fields_set
        check_framing(self.resize, self.fill if "fill" in given else None, self.fits if "fits" in given else None)
        return self

    def chosen(self, choice: DataChoice) -> DataSpec:
        """With the size and the way to it that a recipe chose.

        Raises
        ------
        UserError
            If it chose what does nothing.
        """
        keys = ("size", "resize", "fill", "fits")
        wanted = self.model_copy(update={k: getattr(choice, k) for k in keys if getattr(choice, k) is not None})
        try:
            check_framing(wanted.resize, choice.fill, choice.fits)
        except ValueError as error:
            raise UserError(f"[data] of the recipe: {error}, or choose another data.resize") from error
        return wanted

    @property
    def is_stack(self) -> bool:
        """Whether `train` is one array of all images, whose rows a table or another array describes."""
        return self.format == "arrays" and is_array_file(self.train)

    @property
    def way(self) -> str:
        """How images are brought to `size`, in a word that is part of a file's name: what would give other pixels has another."""
        told: dict[str, list[str]] = {"fit": [self.fill], "scale": [self.fill, f"{self.fits:g}"]}
        return "-".join([self.resize, *told.get(self.resize, [])])

    @model_validator(mode="after")
    def _columns_that_are_declared(self) -> DataSpec:
        for name in ("categories", "features_from"):
            if getattr(self, name) and not self.features:
                raise ValueError(f"data.{name}: needs data.features, which columns are used")
        if self.features and self.format == "captioned":
            raise ValueError("data.features: format = 'captioned' takes no columns")
        return self

    @property
    def table_of_test(self) -> str | None:
        """image_csv: the table that names the test rows: `test_rows`, or with `test_where` alone that of the labels; None: none does."""
        return self.test_rows or (self.labels if self.test_where else None)

    @property
    def one_label(self) -> str:
        """The target's column, of those formats that have one."""
        return self.label[0]


class JoinSpec(Frozen):
    """[data] join: another table, row by row."""

    file: str
    """The table, relative to <data root>/<slug>/."""
    id: str
    """Its id column."""

    @field_validator("file")
    @classmethod
    def _inside_the_data_folder(cls, name: str) -> str:
        return _inside(name)


class FeaturesFrom(Frozen):
    """[data] features_from: where the columns stand, where that is not the table of labels."""

    file: Names
    """The table, or several whose rows are taken together, relative to <data root>/<slug>/; each row is found by its id."""
    id: str | None = None
    """Its id column; default: data.id."""

    @field_validator("file", mode="before")
    @classmethod
    def _one_file_is_a_list_of_one(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names

    @field_validator("file")
    @classmethod
    def _inside_the_data_folder(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("names no file")
        return tuple(map(_inside, names))


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if name in (".", "./"):
        return "."
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("must be a file or folder below <data root>/<slug>/")
    return path.as_posix()  # 'train/' is 'train'


class LookupSpec(JoinSpec):
    """[submission] lookup: which image and class a row of the sample submission is of, by the columns `submission.id` and `long` of a table."""

    id: str
    """Its column of the images' ids."""


class SubmissionSpec(Later):
    """[submission]: the file that the platform wants."""

    later: ClassVar[tuple[str, ...]] = ("long", "lookup")

    id: str = "id"
    """Name of the id column."""
    target: str = "label"
    """Name of the prediction's column. With value = "probability" it is for two classes: one column, the probability of the
    second; left out, every class has a column of its own."""
    value: Literal["class", "index", "probability", "labels", "onehot", "ranked", "confident", "number"] = "class"
    """class: the class's name; index: its number; probability: a column per class or label, or `target` (above); labels: the names of
    all labels in one cell; onehot: a column of 0 and 1 per class or label; ranked: the k likeliest names in one cell; confident: the likeliest name and its probability in one cell; number: a
    column per number. Default: class; of several labels labels, of numbers number."""
    separator: Annotated[str, Field(min_length=1, max_length=8)] = " "
    """labels, ranked, confident: what stands between two parts of a cell."""
    rows: str | None = None
    """Column of `data.test_rows` that names the submission's row of a test image, where a row is of several images (the views of a
    breast): their outputs are averaged. OOF scores stay by image."""
    long: PatternOrColumn | None = None
    """The file has a row for each image and class, or each image and number, with its value in `target`; this says which: a pattern of
    the id's cells, "{id}_{class}", or a column."""
    lookup: LookupSpec | None = None
    """long: the table that says which image and class each row is of: {file = "lookup.csv", id = "image"}."""
    k: Annotated[int, Field(ge=1)] = 5
    """ranked: so many names."""
    empty: Literal["blank", "likeliest"] = "blank"
    """labels: what a row gets for which no label is given: an empty cell, or the likeliest label."""
    sample: str | None = None
    """The platform's sample submission; ids and columns are checked against it. None = all test ids, in order."""

    @field_validator("sample")
    @classmethod
    def _inside_the_data_folder(cls, name: str | None) -> str | None:
        return None if name is None else _inside(name)

    @model_validator(mode="after")
    def _rows_that_are_known(self) -> SubmissionSpec:
        if self.long is None:
            if self.lookup is not None:
                raise ValueError("submission.lookup: needs submission.long, its column of the classes")
            return self
        if self.sample is None:
            raise ValueError("submission.long: needs submission.sample, which says what rows are asked for")
        if self.value not in ("probability", "number", "onehot"):
            raise ValueError(
                f"submission.long: a row has one value of a class, and value = '{self.value}' is an answer of all; write \"probability\", "
                '"onehot" (0 or 1) or, of numbers, "number"'
            )
        if self.lookup is not None and is_pattern(self.long):
            raise ValueError(
                "submission.long: with submission.lookup it is that table's column of the classes, not a pattern"
            )
        return self

    @property
    def one_probability(self) -> bool:
        """Whether the one column `target` holds the probability of the second of two classes, or of the one label."""
        return self.value == "probability" and "target" in self.model_fields_set and self.long is None

    def columns(self, classes: tuple[str, ...]) -> list[str]:
        """The columns of the file with its values, before the sample submission puts them in its order."""
        return self.answer_columns(classes) if self.long is None else [self.target]

    def answer_columns(self, classes: tuple[str, ...]) -> list[str]:
        """The columns of a table with a row for each image, as `columns`; of a file in long format one for each class."""
        if self.long is not None:
            return list(classes)
        if self.value == "number" and len(classes) == 1 and "target" not in self.model_fields_set:
            return list(classes)
        several = self.value == "onehot" or (self.value == "number" and len(classes) > 1)
        wide = self.value == "probability" and not self.one_probability
        return list(classes) if several or wide else [self.target]
