"""From a data set to clean.csv and its page."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import write_json, write_text
from harness.base.storage.manifest import sha256_of
from harness.clean.columns import doubtful_columns
from harness.clean.judge import find
from harness.clean.page import write_page
from harness.clean.verdicts import Verdict, about_verdicts, clean_folder, verdicts_text
from harness.competition import Competition, DataChoice
from harness.data.cache import Dataset
from harness.data.chosen import load_chosen
from harness.data.resize import without_fill
from harness.runs import load_run


@dataclass(frozen=True)
class CleanResult:
    """What `clean` wrote.

    Attributes
    ----------
    verdicts : rows that are not plainly clean
    n_rows : training rows in all
    csv_path, page_path : where they lie
    columns : what is doubtful about columns beside the images, in words
    """

    verdicts: list[Verdict]
    n_rows: int
    csv_path: Path
    page_path: Path
    columns: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """For --json."""
        counts = Counter(f"{v.verdict}: {v.action}" for v in self.verdicts)
        return {
            "rows": self.n_rows,
            "clean": self.n_rows - len(self.verdicts),
            "verdicts": dict(sorted(counts.items())),
            **({"columns": list(self.columns)} if self.columns else {}),
            "file": str(self.csv_path),
            "page": str(self.page_path),
        }


def clean(
    competition: Competition,
    dataset: Dataset,
    out: Path,
    run: str | None = None,
    overwrite: bool = False,
    watcher: LineWatcher | None = None,
) -> CleanResult:
    """Judge the training rows, write clean.csv and clean.html.

    Parameters
    ----------
    run : name of a finished run on these data, whose OOF probabilities show label errors
    overwrite : whether a clean.csv that a person has changed may be replaced

    Raises
    ------
    UserError
        If the run does not fit, or a changed clean.csv stands.
    """
    folder = clean_folder(out, competition, dataset.is_sample)
    path = folder / "clean.csv"
    refuse_to_lose_changes(path, overwrite)
    watcher = watcher or LineWatcher(quiet=True)
    columns = tuple(doubtful_columns(competition, dataset, watcher))
    if dataset.train.labels is not None and dataset.train.labels.ndim > 1:  # copies are found; labels are not judged
        unjudged = np.zeros(len(dataset.train), dtype=np.int64)
        dataset = dataclasses.replace(dataset, train=dataclasses.replace(dataset.train, labels=unjudged))
    oof = _oof_of(run, out, competition, dataset) if run else None
    seen = without_fill(competition, dataset, watcher.decoding)
    sizes = original_sizes(dataset), original_sizes(dataset, "test")
    findings = find(seen.train, competition.classes, seen.test, sizes, oof, watcher)
    verdicts = findings.verdicts + _broken(dataset)
    keep_verdicts(path, verdicts, {"fingerprint": dataset.fingerprint, "run": run})
    warnings = ["Embedded sample, not the competition's data."] if dataset.is_sample else []
    warnings += columns
    page = folder / "clean.html"
    lead = f"{dataset.source}, fingerprint {dataset.fingerprint}" + (f"; label errors by run {run}" if run else "")
    write_page(page, f"{competition.title}: clean", lead, warnings, verdicts, dataset.train, competition.classes, path)
    return CleanResult(verdicts, len(dataset.train), path, page, columns)


def clean_chosen(
    contest: Competition, where: DataOptions, out: Path, run: str | None, overwrite: bool, watcher: LineWatcher
) -> tuple[Competition, CleanResult]:
    """Open the data that the options choose, and `clean` them; the competition comes back as they say that it is.

    Raises
    ------
    UserError
        As `clean`, or if the data are missing or wrong, or a run is named and rows are not of one class each.
    """
    if run and (contest.is_clustering or not contest.kind.is_one_class):
        what = "one without labels" if contest.is_clustering else f"task = '{contest.task}', {contest.kind.what}"
        raise UserError(
            f"--run {run}: label errors are looked for with one of several classes only; '{contest.slug}' is {what}. Leave --run out; for labels "
            "and numbers in doubt: harness.oof errors"
        )
    contest, dataset = load_chosen(contest.using(DataChoice(set=where.data_set)), where, watcher)
    watcher.say(f"{contest.title}: {dataset.source}, fingerprint {dataset.fingerprint}")
    if (
        contest.is_clustering or not contest.kind.is_one_class
    ):  # duplicates are found all the same; labels cannot be wrong
        contest = contest.model_copy(update={"classes": ("unlabelled",)})
    return contest, clean(contest, dataset, out, run, overwrite, watcher)


def keep_verdicts(path: Path, verdicts: list[Verdict], about: dict[str, Any]) -> None:
    """Write clean.csv, and before it clean.json, which knows it by its checksum and the one that it replaces: a kill between the two leaves
    a pair that is known."""
    text = verdicts_text(verdicts)
    known = [hashlib.sha256(text.encode()).hexdigest(), *([sha256_of(path)] if path.is_file() else [])]
    write_json(path.with_name("clean.json"), about | {"as_written": known, "lines": len(verdicts)})
    write_text(path, text)


def original_sizes(dataset: Dataset, split: str = "train") -> np.ndarray | None:
    """int (n, 2): heights and widths of the images before they were decoded, where that is known."""
    path = dataset.cache / split / "sizes.npy"
    return np.load(path, allow_pickle=False) if path.is_file() else None


def refuse_to_lose_changes(path: Path, overwrite: bool) -> None:
    """Refuse to write over a clean.csv that a person has changed (UserError), unless asked to."""
    if overwrite or not path.is_file():
        return
    if sha256_of(path) not in about_verdicts(path).get("as_written", []):
        raise UserError(
            f"{path}: was changed by hand since it was written; it is kept. Add --overwrite to judge anew, or save your copy "
            "elsewhere first."
        )


def _oof_of(name: str, out: Path, competition: Competition, dataset: Dataset) -> np.ndarray:
    run = load_run(out / "oof" / competition.slug / Path(name).name)
    if run.classes != list(competition.classes):
        raise UserError(
            f"run '{run.name}' has other classes than competition.toml has now. Name another run, train it anew, or put the classes back"
        )
    if run.environment["data"]["fingerprint"] != dataset.fingerprint:
        raise UserError(
            f"run '{run.name}' was trained on other data ({run.environment['data']['source']}) than is looked at now "
            f"({dataset.source}). Name a run on these data, or give the same --data or --sample as it was trained with."
        )
    return run.oof


def _broken(dataset: Dataset) -> list[Verdict]:
    """Images that --skip-broken left out: no rows any more, but they belong in the list."""
    path = dataset.cache / "broken.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Verdict(line["file"], "broken", "exclude", "", line["reason"]) for line in csv.DictReader(file)]
