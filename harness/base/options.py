"""The groups of options that several commands share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from harness.base.command import (
    DataOption,
    DataSetOption,
    SampleOption,
    SetOption,
    SkipBrokenOption,
    StreamOption,
    data_root,
)
from harness.base.errors import UserError, nearest
from harness.base.option_groups import option_group
from harness.base.places.offered import BUILT_IN

RECIPE_HELP = f"A file in recipes/, without .toml; the path of a .toml; or one built in: {', '.join(BUILT_IN)}."
_DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: str) -> None:
    """Refuse a device of an unknown name (UserError); whether this machine has it is seen where it is used."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        near = " (did you mean 'cuda'?)" if name.lower() in ("gpu", "nvidia") else nearest(name, _DEVICES)
        raise UserError(
            f"--device {name}: unknown{near}; known: {', '.join(_DEVICES)} and cuda:N. Take --device cpu, or leave it out"
        )


@option_group("Competition")
class CompetitionChoice:
    """The competition of a command, given as its argument or by --comp."""

    competition: Annotated[
        str | None,
        typer.Argument(help="Folder or slug, e.g. competitions/digit-recognizer.", metavar="COMPETITION"),
    ] = None
    comp: Annotated[str | None, typer.Option("--comp", help="The same, given as an option.", metavar="COMPETITION")] = (
        None
    )

    def __post_init__(self) -> None:
        if self.competition is None or self.comp is None or Path(self.competition) == Path(self.comp):
            return
        raise UserError(f"competition '{self.competition}' and --comp {self.comp}: give one of them")

    @property
    def given(self) -> str | None:
        """The competition's folder or slug; None where none is named."""
        return self.comp if self.competition is None else self.competition

    def required(self, purpose: str = "") -> str:
        """The competition's folder or slug.

        purpose : what a competition is needed for, e.g. "to send to"

        Raises
        ------
        UserError
            If none is named.
        """
        if self.given is None:
            what = f"name the competition {purpose}".strip()
            raise UserError(f"no competition: {what}, e.g. digit-recognizer or --comp digit-recognizer")
        return self.given


@option_group("Recipe")
class RecipeChoice:
    """A recipe of the competition, and what is changed of it."""

    recipe: Annotated[str, typer.Option(help=RECIPE_HELP)] = "quick"
    settings: SetOption = None


@option_group("Data")
class DataOptions:
    """Which data are read, and how; `root` is the data root."""

    data: DataOption = None
    data_set: DataSetOption = ""
    sample: SampleOption = False
    skip_broken: SkipBrokenOption = False
    stream: StreamOption = False

    @property
    def settings(self) -> list[str]:
        """KEY=VALUE that sets a recipe to the data set that is named; [] where none is."""
        return [f"data.set = {json.dumps(self.data_set)}"] if self.data_set else []

    @property
    def described(self) -> str:
        """What is asked of a run's data, as " of the embedded sample"; "" where nothing is."""
        named = f" on data set '{self.data_set}'" if self.data_set else ""
        return f"{' of the embedded sample' if self.sample else ''}{named}"

    @property
    def root(self) -> Path:
        """Where competitions' data lies."""
        return data_root(self.data)
