"""A competition: what the platform fixes. Read from competitions/<slug>/competition.toml."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.base.errors import UserError, nearest
from harness.base.places.competitions import called, competition_folder
from harness.base.places.home import project_home
from harness.base.places.templates import templates_root
from harness.base.terminal import note
from harness.competition.class_file import CLASSES_FILE, read_classes
from harness.competition.data_spec import DataSpec, SubmissionSpec
from harness.competition.recipe import DataChoice, Strings, recipe_names
from harness.competition.schema import Frozen, read_toml, validate
from harness.competition.scoring.registry import find_metric, needs_two_classes
from harness.competition.scoring.spec import parsed, written
from harness.competition.tasks import TASKS, Task

HOOKS = {
    "load_samples": "load_samples(folder: Path, split: 'train' | 'test'[, files: FileTree]) -> Samples | Listing | None: read what TOML can't describe",
    "build_model": "build_model(height, width, channels, n_classes, **args) -> torch.nn.Module: a model of your own; with a parameter columns (how many) it takes those beside the images too",
    "score": "score(labels, proba) -> float: the competition's metric (metric = 'custom'; greater is better)",
    "to_submission": "to_submission(ids, proba, classes) -> DataFrame: the submission's rows",
    "truth": "truth(ids) -> (kinds int64 (n,), names): true kinds, known from elsewhere, to check clusters against",
    "make_sample": "make_sample(folder: Path) -> None: write the small embedded sample in the true layout",
}


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
    task: Literal["single", "binary", "multilabel", "ordinal", "regression"] = "single"
    """What a row's target is: one of several classes, one of two, any of several labels, one of ordered grades, a number or more."""
    metric: str
    """What the leaderboard shows: a name of `harness.competition.scoring`, or a table with its parameters, as {name = "fbeta", beta =
    2}; 'custom' for `score`, with label and greater_is_better where they are not 'custom' and true."""
    also: Strings = ()
    """Further metrics for tables."""
    classes: Strings = ()
    """Names of the classes, in the order of the label's index; of the labels; of the numbers. Left out, they are read from the data and
    kept in classes.txt beside competition.toml (captioned images without are clustered)."""
    classes_read: bool = False
    """Whether `classes` were read from the data; set by the loader."""
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

    @field_validator("classes", mode="before")
    @classmethod
    def _numbers_are_names(cls, names: Any) -> Any:
        """`classes = [0, 1]` names the classes "0" and "1"."""
        if not isinstance(names, list | tuple):
            return names
        return [str(n) if isinstance(n, int) and not isinstance(n, bool) else n for n in names]

    @field_validator("metric", mode="before")
    @classmethod
    def _metric_with_parameters(cls, metric: Any) -> Any:
        return written(metric) if isinstance(metric, dict) else metric

    @field_validator("also", mode="before")
    @classmethod
    def _metrics_with_parameters(cls, metrics: Any) -> Any:
        return tuple(map(written, metrics)) if isinstance(metrics, list | tuple) else metrics

    @model_validator(mode="before")
    @classmethod
    def _values_of_the_task(cls, values: Any) -> Any:
        """What a submission holds, where the task leaves no choice."""
        value = (
            {"multilabel": "labels", "regression": "number"}.get(str(values.get("task")))
            if isinstance(values, dict)
            else None
        )
        if value is None:
            return values
        sets = values.get("sets", {})
        if isinstance(sets, dict):
            sets = {name: _with_value(value, told) if isinstance(told, dict) else told for name, told in sets.items()}
        return _with_value(value, values) | ({"sets": sets} if sets else {})

    @model_validator(mode="after")
    def _classes_of_the_task(self) -> Competition:
        self._check_classes(self.classes)
        return self

    def _check_classes(self, classes: tuple[str, ...]) -> None:
        """Refuse classes, and what depends on them, that do not fit the task (ValueError)."""
        if not classes:
            return  # they are read from the data, or rows are clustered
        bare = [name.strip() for name in classes]
        twice = next((name for name in bare if bare.count(name) > 1), None) if len(set(bare)) < len(bare) else None
        if twice is not None:
            raise ValueError(f"classes: '{twice}' is named twice (blanks around a name do not count)")
        if len(classes) < self.kind.least:
            raise ValueError(
                f"classes: needs two classes or more, each named once; task = '{self.task}' is {self.kind.what}"
            )
        if self.task == "binary" and len(classes) != 2:
            raise ValueError(f"classes: task = 'binary' has two, these are {len(classes)}")
        tables = {"submission": self.submission, **{f"sets.{n}.submission": d.submission for n, d in self.sets.items()}}
        for table, spec in tables.items():
            most = 1 if self.task == "multilabel" else 2
            if spec.one_probability and len(classes) != most:
                raise ValueError(
                    f"[{table}] target = '{spec.target}': with value = \"probability\" it is for two classes; take it out to have "
                    "a column per class; where each row of the file is of an image and a class, say how by long (docs/layouts.md)"
                )

    @model_validator(mode="after")
    def _values_that_fit_the_task(self) -> Competition:
        for table, data in {"data": self.data, **{f"sets.{n}.data": d.data for n, d in self.sets.items()}}.items():
            if data.long is not None and data.label == (data.long,) and self.task != "multilabel":
                raise ValueError(
                    f"{table}.long = '{data.long}': is data.label too, so that an image has any number of labels; write task = \"multilabel\""
                )
        known = {"multilabel": ("labels", "probability", "onehot", "ranked"), "regression": ("number",)}
        fitting = known.get(self.task, ("class", "index", "probability", "onehot", "ranked", "confident"))
        tables = {"submission": self.submission, **{f"sets.{n}.submission": d.submission for n, d in self.sets.items()}}
        for table, spec in tables.items():
            if spec.value not in fitting:
                raise ValueError(
                    f"[{table}] value = '{spec.value}': task = '{self.task}' is {self.kind.what}; write one of: {', '.join(fitting)}"
                )
        return self

    @model_validator(mode="after")
    def _known_metrics(self) -> Competition:
        self._check_metrics(len(self.classes) or None)
        return self

    def _check_metrics(self, n: int | None) -> None:
        """Refuse metrics that are none, or that do not fit so many classes (ValueError); None = how many is not known yet."""
        for name in (self.metric, *self.also):
            if self.kind.is_one_class and n not in (None, 2) and needs_two_classes(name):
                raise ValueError(f"metric '{name}' is for two classes (the second is the positive one)")
            if parsed(name)[0] != "custom":
                find_metric(name, self.kind.of, n)

    @property
    def kind(self) -> Task:
        """What the task makes of targets and outputs."""
        return TASKS[self.task]

    def with_classes(self, classes: tuple[str, ...]) -> Competition:
        """The competition with classes that were read from its data.

        Raises
        ------
        UserError
            If they do not fit the task or the metrics.
        """
        try:
            self._check_classes(classes)
            if not classes:
                raise ValueError("classes: the data hold none")
            self._check_metrics(len(classes))
        except ValueError as error:
            raise UserError(f"{self.folder / 'competition.toml'}: {error} (read from the data)") from error
        return self.model_copy(update={"classes": classes, "classes_read": True})

    def using(self, choice: DataChoice) -> Competition:
        """The competition on the data set that a recipe chose.

        Raises
        ------
        UserError
            If there is no such set (lists those there are).
        """
        if choice.set in ("", self.set):
            self.data.chosen(choice)
            return self
        if choice.set not in self.sets:
            raise UserError(
                f"data.set = '{choice.set}': '{self.slug}' has no such data set{nearest(choice.set, self.sets)}; "
                f"known: {', '.join(self.sets) or 'none'}"
            )
        chosen = self.sets[choice.set]
        chosen.data.chosen(choice)
        return self.model_copy(update={"data": chosen.data, "submission": chosen.submission, "set": choice.set})

    @property
    def is_clustering(self) -> bool:
        """Whether nobody gave classes, so that clusters stand for them."""
        return not self.classes and self.data.format == "captioned"

    @property
    def called(self) -> str:
        """How a command line names it, quoted for a shell: its slug, or its folder where the slug does not lead to it."""
        return called(self.folder)

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
    """Read a competition by its folder or, for competitions/<slug> of the project's folder, by its slug.

    What is not there from the current folder is looked up from the project's.

    Raises
    ------
    UserError
        If there is no such competition (lists those there are), or its competition.toml is wrong.
    """
    folder = competition_folder(Path(name))
    path = folder / "competition.toml"
    values = read_toml(path)
    for key in ("slug", "folder", "set", "classes_read"):
        if key in values:
            raise UserError(f"{path}: {key}: unknown key; a competition is named after its folder")
    if (folder / "competition.py").is_file() and not _is_own(folder):
        _say_code(folder)
    folder = folder.resolve()
    if "classes" not in values and (folder / CLASSES_FILE).is_file():
        values = {**values, "classes": read_classes(folder), "classes_read": True}
    return validate(Competition, {**values, "slug": folder.name, "folder": folder}, str(path))


