"""The options of harness.cv, by group."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated

import typer

from harness.base.command import DeviceOption
from harness.base.errors import UserError
from harness.base.option_groups import option_group
from harness.base.options import DataOptions, RecipeChoice, check_device

if TYPE_CHECKING:
    from harness.runs.notes.label import Label


@option_group("Recipe")
class TrainedRecipe(RecipeChoice):
    """A recipe, what is changed of it, and what else it learns from."""

    pseudo_labels: Annotated[
        str | None,
        typer.Option(
            help="Also learn from the test rows that this finished run is sure of; not with [features].", metavar="RUN"
        ),
    ] = None
    leaky: Annotated[
        bool,
        typer.Option(
            "--leaky",
            help="[clusters]: fit them on the scored rows too, as the Flickr8k report did, to see what that does.",
        ),
    ] = False

    show: Annotated[bool, typer.Option("--show", help="Print the recipe in full, as TOML, and train nothing.")] = False

    def on(self, where: DataOptions) -> TrainedRecipe:
        """The same on the data set that is named."""
        return dataclasses.replace(self, settings=[*(self.settings or []), *where.settings])

    @property
    def overrides(self) -> list[str]:
        """KEY=VALUE of all that is changed of the recipe."""
        pseudo = [f'pseudo.run = "{self.pseudo_labels}"'] if self.pseudo_labels else []
        leaky = ["clusters.leaky = true"] if self.leaky else []
        return [*(self.settings or []), *pseudo, *leaky]


@option_group("Folds")
class FoldOptions:
    """Which folds are trained, and by what."""

    folds: Annotated[str | None, typer.Option(help="Train only these folds, e.g. 0,1 or 0-2,4.", metavar="LIST")] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue a stopped run: train what is missing.")] = False
    fresh: Annotated[bool, typer.Option("--fresh", help="Train a finished run again.")] = False
    workers: Annotated[
        int | None, typer.Option(min=1, help="Folds side by side. Default: one per GPU, or else per core.")
    ] = None
    clean: Annotated[
        bool, typer.Option("--clean/--no-clean", help="Follow the verdicts of harness.clean, if there are any.")
    ] = True
    device: DeviceOption = "auto"

    def __post_init__(self) -> None:
        check_device(self.device)
        _ = self.numbers  # seen before anything is read

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """The folds to train; None for all.

        Raises
        ------
        UserError
            If they are no list of numbers and ranges.
        """
        if self.folds is None:
            return None
        found: list[int] = []
        for part in self.folds.split(","):
            ends = re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part)
            first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
            if last < first:
                raise UserError(
                    f"--folds {self.folds}: give fold numbers and ranges with commas between, e.g. 0,1 or 0-2,4"
                )
            found += range(first, last + 1)
        return tuple(dict.fromkeys(found))

    def check(self, k: int) -> None:
        """Refuse folds that a recipe of k folds does not have, and --fresh together with --resume (UserError)."""
        if self.fresh and self.resume:
            raise UserError("--fresh trains anew what stands, --resume keeps it: give one of them")
        outside = [fold for fold in self.numbers or () if fold >= k]
        if outside:
            raise UserError(f"--folds {self.folds}: this recipe has folds 0 to {k - 1}")


@option_group("What the run is called, who is told")
class LabelOptions:
    """What a person says of the run, and who hears of it; none of it is part of it."""

    name: Annotated[
        str | None,
        typer.Option("--name", help="What tables and pages call the run; changed later by harness.oof label."),
    ] = None
    note: Annotated[str | None, typer.Option("--note", help="A line about it.")] = None
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A word to find it by; may be repeated.")] = None
    log: Annotated[
        str | None,
        typer.Option("--log", help="Also report to a tracker: tensorboard, wandb or mlflow.", metavar="NAME"),
    ] = None

    @property
    def label(self) -> Label:
        """What is to be said.

        Raises
        ------
        UserError
            If a text is too long, or is no plain line.
        """
        from harness.runs.notes.label import Label

        return Label(self.name, self.note, tuple(self.tag or ()))


@option_group("Noise suite")
class NoiseOptions:
    """Whether the run is held against the noise suite."""

    noise: Annotated[
        bool, typer.Option("--noise", help="Then test the run on the noise suite: corruptions in five severities.")
    ] = False
    noise_rows: Annotated[
        int, typer.Option(min=0, help="Rows that the noise suite takes, the same for every run; 0 = all.")
    ] = 1000


@option_group("Ray cluster")
class ClusterOptions:
    """The cluster that the folds are trained on, if any."""

    cluster: Annotated[
        str | None, typer.Option(help="Train the folds on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT.")
    ] = None
    cpus_per_fold: Annotated[
        float | None,
        typer.Option(
            min=0, help="With --cluster: CPU cores reserved for a fold. Default: as many as it computes with."
        ),
    ] = None
    gpus_per_fold: Annotated[
        float, typer.Option(min=0, help="With --cluster: GPUs per fold; 0.5: two folds share one.")
    ] = 0.0
