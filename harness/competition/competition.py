"""A competition: what the platform fixes. Read from competitions/<slug>/competition.toml."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.base.errors import UserError, nearest
from harness.base.process import end_if_run_again
from harness.competition.metrics import METRICS, TWO_CLASS_METRICS
from harness.competition.recipe import DataChoice, Side, Strings, image_that_fits, recipe_names
from harness.competition.schema import Frozen, read_toml, validate

HOOKS = {
    "load_samples": "load_samples(folder: Path, split: 'train' | 'test') -> Samples | None: read what TOML can't describe",
    "build_model": "build_model(height, width, channels, n_classes, **args) -> torch.nn.Module: a model of your own",
    "score": "score(labels, proba) -> float: the competition's metric (metric = 'custom'; greater is better)",
    "to_submission": "to_submission(ids, proba, classes) -> DataFrame: the submission's rows",
    "truth": "truth(ids) -> (kinds int64 (n,), names): true kinds, known from elsewhere, to check clusters against",
    "make_sample": "make_sample(folder: Path) -> None: write the small embedded sample in the true layout",
}


class DataSpec(Frozen):
    """[data]: which files hold what."""

    format: Literal["csv_pixels", "image_folder", "image_csv", "npz", "captioned", "custom"]
    """csv_pixels: one row per image, columns pixel0...; image_folder: train/<class>/*, test/*; image_csv: train/*, test/*
    and a CSV of labels; npz: arrays of numpy; captioned: train/* and a file of captions, no labels; custom: load_samples."""
    size: Annotated[tuple[Side, Side], Field(strict=False)]
    """Height and width in pixels; an image_folder's images are brought to it."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB."""
    background: Literal["white", "grey", "black"] = "white"
    """Images: what shows through where they are transparent."""
    range: Annotated[tuple[float, float], Field(strict=False)] | None = None
    """Images with more than 8 bits a pixel: the values that become black and white, e.g. [0, 4095] for 12 bits stored in 16.
    None = [0, 65535]; images of 32 bits need it."""
    train: str = "train"
    """File or folder of the training images, relative to <data root>/<slug>/. A folder may lie packed beside the other
    files, as train.7z or train.zip for 'train'."""
    merge: Strings = ()
    """image_folder: further folders like `train` whose images are training images too."""
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
    """image_csv: file of the labels."""
    label: str = "label"
    """csv_pixels, image_csv: the label's column. npz: array of the labels, indices of classes, in `train`."""
    id: str | None = None
    """csv_pixels, image_csv: the id's column. Default: the row's number, counted from 1; image_csv: 'id'."""
    images: str = "images"
    """npz: array of the training images, uint8 (n, H, W) or (n, H, W, C), in `train`; ids are its row numbers from 0."""
    test_images: str = "images"
    """npz: array of the test images in `test`."""
    group: str | None = None
    """Regular expression on a training image's id: images whose groups (...) it finds alike, say the same patient, share
    a fold. Where it finds nothing an image stands alone."""
    archive: str | None = None
    """Zip that the platform delivers, read when the files themselves are not there. Default: <slug>.zip."""

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

    @field_validator("train", "test", "labels", "test_captions", "archive")
    @classmethod
    def _inside_the_data_folder(cls, name: str | None) -> str | None:
        return None if name is None else _inside(name)

    @field_validator("merge", "optional", "captions")
    @classmethod
    def _all_inside_the_data_folder(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_inside, names))

    @field_validator("group")
    @classmethod
    def _a_pattern_with_groups(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            import regex  # with a limit of time: see harness.data.groups

            try:
                compiled = regex.compile(pattern)
            except (regex.error, RecursionError, OverflowError) as error:
                raise ValueError(f"is no regular expression: {error}") from None
            if not compiled.groups:
                raise ValueError("needs a group in parentheses: what it matches names the samples' group")
        return pattern


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("must be a file or folder below <data root>/<slug>/")
    return path.as_posix()  # 'train/' is 'train'


class SubmissionSpec(Frozen):
    """[submission]: the file that the platform wants."""

    id: str = "id"
    """Name of the id column."""
    target: str = "label"
    """Name of the prediction's column. With value = "probability" it is for two classes: one column, the probability of the
    second; left out, every class has a column of its own."""
    value: Literal["class", "index", "probability"] = "class"
    """class: the class's name; index: its number; probability: a column per class, or `target` (above)."""
    sample: str | None = None
    """The platform's sample submission; ids and columns are checked against it. None = all test ids, in order."""

    @field_validator("sample")
    @classmethod
    def _inside_the_data_folder(cls, name: str | None) -> str | None:
        return None if name is None else _inside(name)

    @property
    def one_probability(self) -> bool:
        """Whether two classes share the one column `target`, which holds the second's probability."""
        return self.value == "probability" and "target" in self.model_fields_set

    def columns(self, classes: tuple[str, ...]) -> list[str]:
        """The columns of the file beside the id, before the sample submission puts them in its order."""
        return list(classes) if self.value == "probability" and not self.one_probability else [self.target]


class LeaderboardSpec(Frozen):
    """[leaderboard]: on how many rows the platform scores; a forecast's luck depends on it."""

    public_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the test that the public score is of. Where the platform does not say: 1."""
    private_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share that the private score is of; None = there is none, or the platform does not say."""
    counted: Annotated[int, Field(ge=1)] | None = None
    """Rows that are scored at all, where they are fewer than the test has, or the test is hidden; None = all."""

    def rows(self, n_test: int) -> tuple[int, int | None]:
        """Rows of the public and of the private score; n_test = 0: a hidden test. 0 = not known, None = no such score."""
        n = min(n_test or self.counted or 0, self.counted or n_test)
        private = None if self.private_share is None else round(n * self.private_share)
        return round(n * self.public_share), private


class CodabenchSpec(Frozen):
    """[codabench]: where on Codabench it is played."""

    phase: Annotated[int, Field(ge=1)]
    """Number of the phase; it stands in the page's own calls to /api/phases/<phase>/."""
    site: str = "https://www.codabench.org"
    """Address of the instance."""
    column: str | None = None
    """Key of the leaderboard's column that is the score; None = the first."""
    results_file: str = "submission.csv"
    """What a results submission's CSV is called inside its zip."""


class DataSet(Frozen):
    """[sets.NAME]: the same competition on other files; a recipe takes it by `data.set`."""

    data: DataSpec
    submission: SubmissionSpec = SubmissionSpec()


class Competition(Frozen):
    """What a competition fixes: classes, metric, files, submission format. `find_competition` reads it."""

    slug: str
    """The folder's name; set by the loader."""
    folder: Path
    """The folder; set by the loader."""
    title: str
    """Human-readable name."""
    platform: str = "none"
    """Where it is submitted: the name of a file in harness/submit/platforms (kaggle, codabench), or none."""
    url: str = ""
    """The competition's page."""
    dataset: Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+(/\d+)?$")] | None = None
    """OWNER/NAME of a data set on Kaggle that holds its files, where the competition itself is not on Kaggle."""
    metric: str
    """What the leaderboard shows; a name of `harness.competition.metrics`, or 'custom' for `score`."""
    also: Strings = ()
    """Further metrics for tables."""
    classes: Strings = ()
    """Class names, in the order of the label's index. None, with captioned images: rows are clustered."""
    symmetries: Annotated[tuple[Literal["hflip", "vflip", "rot90", "rot180", "rot270"], ...], Field(strict=False)] = ()
    """Changes that leave the label as it is; a TTA view that is not among them draws a warning."""
    data: DataSpec
    submission: SubmissionSpec = SubmissionSpec()
    leaderboard: LeaderboardSpec = LeaderboardSpec()
    codabench: CodabenchSpec | None = None
    sets: dict[str, DataSet] = Field(default={})
    """Tables [sets.NAME.data], [sets.NAME.submission]: other files of the same competition."""
    set: str = ""
    """Which of them `data` and `submission` are; "" = the competition's own. Put in by `using`."""

    @field_validator("platform")
    @classmethod
    def _known_platform(cls, name: str) -> str:
        known = ["none", *_platforms()]
        if name not in known:
            raise ValueError(f"unknown{nearest(name, known)}; known: {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _two_distinct_classes(self) -> Competition:
        if self.is_clustering and self.data.format == "captioned":
            return self
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: needs two classes or more, each named once")
        return self

    @model_validator(mode="after")
    def _one_column_for_two_classes(self) -> Competition:
        for table, spec in (
            ("submission", self.submission),
            *((f"sets.{n}.submission", d.submission) for n, d in self.sets.items()),
        ):
            if spec.one_probability and len(self.classes) != 2:
                raise ValueError(
                    f"[{table}] target = '{spec.target}': with value = \"probability\" it is for two classes; take it out to have "
                    "a column per class"
                )
        return self

    @model_validator(mode="after")
    def _known_metrics(self) -> Competition:
        for name in (self.metric, *self.also):
            if name not in METRICS and name != "custom":
                raise ValueError(f"metric '{name}' is unknown{nearest(name, METRICS)}; known: {', '.join(METRICS)}")
            if name in TWO_CLASS_METRICS and len(self.classes) != 2:
                raise ValueError(f"metric '{name}' is for two classes (the second is the positive one)")
        return self

    def using(self, choice: DataChoice) -> Competition:
        """The competition on the data set that a recipe chose.

        Raises
        ------
        UserError
            If there is no such set (lists those there are).
        """
        if choice.set in ("", self.set):
            return self
        if choice.set not in self.sets:
            raise UserError(
                f"data.set = '{choice.set}': '{self.slug}' has no such data set{nearest(choice.set, self.sets)}; "
                f"known: {', '.join(self.sets) or 'none'}"
            )
        chosen = self.sets[choice.set]
        return self.model_copy(update={"data": chosen.data, "submission": chosen.submission, "set": choice.set})

    @property
    def is_clustering(self) -> bool:
        """Whether nobody gave classes, so that clusters stand for them."""
        return not self.classes

    @property
    def recipes(self) -> list[str]:
        """Names of its recipes."""
        return recipe_names(self.folder)

    def hook(self, name: str) -> Callable[..., Any] | None:
        """The function of that name in competition.py, or None.

        Raises
        ------
        UserError
            If competition.py cannot be imported or has a public function that the harness does not know.
        """
        return _hooks(self.folder / "competition.py").get(name)

    def check_hooks(self) -> None:
        """Look through competition.py.

        Raises
        ------
        UserError
            As `hook`.
        """
        _hooks(self.folder / "competition.py")


def find_competition(name: str | Path) -> Competition:
    """Read a competition by its folder or, for competitions/<slug>, by its slug.

    Raises
    ------
    UserError
        If there is no such competition (lists those there are), or its competition.toml is wrong.
    """
    end_if_run_again()
    folder = Path(name)
    if not (folder / "competition.toml").is_file() and len(folder.parts) == 1:
        folder = Path("competitions") / folder.name
    path = folder / "competition.toml"
    if not path.is_file():
        known = sorted(p.parent.name for p in Path("competitions").glob("*/competition.toml"))
        raise UserError(
            f"'{name}' is no competition: there is no {path}"
            f"{nearest(Path(name).name, known)}. Known here: {', '.join(known) or 'none'} "
            "(a slug is looked up in competitions/ of the current folder)."
        )
    values = read_toml(path)
    for key in ("slug", "folder", "set"):
        if key in values:
            raise UserError(f"{path}: {key}: unknown key; a competition is named after its folder")
    if (folder / "competition.py").is_file() and not _is_own(folder):
        _say_code(folder)
    folder = folder.resolve()
    return validate(Competition, {**values, "slug": folder.name, "folder": folder}, str(path))


