"""What came back from a session: its names, its checksums, the run's own checks; then it is put in place, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.manifest import sha256_of
from harness.base.untrusted_text import plain
from harness.kernels.job import Expected
from harness.remote.kaggle_kernels import is_inside
from harness.runs import Run, load_run

REPORT = "harness-session.json"
"""What a session writes last: what it did, and the checksums of what it left."""

_RUN_FILE = re.compile(
    r"(recipe|environment|scores|manifest|noise|noise\.json\.manifest)\.json|folds\.csv|clean\.csv|start\.zip|(oof|test)\.parquet|"
    r"history\.jsonl|(report|noise)\.html|fold-\d+\.npz|fold-\d+\.manifest\.json|checkpoints/fold-\d+\.safetensors|clusters/fold-\d+\.npz|"
    r"proba/(oof|test|fold-\d+-(valid|test))\.npy|noise/[\w.-]+|features/[\w.-]+\.npy"
)


@dataclass(frozen=True)
class Report:
    """What a session says of itself.

    Attributes
    ----------
    how : "done", "time" (its time was over), "error", or "running" (it was ended before it could say more)
    said : the last words of the command
    files : {path below --out: {"sha256", "bytes"}}
    """

    how: str
    said: str
    harness: str
    files: dict[str, dict[str, Any]]

    @property
    def runs(self) -> list[str]:
        """Names of the finished runs among the files, with all that came of them."""
        found = {name.split("/")[2] for name in self.files if name.startswith("oof/") and name.endswith("/scores.json")}
        return sorted(found)


def read_report(path: Path, key: str) -> Report:
    """Read a session's report.

    Raises
    ------
    UserError
        If it is none, or of another job.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): {"sha256": str(f["sha256"]), "bytes": int(f["bytes"])} for name, f in told["files"].items()}
        report = Report(str(told["how"]), plain(told["said"], 1000), plain(told["harness"], 40), files)
        job = told["job"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: is no report of a session ({type(error).__name__})") from error
    if job != key:
        raise UserError(f"{path}: is the report of another job ({plain(job, 40)})")
    return report


def refuse_climbing(report: Report) -> None:
    """Refuse a report that names a file outside (UserError)."""
    climbing = [name for name in report.files if not is_inside(name)]
    if climbing:
        raise UserError(
            f"the session names a file that would leave its folder: '{plain(climbing[0], 100)}'. Nothing is put in place"
        )


def run_files(report: Report, slug: str, run: str) -> list[str]:
    """Files of a run that are brought back, and the folds beside it; others are left there.

    Raises
    ------
    UserError
        If a name leaves the folder.
    """
    refuse_climbing(report)
    home = f"oof/{slug}/{run}/"
    of_run = [name for name in report.files if name.startswith(home) and _RUN_FILE.fullmatch(name[len(home) :])]
    return of_run + [name for name in report.files if re.fullmatch(rf"oof/{re.escape(slug)}/folds/[\w.-]+", name)]


def damaged(report: Report, folder: Path, names: list[str]) -> list[str]:
    """Which of the files are missing or not as they were written; what is there of them is removed, so that it is fetched anew."""
    wrong = []
    for name in names:
        path, told = folder / name, report.files[name]
        if not path.is_file() or path.stat().st_size != told["bytes"] or sha256_of(path) != told["sha256"]:
            path.unlink(missing_ok=True)
            wrong.append(name)
    return wrong


def checked_run(folder: Path, report: Report, expected: Expected) -> Run:
    """The run in a folder, held against its manifest, its own checks, and what is known of it here.

    Raises
    ------
    UserError
        Names what is wrong; nothing was put in place.
    """
    run, nothing = load_run(folder), "Nothing was put in place"
    data = run.environment["data"]
    if report.harness != __version__:
        raise UserError(
            f"run '{run.name}': was trained by harness {report.harness}, here it is {__version__}. {nothing}; install that version, and give "
            "the same command again"
        )
    if expected.fingerprint and data["fingerprint"] != expected.fingerprint:
        raise UserError(
            f"run '{run.name}': the data there had fingerprint {data['fingerprint']}, here {expected.fingerprint}. {nothing}"
        )
    hashes = {run.folds.hash, run.environment["folds"]["hash"], *([expected.folds] if expected.folds else [])}
    if len(hashes) > 1:
        raise UserError(f"run '{run.name}': its folds are not those of here. {nothing}")
    if expected.run and run.name != expected.run:
        raise UserError(f"run '{run.name}': wanted '{expected.run}'; recipe, data or folds differed there. {nothing}")
    return run


def put_in_place(arrived: Path, out: Path, slug: str, run: str, fresh: bool) -> Path:
    """Move a checked run to oof/<slug>/<run>, and folds that are not there yet beside it.

    fresh : whether a run that stands there makes way

    Raises
    ------
    UserError
        If another run of that name has something that this one has not.
    """
    target, home = out / "oof" / slug / run, arrived / "oof" / slug
    for path in sorted((home / "folds").glob("*")) if (home / "folds").is_dir() else []:
        place = out / "oof" / slug / "folds" / path.name
        if not place.exists():
            with complete_file(place) as temporary:
                shutil.copyfile(path, temporary)
    aside = target.with_name(f".{run}.replaced")
    with _nobody_trains(target):
        shutil.rmtree(aside, ignore_errors=True)
        if target.exists():
            _refuse_loss(target, home / run, fresh)
            target.rename(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        (home / run).replace(target)
    shutil.rmtree(aside, ignore_errors=True)
    return target


@contextlib.contextmanager
def _nobody_trains(run: Path) -> Iterator[None]:
    """Refuse to replace a run that a process here trains now (UserError)."""
    import filelock

    if not run.is_dir():
        yield
        return
    try:
        with filelock.FileLock(run / ".lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise UserError(
            f"{run}: another process is training this run here. What came waits; give the same command again"
        ) from error


def _refuse_loss(target: Path, arrived: Path, fresh: bool) -> None:
    def folds(run: Path) -> set[str]:
        return {path.name for path in run.glob("fold-*.manifest.json")}

    more = sorted(folds(target) - folds(arrived))
    if more and not fresh:
        raise UserError(
            f"{target}: stands with folds that the run from Kaggle has not ({', '.join(more)}). It was left as it is; what came lies in "
            f"{arrived}. Remove one of them"
        )
