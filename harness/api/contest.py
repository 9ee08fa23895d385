"""A competition with its data, as it is handed from one call to the next."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from harness.api.calls import api_call, place
from harness.api.shown import html_table
from harness.base.errors import UserError
from harness.base.options import DataOptions

if TYPE_CHECKING:
    from harness.api.run import FinishedRun
    from harness.competition import Competition
    from harness.data.cache import Dataset


@dataclass(frozen=True)
class Contest:
    """A competition, and where its data are read from. `harness.competition` makes one.

    Attributes
    ----------
    spec : what its competition.toml says
    where : data root, data set, whether the embedded sample is taken
    """

    spec: Competition
    where: DataOptions = field(default_factory=DataOptions)

    @property
    def slug(self) -> str:
        """The folder's name, by which runs are kept in oof/<slug>/."""
        return self.spec.slug

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; () where they are first read from the data."""
        return self.spec.classes

    @property
    def recipes(self) -> list[str]:
        """Recipes that can be played: the competition's own, then the built-in ones."""
        from harness.competition.recipe import BUILT_IN

        own = self.spec.recipes
        return [*own, *(name for name in BUILT_IN if name not in own)]

    @api_call
    def data(self, quiet: bool = False) -> Dataset:
        """The data, decoded once into the cache and opened as memory maps: `train.images`, `train.labels`, `test`.

        Raises
        ------
        UserError
            If they are missing or wrong.
        """
        from harness.base.progress import watching
        from harness.data.chosen import load_chosen

        with watching(quiet=quiet) as watcher:
            return load_chosen(self.spec, self.where, watcher)[1]

    def run(self, name: str, out: str | Path | None = None) -> FinishedRun:
        """A run or an ensemble that stands in <out>/oof/<slug>/, by its name; out = None: the project's folder.

        Raises
        ------
        UserError
            If there is none of that name, or it is unfinished or damaged.
        """
        from harness.api.run import FinishedRun

        found = FinishedRun(self, (place(out) / "oof" / self.slug / Path(name).name).resolve())
        _ = found.record  # read, so that what is wrong is said now
        return found

    def runs(self, out: str | Path | None = None) -> list[FinishedRun]:
        """All finished runs and ensembles, by name."""
        from harness.api.run import FinishedRun
        from harness.runs import runs_of

        return [FinishedRun(self, path.resolve()) for path in runs_of(place(out), self.slug)]

    def with_sample(self, sample: bool) -> Contest:
        """The same, on its embedded sample where that is asked for."""
        return dataclasses.replace(self, where=dataclasses.replace(self.where, sample=True)) if sample else self

    def __repr__(self) -> str:
        return f"<competition {self.slug}: {self.spec.title!r}, {self.spec.task}, {self.spec.metric}{' (sample)' if self.where.sample else ''}>"

    def _repr_html_(self) -> str:
        classes = f"{len(self.classes)}: {', '.join(self.classes[:12])}" if self.classes else "read from the data"
        rows = [
            ["competition", self.slug],
            ["task", self.spec.task],
            ["metric", self.spec.metric],
            ["classes", classes],
            ["recipes", ", ".join(self.recipes)],
            ["data", "embedded sample" if self.where.sample else str(self.where.root / self.slug)],
        ]
        return html_table(self.spec.title, ["", ""], rows, left=2)


@runtime_checkable
class MakesContest(Protocol):
    """Something that stands for a competition: `harness.Samples`."""

    def contest(self) -> Contest:
        """The competition that it is."""
        ...


AnyCompetition: TypeAlias = "str | Path | Contest | MakesContest | Competition"
"""What every function takes for a competition: a slug, a folder, what `harness.competition` gave, or `harness.Samples`."""


@api_call
def competition(
    name: AnyCompetition,
    *,
    data: str | Path | None = None,
    data_set: str = "",
    sample: bool = False,
    skip_broken: bool = False,
    stream: bool = False,
) -> Contest:
    """A competition by its slug, its folder, or from arrays.

    Parameters
    ----------
    name : slug or folder, as the commands take it, or `harness.Samples`
    data : data root; files lie in <data>/<slug>/. Default: $HARNESS_DATA, else data/ of the project's folder
    data_set : one of the competition's [sets.NAME]
    sample : take the small embedded sample in place of the data
    skip_broken : leave images out that cannot be decoded
    stream : keep no decoded copy of the images on disk

    Raises
    ------
    UserError
        If there is no such competition, or its competition.toml is wrong.
    """
    from harness.competition import Competition, DataChoice, find_competition

    if isinstance(name, Contest):
        return name.with_sample(sample)
    if isinstance(name, MakesContest):
        return name.contest()
    spec: Any = name if isinstance(name, Competition) else find_competition(name)
    where = DataOptions(None if data is None else Path(data), data_set, sample, skip_broken, stream)
    return Contest(spec.using(DataChoice(set=data_set)) if data_set else spec, where)


def named(contest: Contest) -> str:
    """The competition for commands that are shown: its slug where that is found, else its folder."""
    from harness.base.places.competitions import competition_folder

    try:
        found = competition_folder(Path(contest.slug)).resolve()
    except UserError:
        return str(contest.spec.folder)
    return contest.slug if found == contest.spec.folder else str(contest.spec.folder)