_said: set[Path] = set()


def _is_own(folder: Path) -> bool:
    """Whether a competition lies below the current folder, or comes with the harness."""
    place, beside = folder.resolve(), Path(__file__).resolve().parent.parent.parent / "competitions"
    return Path.cwd() in place.parents or beside in place.parents


def _say_code(folder: Path) -> None:
    """competition.py is code, and runs as the user: that is said where it comes from elsewhere, once in a command."""
    import multiprocessing

    path = (folder / "competition.py").resolve()
    if path not in _said and multiprocessing.parent_process() is None:
        _said.add(path)
        print(f"note: {path} is code that runs with your rights; look at it if it is not yours", file=sys.stderr)


def _platforms() -> list[str]:
    """By the names of their files; nothing of that later stage is imported."""
    folder = Path(__file__).parent.parent / "submit" / "platforms"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def _hooks(path: Path) -> dict[str, Callable[..., Any]]:
    if not path.is_file():
        return {}
    module = _import(path)
    own = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    for name in own:
        if name not in HOOKS:
            known = "\n  ".join(HOOKS.values())
            raise UserError(
                f"{path}: function '{name}' is none that the harness calls{nearest(name, HOOKS)}. Rename it, or prefix "
                f"it with _ if it is your own helper. Known:\n  {known}"
            )
    return own


def _import(path: Path) -> ModuleType:
    name = "competition_" + path.parent.name.replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # a .py path always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: could not be imported: {type(error).__name__}: {error}") from error
    return module