def _with_value(value: str, told: dict[str, Any]) -> dict[str, Any]:
    """A table with [submission] beneath, of which `value` is what is not written."""
    submission = told.get("submission", {})
    if value == "labels" and isinstance(submission, dict) and "long" in submission:
        value = "probability"
    return {**told, "submission": {"value": value, **submission}} if isinstance(submission, dict) else told


_said: set[Path] = set()


def _is_own(folder: Path) -> bool:
    """Whether a competition lies below the current folder or the project's, or comes with the harness."""
    above = folder.resolve().parents
    return any(place in above for place in (Path.cwd(), project_home().resolve(), templates_root()))


def _say_code(folder: Path) -> None:
    """competition.py is code, and runs as the user: that is said where it comes from elsewhere, once in a command."""
    import multiprocessing

    path = (folder / "competition.py").resolve()
    if path not in _said and multiprocessing.parent_process() is None:
        _said.add(path)
        note(f"note: {path} is code that runs with your rights; look at it if it is not yours")


def _platforms() -> list[str]:
    """By the names of their files; nothing of that later stage is imported."""
    folder = Path(__file__).parent.parent / "submit" / "platforms"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def _hooks(path: Path) -> dict[str, Callable[..., Any]]:
    if not path.is_file():
        return {}
    module = _import(path)
    own: dict[str, Callable[..., Any]] = {
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
