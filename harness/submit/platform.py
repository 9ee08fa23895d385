"""What a platform must be able to do; a further one is one file in `platforms` that does it.

A platform answers, or raises one of three of `harness.remote.errors`: Refused (nothing was spent, and trying again is in
vain), Unreachable (nothing was spent, later may be better), Unclear (it may have been spent). Once the final call is made only Unclear is
left: a 4xx may follow work that was done. `harness.submit.sending` makes the rest of it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.base.errors import UserError
from harness.competition import Competition
from harness.ledger import State


@dataclass(frozen=True)
class Standing:
    """Where we stand before sending.

    Attributes
    ----------
    left_today : submissions that may still be made today (UTC), None = not told
    problems : why none would be taken (rules, not joined, closed), in words
    about : what else to show, e.g. rank
    notebooks_only : it takes versions of notebooks, no files
    notes : what to know of a submission that would be taken (late: scored, not ranked), in words
    """

    left_today: int | None = None
    problems: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    notebooks_only: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Listed:
    """A submission as the platform lists it; detail: the reason of an error."""

    ref: str
    state: State
    public: float | None = None
    private: float | None = None
    detail: str = ""


class Platform(Protocol):
    """A place that takes submissions. Every method may raise Refused, Unreachable or NoCredentials."""

    name: str

    def standing(self) -> Standing:
        """Quota, rules, deadline."""
        ...

    def upload(self, path: Path, tag: str) -> str:
        """Put the file there without submitting it; returns what `submit` needs. Doing it again costs nothing."""
        ...

    def submit(self, uploaded: str, message: str) -> str:
        """The final call, made once; returns the platform's reference. Raises Unclear for whatever else it ends in.

        uploaded : what `upload` returned; or, of a platform that has notebooks, a `Notebook`'s text
        """
        ...

    def find(self, tag: str) -> Listed | None:
        """The submission whose message or file name holds the tag (or part of one), or None if none is listed."""
        ...

    def look(self, ref: str) -> Listed:
        """How a submission stands."""
        ...

    def leaderboard(self) -> list[dict[str, Any]]:
        """[{"team", "score"}], best first, as far as the platform shows it."""
        ...


def place_of(competition: Competition) -> str:
    """What the ledger calls the place that a competition is submitted to: the platform, and its phase if it has any."""
    part = getattr(_module(competition.platform), "part", None)
    found = part(competition) if part else ""
    return f"{competition.platform}:{found}" if found else competition.platform


def find_platform(competition: Competition, place: str = "") -> Platform:
    """The platform of a competition; nothing is called before it is asked something.

    place : as `place_of` said when the entry was written: a platform or phase that competition.toml names since does not count;
        "" = as it names them

    Raises
    ------
    UserError
        If the competition is on none, or lacks what the platform needs.
    """
    module = _module(place.partition(":")[0] or competition.platform)
    if module is None:
        raise UserError(
            f"'{competition.slug}' is on no platform (platform = 'none' in competition.toml): there is nowhere to send it. "
            '--dry-run writes and checks the file; to send it, platform = "kaggle" or "codabench"'
        )
    return module.open_platform(competition, place)


def _module(platform: str) -> Any:
    """The file of that name in `platforms`; None for "none"."""
    name = f"harness.submit.platforms.{platform}"
    try:
        return None if platform == "none" else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(
            f"platform '{platform}': an entry of the ledger was for it, and it is not there any more"
        ) from None
