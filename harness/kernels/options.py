"""The options of a command that can be played on Kaggle."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from harness.base.errors import UserError, nearest
from harness.base.option_groups import option_group

PLACES = ("kaggle",)
ACCELERATORS = ("NvidiaTeslaT4", "NvidiaTeslaP100", "NvidiaL4", "none")
"""By Kaggle's names of them; it has others for some, and which an account may use is its business."""

_LONGEST = 12.0


def check_accelerator(name: str) -> None:
    """Refuse a name that is none of Kaggle's (UserError)."""
    if not re.fullmatch("none|Nvidia[A-Za-z0-9]{1,30}", name):
        near = nearest(name, ACCELERATORS)
        raise UserError(f"--accelerator {name}: unknown{near}; known: {', '.join(ACCELERATORS)}")


@option_group("Kaggle")
class KaggleOptions:
    """Whether it is played on Kaggle's machines, and on which."""

    on: Annotated[
        str | None,
        typer.Option("--on", help="kaggle: play it in a private notebook there, and bring the result back."),
    ] = None
    accelerator: Annotated[
        str | None,
        typer.Option(
            help=f"With --on: {', '.join(ACCELERATORS)} (two T4: two folds side by side). Default: NvidiaTeslaT4, of commands without a GPU none."
        ),
    ] = None
    attach: Annotated[
        bool, typer.Option("--attach", help="With --on: follow the session that runs already, and start none.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --on: write what would be pushed, say what would be done.")
    ] = False
    session_hours: Annotated[
        float,
        typer.Option(min=0.01, help="With --on: hours of a session; what is not done then is gone on with later."),
    ] = _LONGEST

    def check(self) -> bool:
        """Whether it is played elsewhere.

        Raises
        ------
        UserError
            If an option has no meaning, or names a place or an accelerator that is unknown.
        """
        if self.on is None:
            given = [name for name, is_set in (("--attach", self.attach), ("--dry-run", self.dry_run)) if is_set]
            if given:
                raise UserError(f"{given[0]}: is for --on kaggle; here it is trained right away")
            return False
        if self.on not in PLACES:
            raise UserError(f"--on {self.on}: unknown{nearest(self.on, PLACES)}; known: {', '.join(PLACES)}")
        if self.accelerator is not None:
            check_accelerator(self.accelerator)
        if self.session_hours > _LONGEST:
            raise UserError(
                f"--session-hours {self.session_hours:g}: a session on Kaggle has {_LONGEST:g} hours at most"
            )
        return True

    def machine(self, default: str = "NvidiaTeslaT4") -> str:
        """The accelerator by Kaggle's name, "none" = no GPU."""
        return self.accelerator or default

    @property
    def has_gpu(self) -> bool:
        """Whether there is a GPU there, for a command that uses one."""
        return self.machine() != "none"
