"""The options of harness.play."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.base.errors import UserError
from harness.base.option_groups import option_group

NOT_SENT = "not sent"
"""State of a submission that could not be sent; the command then ends with exit code 2."""


@option_group("Budget")
class BudgetOptions:
    """How much may be spent."""

    hours: Annotated[
        float | None, typer.Option(help="Wall time in hours, e.g. 3 or 0.5; time spent before a kill counts.")
    ] = None
    fold_epochs: Annotated[
        float | None,
        typer.Option(
            help="Instead: as much work as so many epochs of one fold of the built-in quick; the same on every machine."
        ),
    ] = None

    def check(self) -> None:
        """Refuse none and both.

        Raises
        ------
        UserError
            As said, and where it is nothing.
        """
        if (self.hours is None) == (self.fold_epochs is None):
            raise UserError("--hours H: say how long it may take, e.g. --hours 1 (or --fold-epochs N, one of the two)")
        amount = self.hours if self.hours is not None else self.fold_epochs
        if not amount or not 0 < amount < 1e5:
            name = "--hours" if self.hours is not None else "--fold-epochs"
            raise UserError(f"{name} {amount:g}: give a number above 0 (and below 100,000)")


@option_group("Plan")
class PlanOptions:
    """What is done with the plan."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan with its costs, from short timings; train nothing.")
    ] = False
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Play the recipes of this plan (a play.toml, edited or not) instead of choosing; the way to play your own.",
            metavar="FILE",
        ),
    ] = None
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start again with a new plan; finished runs that fit it are reused."),
    ] = False
    submit: Annotated[
        int,
        typer.Option(
            help="Then send at most this many submissions: the final choice, and others that may gain.", min=0
        ),
    ] = 0
