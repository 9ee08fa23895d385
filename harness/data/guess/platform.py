"""What a platform's own page says of a competition: title, metric, limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.data.download import Tick, download
from harness.remote.errors import NoCredentials, Refused, Unreachable
from harness.remote.kaggle_client import KaggleClient


@dataclass(frozen=True)
class About:
    """What the page says.

    Attributes
    ----------
    metric : as the page calls it; a_day : submissions a day, 0 = not said
    """

    slug: str
    title: str
    metric: str
    a_day: int
    code_only: bool
    deadline: str | None

    def lines(self) -> list[str]:
        """It in words, for the head of competition.toml."""
        said = [f"Kaggle: {plain(self.title, 200)}; its page calls the metric '{plain(self.metric, 200)}'"]
        if self.a_day:
            said.append(f"{self.a_day} submissions a day" + (f", until {self.deadline[:10]}" if self.deadline else ""))
        if self.code_only:
            said.append(f"it takes notebooks, not files: send a run by python -m harness.submit {self.slug} --code")
        return said


def fetch(slug: str, root: Path, tick: Tick) -> tuple[Path, About]:
    """Download a competition's files into <root>/<slug>/<slug>.zip, where they are not there, and ask what its page says.

    Raises
    ------
    UserError
        If Kaggle refuses, cannot be reached, or there are no credentials.
    """
    try:
        told = KaggleClient(slug).call("about")
    except NoCredentials as error:
        raise UserError(
            f"{slug}: no such folder or zip here; to fetch a competition of that name from Kaggle: {error.args[0]}"
        ) from error
    except (Refused, Unreachable) as error:
        raise UserError(f"{slug}: no such folder or zip here, and Kaggle: {error.args[0]}") from error
    zipped = root / slug / f"{slug}.zip"
    if not zipped.is_file():
        stand_in = Competition.model_validate(
            {
                "slug": slug,
                "folder": root,
                "title": slug,
                "platform": "kaggle",
                "metric": "accuracy",
                "data": {"format": "image_folder", "size": 8},
            }
        )
        zipped = download(stand_in, root / slug, tick)
    return zipped, About(
        slug, plain(told["title"], 200), plain(told["metric"], 200), told["a_day"], told["code_only"], told["deadline"]
    )
