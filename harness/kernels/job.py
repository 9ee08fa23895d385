"""What is to be done on Kaggle's machine, and what it is known by."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.errors import UserError
from harness.competition import Competition


@dataclass(frozen=True)
class Sources:
    """What Kaggle attaches of its own: competitions' and data sets' files are never uploaded."""

    competitions: tuple[str, ...] = ()
    data_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What is known of the result before it is made, "" where it is not (the data do not lie here).

    Attributes
    ----------
    run : the run's name
    fingerprint, folds : of the data, and the hash of the folds
    """

    run: str = ""
    fingerprint: str = ""
    folds: str = ""


@dataclass(frozen=True)
class Job:
    """A command for there.

    Attributes
    ----------
    competition : whose folder goes along
    module : e.g. "harness.cv"; words : its arguments there
    recipes : {file name: text} put into the competition's recipes/ there
    files : {path below --out: file here} that the command reads there
    accelerator : by Kaggle's name, "none" = no GPU; internet : whether the session may use it; hours : of a session
    sources, expected : see there
    """

    competition: Competition
    module: str
    words: tuple[str, ...]
    recipes: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    accelerator: str = "none"
    internet: bool = False
    hours: float = 12.0
    sources: Sources = field(default_factory=Sources)
    expected: Expected = field(default_factory=Expected)

    def key(self, pack: str) -> str:
        """8 hex digits that the job is known by; pack : sha256 of the competition's pack."""
        parts = [
            self.module,
            self.words,
            sorted(self.recipes.items()),
            self.accelerator,
            self.expected.fingerprint,
            pack,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]


def sources_of(competition: Competition, sample: bool) -> Sources:
    """What Kaggle attaches; nothing for the embedded sample, which is made there.

    Raises
    ------
    UserError
        If the competition's files are not on Kaggle.
    """
    if sample:
        return Sources()
    if competition.dataset:
        return Sources(data_sets=(competition.dataset,))
    if competition.platform == "kaggle":
        return Sources(competitions=(competition.slug,))
    raise UserError(
        f"--on kaggle: the files of '{competition.slug}' (platform = '{competition.platform}') are not on Kaggle. Put them into a private "
        'data set of yours, and write dataset = "OWNER/NAME" into competition.toml'
    )


def run_without_weights(out: Path, slug: str, name: str) -> dict[str, Path]:
    """Files of a run that another command reads there, by their paths below --out; its weights and its noise suite stay here."""
    home, found = out / "oof" / slug / name, {}
    for path in sorted(home.rglob("*")):
        inner = path.relative_to(home).as_posix()
        if path.is_file() and not inner.startswith(("checkpoints/", "noise", ".")):
            found[path.relative_to(out).as_posix()] = path
    return found


def verdict_files(out: Path, verdicts: Path | None) -> dict[str, Path]:
    """clean.csv and what knows it, by their paths below --out; {} where there are none."""
    paths = [] if verdicts is None else [verdicts, verdicts.with_name("clean.json")]
    return {path.relative_to(out).as_posix(): path for path in paths if path.is_file()}


def as_name(text: str, longest: int) -> str:
    """Of letters, digits and dashes, as Kaggle names things."""
    return re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", text.lower()))[:longest].strip("-")
