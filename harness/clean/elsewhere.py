"""harness.clean --on kaggle: the rows are judged where the data lie, and the verdicts come back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import complete_file
from harness.clean.pipeline import keep_verdicts, refuse_to_lose_changes
from harness.clean.verdicts import about_verdicts, clean_folder, read_verdicts
from harness.competition import Competition
from harness.data.chosen import load_chosen
from harness.data.dataset import is_there
from harness.kernels.command import Command
from harness.kernels.job import Expected, Job, run_without_weights, sources_of
from harness.kernels.options import KaggleOptions
from harness.kernels.results import FilesResult
from harness.kernels.session import asked_for, play


def clean_on_kaggle(
    competition: Competition,
    command: Command,
    where: DataOptions,
    run: str | None,
    overwrite: bool,
    place: KaggleOptions,
    out: Path,
    watcher: LineWatcher,
) -> Path | None:
    """Judge the training rows there, and put clean.csv, clean.json and the page in place here; None after a dry run.

    Raises
    ------
    UserError
        As `pipeline.clean`, and for all that goes wrong there.
    """
    path = clean_folder(out, competition, where.sample) / "clean.csv"
    refuse_to_lose_changes(path, overwrite)
    fingerprint = ""
    if where.sample or is_there(competition, where.root):
        fingerprint = load_chosen(competition, where, watcher)[1].fingerprint

    def put(folder: Path, names: list[str]) -> Path:
        return put_verdicts(folder / "oof" / competition.slug / path.parent.name, path, fingerprint, overwrite)

    slug = competition.slug
    job = Job(
        competition=competition,
        module=command.module,
        words=command.there(slug),
        files=run_without_weights(out, slug, Path(run).name) if run else {},
        accelerator=place.machine("none"),
        hours=place.session_hours,
        sources=sources_of(competition, where.sample),
        expected=Expected(fingerprint=fingerprint),
    )
    pattern = f"oof/{re.escape(slug)}/{re.escape(path.parent.name)}/clean[.](csv|json|html)"
    result = FilesResult(pattern, lambda: path if path.is_file() else None, put)
    return play(job, result, asked_for(place, command, out), watcher)


def put_verdicts(arrived: Path, path: Path, fingerprint: str, overwrite: bool) -> Path:
    """Check verdicts that arrived, and write them as if they had been found here.

    arrived : the folder with clean.csv; path : of clean.csv here
    fingerprint : of the data here, "" where they do not lie here

    Raises
    ------
    UserError
        If they are none, or of other data, or a changed clean.csv would be lost.
    """
    about = about_verdicts(arrived / "clean.csv")
    if not (arrived / "clean.csv").is_file() or not about:
        raise UserError(f"{arrived}: holds no clean.csv with its clean.json. Nothing was put in place")
    verdicts = read_verdicts(arrived / "clean.csv")
    if fingerprint and about.get("fingerprint") != fingerprint:
        raise UserError(f"{arrived}: is of data with another fingerprint than those here. Nothing was put in place")
    refuse_to_lose_changes(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    run = about.get("run")
    keep_verdicts(path, verdicts, {"fingerprint": str(about.get("fingerprint")), "run": str(run) if run else None})
    if (arrived / "clean.html").is_file():
        with complete_file(path.with_name("clean.html")) as temporary:
            shutil.copyfile(arrived / "clean.html", temporary)
    return path
