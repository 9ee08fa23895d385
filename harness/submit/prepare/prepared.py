"""What is about to be sent, and how the ledger will know it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.cv.jobs.prepare import git_commit
from harness.data.cache import Dataset
from harness.ledger import Intent, Notebook
from harness.submit.code.package import CODE, model_digest
from harness.submit.platform import place_of
from harness.submit.preflight import check_submission, labels_hash

if TYPE_CHECKING:
    from harness.oof.forecast.forecast import Forecast


@dataclass(frozen=True)
class Prepared:
    """A checked file and what is known of it.

    Attributes
    ----------
    intent : what the ledger gets
    data : where the data came from
    oof : {"pooled", "low", "high"}; None for a file from elsewhere
    forecast : None for a file from elsewhere
    threshold : decision threshold, None where the larger probability decides
    shares : {class: {"oof", "test"}}; empty for a file from elsewhere
    warnings : what is odd but no reason to refuse
    """

    intent: Intent
    data: str
    oof: dict[str, float] | None
    forecast: Forecast | None
    threshold: float | None
    shares: dict[str, dict[str, float]]
    warnings: list[str]

    def summary(self) -> dict[str, Any]:
        """For --json."""
        i = self.intent
        return {
            "competition": i.competition,
            "platform": i.platform,
            "members": list(i.members),
            "data": self.data,
            "file": i.file,
            "rows": i.rows,
            "sha256": i.sha256,
            "message": i.message,
            "metric": i.metric,
            "oof": self.oof,
            "threshold": self.threshold,
            "shares": self.shares,
            "warnings": self.warnings,
            "forecast": self.forecast.summary() if self.forecast else None,
        }


def refuse_problems(path: Path, competition: Competition, ids: np.ndarray, dataset: Dataset, shown: str = "") -> None:
    """Raise a `UserError` with everything that is wrong with a submission file at once.

    shown : its place in words, where `path` is a copy of it
    """
    problems = check_submission(path, competition, ids, dataset.submission)
    if problems:
        raise UserError("\n  ".join([f"{shown or path} does not pass its checks; it is not sent:", *problems]))


def labels_of(path: Path, digest: str) -> str:
    """Hash of what a file says: of a package of code its model's, which another version of the harness may pack anew."""
    if path.suffix == CODE:
        return model_digest(path)
    return digest if path.suffix == ".zip" else labels_hash(path)


def intent_of(
    competition: Competition,
    what: Path | Notebook,
    rows: int,
    name: str,
    members: Sequence[str],
    said: str,
    main: dict[str, Any] | None,
    forecast: Forecast | None,
) -> Intent:
    """The ledger's entry of a file or of a notebook's version; main: its OOF score with interval."""
    if isinstance(what, Notebook):
        file, digest = str(what), hashlib.sha256(str(what).encode()).hexdigest()
        labels = digest
    else:
        file, digest = str(what.resolve()), hashlib.sha256(what.read_bytes()).hexdigest()
        labels = labels_of(what, digest)
    tag = f"[{digest[:12]}-{secrets.token_hex(3)}]"  # told apart from the same file sent again by force
    return Intent(
        competition=competition.slug,
        platform=place_of(competition),
        run=name,
        members=tuple(members),
        file=file,
        sha256=digest,
        labels=labels,
        rows=rows,
        message=f"{said} {tag}",
        tag=tag,
        metric=competition.metric,
        cv=main["pooled"] if main else None,
        cv_low=main["low"] if main else None,
        cv_high=main["high"] if main else None,
        forecast=forecast.summary() if forecast else None,
        git_commit=git_commit(),
        folder=str(competition.folder),
    )
