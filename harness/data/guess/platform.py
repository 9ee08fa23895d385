"""What a platform's own page says of a competition: title, metric, limits; its metric's name in ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.competition.scoring.registry import metric_names
from harness.competition.scoring.spec import parsed
from harness.competition.tasks import TASKS
from harness.data.download import Tick, download, page_of
from harness.remote.errors import NoCredentials, Refused, Unreachable
from harness.remote.kaggle_client import KaggleClient

_METRICS = (
    (r"quadratic.?weighted.?kappa", "quadratic_kappa"),
    (r"mcrmse|column.?wise.*(rmse|root)", "mcrmse"),
    (r"rmsle|root.?mean.?squared?.?log", "rmsle"),
    (r"rmse|root.?mean.?square", "rmse"),
    (r"(^|[^a-z])mae|mean.?absolute", "mae"),
    (r"map\s*@|mean.?average.?precision.*(@|\bat\b)", "map@"),
    (r"f.?score.*beta|f.?beta|(^|[^a-z])f[-_ ]?(?!1\b)\d|mean.?f.?score", "fbeta"),
    (r"macro.?f|f1.*macro", "macro_f1"),
    (r"micro.?f|f1.*micro", "micro_f1"),
    (r"(^|[^a-z])f1", "macro_f1"),
    (r"mean.?column.?wise.*(auc|roc)|(^|[^a-z])m?c?auc|roc|area.?under", "roc_auc"),
    (r"log.?loss|multi.?class.?loss|cross.?entropy", "log_loss"),
    (r"balanced", "balanced_accuracy"),
    (r"matthews|mcc", "mcc"),
    (r"average.?precision", "average_precision"),
    (r"top.?1.*error|classification.?error|error.?rate", "error"),
    (r"accuracy|categorization", "accuracy"),
)
"""Patterns of what Kaggle calls its metrics, most particular first."""


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


def metric_by_name(said: str, task: str, guessed: str = "") -> str | None:
    """The metric that a page means, where it is one for this task; None where it is not known, or a number of it is not.

    guessed : by the sample submission, which has the number that a page leaves out ('MAP@{K}')
    """
    name = next((name for pattern, name in _METRICS if re.search(pattern, said, re.I)), None)
    if name == "map@":
        k = re.search(r"(?:@|\bat\b)\W*(\d+)", said, re.I)
        name = f"map@{k[1]}" if k else guessed if guessed.startswith("map@") else None
    elif name == "fbeta":
        name = _f_score(said, guessed)
    return name if name and parsed(name)[0] in metric_names(TASKS[task].of) else None


def _f_score(said: str, guessed: str) -> str | None:
    """An F-score with the page's beta; without one what was guessed, where that is one."""
    beta = re.search(r"beta\W*(\d+(?:\.\d+)?)|(?<![a-z])f[-_ ]?(\d+(?:\.\d+)?)", said, re.I)
    if beta is None:
        return guessed if re.fullmatch(r"(\w+_)?(f[\d.]+|fbeta.*)", guessed) else None
    average = re.search("macro|micro|weighted|samples", said, re.I)
    number = f"f{float(beta[1] or beta[2]):g}"
    return f"{average[0].lower()}_{number}" if average else number


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


__all__ = ["About", "fetch", "metric_by_name", "page_of"]
