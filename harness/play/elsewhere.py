"""harness.play --on kaggle: the whole play in a session there; its runs, verdicts, pages and submissions come back."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import complete_file, read_json, write_json
from harness.base.storage.manifest import sha256_of
from harness.base.untrusted_text import plain
from harness.clean.elsewhere import put_verdicts
from harness.clean.verdicts import about_verdicts, clean_folder, standing_verdicts
from harness.competition import Competition
from harness.data.chosen import load_chosen
from harness.data.dataset import is_there
from harness.kernels.arrived import Report, checked_run, put_in_place, refuse_climbing, run_files
from harness.kernels.command import Command
from harness.kernels.job import Expected, Job, sources_of, verdict_files
from harness.kernels.options import KaggleOptions
from harness.kernels.session import asked_for, play
from harness.play.journal import DONE
from harness.play.request import Request

_OF_PLAY = r"play/(play\.(html|toml)|journal\.jsonl|spent\.json|result\.json|recipes/[\w.-]+\.toml)"


def play_on_kaggle(
    competition: Competition, asked: Request, place: KaggleOptions, command: Command, watcher: LineWatcher
) -> dict[str, Any] | None:
    """Play there, put everything in place here, and return what the play says of itself (`summary.as_dict`); None after a dry run.

    Raises
    ------
    UserError
        For what is wrong before anything is sent, and for all that goes wrong there.
    """
    _refuse_what_stays_here(asked)
    how, where, out = asked.how, asked.where, asked.out
    place = dataclasses.replace(place, dry_run=how.dry_run)
    verdicts = _own_verdicts(out, competition, where.sample)
    fingerprint = ""
    if where.sample or is_there(competition, where.root):
        fingerprint = load_chosen(competition, where, watcher)[1].fingerprint
    result = PlayResult(out, competition, where.sample, Expected(fingerprint=fingerprint), verdicts is None)
    result.refuse_to_lose(how.fresh)
    job = Job(
        competition=competition,
        module=command.module,
        words=command.there(competition.slug),
        files=verdict_files(out, verdicts),
        accelerator=place.machine(),
        internet=True,  # pretrained weights are raced as well
        hours=place.session_hours,
        sources=sources_of(competition, where.sample),
        expected=result.expected,
    )
    path = play(job, result, asked_for(place, command, out, how.fresh), watcher)
    return told_there(path / "result.json") if path else None


def _own_verdicts(out: Path, competition: Competition, sample: bool) -> Path | None:
    """clean.csv, where somebody made or changed it here; what an earlier session of the play brought, the play makes again."""
    path, told = standing_verdicts(out, competition, sample), out / "oof" / competition.slug / "play" / "result.json"
    if path is None or not told.is_file():
        return path
    cleaned = any(step.get("kind") == "clean" and step.get("state") == DONE for step in told_there(told)["steps"])
    untouched = sha256_of(path) in about_verdicts(path).get("as_written", [])
    return None if cleaned and untouched else path


def _refuse_what_stays_here(asked: Request) -> None:
    how = asked.how
    if asked.nodes.cluster or asked.folds.device != "auto":
        raise UserError("--on kaggle: does not go with --cluster and --device")
    if how.submit:
        raise UserError(
            "--submit: the session on Kaggle has no token of yours. Play there first; then harness.submit sends what came back"
        )
    if how.plan:
        raise UserError(
            f"--plan {how.plan}: is played here; on Kaggle the play makes its own plan. Train single recipes there by harness.cv --on kaggle"
        )


@dataclass(frozen=True)
class PlayResult:
    """Everything that a play leaves below `out`: see `harness.kernels.results.Result`.

    Attributes
    ----------
    sample : whether it is of the embedded sample
    cleans : whether the verdicts are made there, since none stand here
    """

    out: Path
    competition: Competition
    sample: bool
    expected: Expected
    cleans: bool

    @property
    def home(self) -> Path:
        """Where the play's own files lie here."""
        return self.out / "oof" / self.competition.slug / "play"

    def refuse_to_lose(self, fresh: bool) -> None:
        """Refuse to begin where a play stands that was played here (UserError)."""
        if (self.home / "journal.jsonl").is_file() and not (self.home / "result.json").is_file() and not fresh:
            raise UserError(
                f"{self.home}: a play of this competition was begun here. Go on with it (without --on), or begin anew there: --fresh"
            )

    def name(self, report: Report) -> str:
        """See `Result.name`."""
        if f"{self._inside}play/result.json" not in report.files:
            raise UserError("the session left no result of a play. Nothing was put in place")
        return "play"

    def stands(self, name: str) -> Path | None:
        """See `Result.stands`."""
        return self.home if (self.home / "result.json").is_file() else None

    def wanted(self, report: Report) -> list[str]:
        """See `Result.wanted`."""
        refuse_climbing(report)
        own = re.compile(
            f"{re.escape(self._inside)}({_OF_PLAY}|{re.escape(self._verdicts.name)}/clean[.](csv|json|html))"
        )
        files = re.compile(rf"submissions/{re.escape(self.competition.slug)}/[\w.-]+")
        found = [name for name in report.files if own.fullmatch(name) or files.fullmatch(name)]
        for run in self._runs(report):
            found += run_files(report, self.competition.slug, run)
        return list(dict.fromkeys(found))

    def place(self, folder: Path, report: Report, fresh: bool) -> Path:
        """See `Result.place`."""
        slug, arrived = self.competition.slug, folder / self._inside
        runs = self._runs(report)
        for run in runs:
            checked_run(arrived / run, report, self.expected)
        told = told_there(arrived / "play" / "result.json")
        for run in runs:
            put_in_place(folder, self.out, slug, run, fresh)
        verdicts = arrived / self._verdicts.name
        if self.cleans and (verdicts / "clean.csv").is_file():
            put_verdicts(verdicts, self._verdicts / "clean.csv", self.expected.fingerprint, False)
        for name in self.wanted(report):
            path = folder / name
            if path.is_file() and (name.startswith("submissions/") or f"{self._inside}play/" in name):
                with complete_file(self.out / name) as temporary:
                    shutil.copyfile(path, temporary)
        write_json(self.home / "result.json", self._as_it_lies_here(told))
        return self.home

    @property
    def _inside(self) -> str:
        return f"oof/{self.competition.slug}/"

    @property
    def _verdicts(self) -> Path:
        return clean_folder(self.out, self.competition, self.sample)

    def _runs(self, report: Report) -> list[str]:
        """Finished runs and ensembles, members before what is made of them."""
        inside = f"oof/{self.competition.slug}/"
        runs = [run for run in report.runs if f"{inside}{run}/scores.json" in report.files]
        return sorted(runs, key=lambda run: run.startswith("ensemble-"))

    def _as_it_lies_here(self, told: dict[str, Any]) -> dict[str, Any]:
        """With the files of here instead of those of there."""
        told = json.loads(json.dumps(told))
        files = self.out / "submissions" / self.competition.slug
        for step in told["steps"]:
            if step["outcome"].get("file"):
                step["outcome"]["file"] = str(files / Path(step["outcome"]["file"]).name)
        return {**told, "page": str(self.home / "play.html")}


def told_there(path: Path) -> dict[str, Any]:
    """What a play says of itself, its words made plain.

    Raises
    ------
    UserError
        If the file is not of a play.
    """
    told = _plain(read_json(path))
    wanted = ("final", "score", "runs", "limits", "steps", "budget", "sent", "page")
    steps = told.get("steps") if isinstance(told, dict) else None
    whole = isinstance(steps, list) and all(isinstance(s, dict) and isinstance(s.get("outcome"), dict) for s in steps)
    if not whole or any(key not in told for key in wanted):
        raise UserError(f"{path}: is not what a play says of itself")
    return dict(told)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value, 1000)
    if isinstance(value, dict):
        return {plain(key, 200): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
