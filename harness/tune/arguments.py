"""The options of harness.tune, by group."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from harness.base.command import DeviceOption, SetOption
from harness.base.option_groups import option_group
from harness.base.options import RECIPE_HELP, DataOptions, check_device


@option_group("Recipe")
class TunedRecipe:
    """The recipe that is searched, and what is changed of it."""

    recipe: Annotated[
        str, typer.Option(help=f"{RECIPE_HELP} Its [tune] is searched, or, without one, its own rates and dropout.")
    ]
    settings: SetOption = None

    def on(self, where: DataOptions) -> TunedRecipe:
        """The same on the data set that is named."""
        return dataclasses.replace(self, settings=[*(self.settings or []), *where.settings])


@option_group("Search")
class SearchOptions:
    """How the space is searched."""

    trials: Annotated[
        int, typer.Option(min=1, help="Number of trials that the study has at the end, including pruned ones.")
    ] = 50
    sampler: Annotated[str, typer.Option(help="tpe, cmaes, random or grid.")] = "tpe"
    pruner: Annotated[
        str, typer.Option(help="hyperband or median (epochs of fold 0), wilcoxon or percentile (folds), none.")
    ] = "hyperband"
    objectives: Annotated[str, typer.Option(help="score, or score,seconds: the best trade-offs of both.")] = "score"
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampler.")] = 0


@option_group("Limits of a trial")
class Limits:
    """What a trial may cost; None = anything.

    Attributes
    ----------
    seconds : of training and prediction, all folds
    parameters : of the network
    megabytes : of the weights of all folds as float32
    """

    seconds: Annotated[float | None, typer.Option("--most-seconds", min=0, help="Give up trials that take longer.")] = (
        None
    )
    parameters: Annotated[int | None, typer.Option("--most-parameters", min=1, help="Give up larger networks.")] = None
    megabytes: Annotated[
        float | None, typer.Option("--most-megabytes", min=0, help="Give up trials whose weights are larger.")
    ] = None

    def excess(self, seconds: float, parameters: int, folds: int, seeds: int) -> list[float]:
        """How far each limit is passed, at most 0 where it is kept: Optuna's constraints."""
        size = parameters * 4 / 2**20 * folds * seeds
        pairs = ((self.seconds, seconds), (self.parameters, parameters), (self.megabytes, size))
        return [float(value - most) for most, value in pairs if most is not None]


@option_group("Study")
class StudyOptions:
    """Where the study is kept, by what name, and what is made of it in the end."""

    storage: Annotated[
        str | None, typer.Option(help="URL of a database that machines share. Default: a file.", metavar="URL")
    ] = None
    study: Annotated[str | None, typer.Option(help="Name of the study. Default: made from recipe, data and space.")] = (
        None
    )
    nested: Annotated[
        bool, typer.Option("--nested/--no-nested", help="At the end, judge the best recipe on folds of another seed.")
    ] = True
    save: Annotated[str | None, typer.Option(help="Name of the best recipe's file. Default: <recipe>-tuned.")] = None
    keep: Annotated[bool, typer.Option("--keep", help="Keep the best trial's run in oof/<slug>/.")] = False


@option_group("Processes")
class ProcessOptions:
    """What the trials are trained by."""

    parallel: Annotated[
        int, typer.Option(min=1, help="Processes that work on the study; with GPUs each gets one in turn.")
    ] = 1
    cluster: Annotated[
        str | None,
        typer.Option(help="Run the --parallel processes on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT."),
    ] = None
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="With --cluster: GPUs of a process.")] = 0.0
    worker: Annotated[bool, typer.Option("--worker", hidden=True)] = False
    device: DeviceOption = "auto"

    def __post_init__(self) -> None:
        check_device(self.device)
