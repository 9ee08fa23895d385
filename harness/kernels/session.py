"""From a job to its files: pack, data set, push, follow, fetch, check, put in place; each step is in the journal before the next begins."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.base.untrusted_text import counted, plain
from harness.kernels import arrived
from harness.kernels.command import Command
from harness.kernels.job import Job, as_name
from harness.kernels.journal import Journal, Session
from harness.kernels.kaggle.account import Account, Look
from harness.kernels.kaggle.data_set import ensure_data_set, pauses
from harness.kernels.kaggle.notebook import Notebook, session_cells
from harness.kernels.options import KaggleOptions
from harness.kernels.pack import Pack, build_pack
from harness.kernels.pushing import Pushing, cure_of
from harness.kernels.results import Result
from harness.remote.errors import Refused, Unreachable


def asked_for(place: KaggleOptions, command: Command, out: Path, fresh: bool = False) -> Asked:
    """What the options ask for, with the command as the way to go on."""
    return Asked(out, command.again(), command.again("--attach"), place.attach, fresh, place.dry_run)


@dataclass(frozen=True)
class Asked:
    """How a job is played.

    Attributes
    ----------
    out : folder that oof/ lies under
    attach : follow what runs, start nothing; fresh : begin anew what stands; dry_run : call nobody
    command : what a person types to go on; attaching : to follow only
    """

    out: Path
    command: str
    attaching: str
    attach: bool = False
    fresh: bool = False
    dry_run: bool = False


def play(job: Job, result: Result, asked: Asked, watcher: LineWatcher) -> Path | None:
    """Play a job on Kaggle, or go on where it was left; returns what it brought, in place. None: a dry run.

    Raises
    ------
    UserError
        With what happened, what is lost (nothing) and what to do next.
    """
    home = asked.out / "oof" / job.competition.slug / "kaggle"
    _sweep(home)
    pack = build_pack(job, home / f".pack-{os.getpid()}")
    key = job.key(pack.hashes[pack.content.name])
    work = Work(job, result, key, pack, asked, watcher, Journal(home / key))
    try:
        with work.journal.alone():
            work.pack = pack.moved(home / key / "data-set")
            if not asked.dry_run:
                return work.play()
            work.dry_run()
            return None
    except (Refused, Unreachable) as error:
        open_ones = [session for session in work.journal.sessions if session.is_open]
        goes_on = f"The session goes on at {open_ones[-1].url or open_ones[-1].name}. " if open_ones else ""
        raise UserError(
            f"{error.args[0]}\n  {goes_on}Nothing is lost; give the same command again: {asked.command}"
        ) from error


def _sweep(home: Path) -> None:
    """Remove what killed commands packed an hour ago or earlier."""
    for left in home.glob(".pack-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left)


class Work:
    """A job on its way."""

    def __init__(
        self, job: Job, result: Result, key: str, pack: Pack, asked: Asked, watcher: LineWatcher, journal: Journal
    ) -> None:
        self.job, self.result, self.key, self.pack, self.asked = job, result, key, pack, asked
        self.watcher, self.journal, self.account = watcher, journal, Account()
        self.pushing = Pushing(self.account, journal, watcher, asked.command, asked.attaching)

    @property
    def slug(self) -> str:
        """The competition's."""
        return self.job.competition.slug

    @property
    def data_set(self) -> str:
        """Name of its data set."""
        return f"harness-{as_name(self.slug, 40)}"

    def play(self) -> Path:
        """See the module's `play`."""
        last = self._last()
        if last is not None and last.step == "pushing":  # a kill, or an answer that was lost
            last = self.pushing.settled(last)
        if self.asked.fresh and last is not None and last.is_open:
            last = self._over(last)
        if last is None or self.asked.fresh or last.how not in ("", "done"):
            self._refuse_attaching()
            last = self._start(last)
        if last.step == "pushed":
            look = self.pushing.followed(last)
            last = self._ended(last, look) if look else self.pushing.gone(last)
        return self._brought(last)

    def _over(self, session: Session) -> Session:
        """The session, where it is over.

        Raises
        ------
        UserError
            If it is not: a fresh start waits for it.
        """
        try:
            look = self.account.look(session.name)
        except Refused:
            return self.pushing.gone(session)
        if not look.end:
            raise UserError(
                f"a session of this job runs already ({session.url}): follow it ({self.asked.attaching}), or cancel it on its page; --fresh "
                "begins another when it is over"
            )
        self.journal.add("ended", session.number, how="left", said="a fresh start was asked for", saved=False)
        return self.journal.sessions[-1]

    def _last(self) -> Session | None:
        sessions = self.journal.sessions
        return sessions[-1] if sessions else None

    def _refuse_attaching(self) -> None:
        if self.asked.attach:
            raise UserError(f"--attach: no session of this job runs on Kaggle. To start one: {self.asked.command}")

    def _start(self, last: Session | None) -> Session:
        """Push the next session, with what earlier ones saved."""
        if not self.asked.fresh and last is not None:
            self.watcher.say(f"goes on from session {last.number}, which ended: {last.said or last.how}")
        source = None if self.asked.fresh else self._saved_by()
        self.pushing.say_quota(self.job.accelerator)
        ensure_data_set(
            self.account,
            self.data_set,
            f"Harness {self.slug}"[:50],
            self.pack.mark,
            self.pack.files,
            self.watcher.say,
        )
        number, tag = (last.number if last else 0) + 1, f"{self.key}-{secrets.token_hex(4)}"
        notebook = self._notebook(self.account.user, number, tag, source)
        left_out = self.pushing.start(notebook, number, source=source or "", fresh=self.asked.fresh)
        if left_out:
            self.watcher.say(
                f"warning: Kaggle did not attach {', '.join(left_out)}: join the competition and accept its rules "
                f"(https://www.kaggle.com/c/{self.slug}/rules); the session will end without it"
            )
        return self.journal.sessions[-1]

    def _notebook(self, owner: str, number: int, tag: str, source: str | None) -> Notebook:
        job = self.job
        seconds = int(job.hours * 3600)
        about = {
            "job": self.key,
            "files": self.pack.hashes,
            "slug": self.slug,
            "module": job.module,
            "words": list(job.words),
            "recipes": dict(job.recipes),
            "fingerprint": job.expected.fingerprint,
            "internet": job.internet,
            "folder": _last_part(job.sources.data_sets) or self.slug,
            "seconds": seconds - min(max(seconds // 20, 10), 900),
            "harness": __version__,
        }
        return Notebook(
            owner=owner,
            name=f"harness-{as_name(self.slug, 24)}-{self.key}-{number}",
            tag=tag,
            cells=session_cells(about, tag, f"{job.module} {' '.join(job.words)}"),
            accelerator=job.accelerator,
            internet=job.internet,
            seconds=seconds,
            competitions=job.sources.competitions,
            data_sets=(f"{owner}/{self.data_set}", *job.sources.data_sets),
            notebooks=(f"{owner}/{source}",) if source else (),
        )

    def _ended(self, session: Session, look: Look) -> Session:
        """Write how the session ended, by its own report where there is one."""
        report = self._report(session, must=look.end == "complete")
        how, said = {"complete": "lost"}.get(look.end, look.end), look.said
        if report is not None and (look.end == "complete" or report.how == "done"):
            how, said = report.how, report.said or look.said
        if report is None and look.end == "complete":
            said = "it left no report: its output is missing"
        saved = report is not None and self.account.has_output(session.name, "(oof|recipes)/.*")
        self.journal.add("ended", session.number, how="lost" if how == "running" else how, said=said, saved=saved)
        return self.journal.sessions[-1]

    def _report(self, session: Session, must: bool) -> arrived.Report | None:
        """What a session says of itself; None where it left nothing.

        must : whether an output is sure to be there, so that a no is no answer. Of a session that did not end well there may be none: a no
            that lasts is taken for one
        """
        folder, wrong = self.journal.folder / "arrived", ""
        if not must:
            self.watcher.say("looks for what the session saved")
        for pause in (*pauses(), 0.0):
            (folder / arrived.REPORT).unlink(missing_ok=True)
            try:
                if self.account.fetch(session.name, folder, "harness-session[.]json"):
                    return arrived.read_report(folder / arrived.REPORT, self.key)
            except Refused as error:
                if must or error.status not in (403, 404):
                    raise
            except UserError as error:
                wrong = str(error)
            time.sleep(pause)
        if wrong and must:
            raise Unreachable(f"{session.url}: {wrong}")
        return None

    def _saved_by(self) -> str | None:
        """Name of the newest session since the last fresh start that left something to go on from."""
        for session in reversed(self.journal.sessions):
            if session.saved:
                return session.name
            if session.fresh:
                break
        return None

    def _brought(self, session: Session) -> Path:
        """Fetch, check and place what a finished session left.

        Raises
        ------
        UserError
            If the session did not finish it, or what came is not sound.
        """
        if session.how != "done":
            raise UserError(
                f"the session ended before it was done ({session.how}): {plain(session.said, 1000) or 'no reason was given'}\n  Its log: "
                f"{session.url}\n  {cure_of(session.said)}What it saved is kept there; the same command goes on from it: {self.asked.command}"
            )
        folder = self.journal.folder / "arrived"
        report = self._report(session, must=True)
        if report is None:
            raise Unreachable(f"the output of {session.url} cannot be had")
        name = self.result.name(report)
        standing = self.result.stands(name) if session.step == "placed" and session.run == name else None
        if standing is not None:
            self.watcher.say(f"{standing}: came from {session.url} already; nothing is done")
            return standing
        self._fetch_whole(session, report, folder, self.result.wanted(report))
        place = self.result.place(folder, report, session.fresh)
        self.journal.add("placed", session.number, run=name)
        shutil.rmtree(folder, ignore_errors=True)
        self.watcher.say(f"{place}: brought back from {session.url}")
        return place

    def _fetch_whole(self, session: Session, report: arrived.Report, folder: Path, names: list[str]) -> None:
        """Fetch files until all are what was written; what is whole is kept."""
        total = sum(report.files[name]["bytes"] for name in names)

        def tick(done: int) -> None:
            if done < total:
                self.watcher.downloading(done, total)

        wrong = arrived.damaged(report, folder, names)
        for _ in range(3):
            if not wrong:
                break
            pattern = "|".join(map(re.escape, wrong))
            self.account.fetch(session.name, folder, pattern, tick)
            wrong = arrived.damaged(report, folder, names)
        if wrong:
            raise UserError(
                f"{session.url}: {len(wrong)} of its {counted(len(names), 'file')} are missing or not what was written ({plain(wrong[0], 200)}). Nothing "
                f"was put in place; give the same command again, and where that does not help, train it anew: {self.asked.command} --fresh"
            )

    def dry_run(self) -> None:
        """Write what would be pushed, and say what would be done."""
        owner = os.environ.get("KAGGLE_USERNAME") or "YOU"
        last = self._last()
        notebook = self._notebook(owner, (last.number if last else 0) + 1, f"{self.key}-dry-run", None)
        notebook.write(self.journal.folder / "notebook")
        say, sources = self.watcher.say, self.job.sources
        if last is not None and last.is_open:
            say(f"a session is under way ({last.url}): the command would follow it, and push nothing")
        say(
            f"data set {owner}/{self.data_set} (private), {self.pack.size / 2**20:.2f} MiB, uploaded where its content is another:"
        )
        for path in self.pack.files:
            say(f"  {path} ({path.stat().st_size:,} bytes)")
        say(f"notebook {notebook.url} (private): {self.journal.folder / 'notebook'}")
        attached = [*(f"competition {c}" for c in sources.competitions), *(f"data set {d}" for d in sources.data_sets)]
        say(
            f"  attached by Kaggle, not uploaded: {', '.join(attached) or 'nothing (the embedded sample is made there)'}"
        )
        internet = "with internet (pretrained weights)" if self.job.internet else "without internet"
        say(
            f"  {self.job.accelerator}, {internet}, {self.job.hours:g} h at most; plays: {self.job.module} {' '.join(self.job.words)}"
        )
        if self.job.expected.run:
            say(
                f"  the run is expected as {self.job.expected.run}, of data with fingerprint {self.job.expected.fingerprint}"
            )
        say("dry run: nobody was called, nothing was sent")


def _last_part(refs: tuple[str, ...]) -> str:
    """The name of the first data set that is attached; OWNER/NAME[/VERSION]."""
    return refs[0].split("/")[1] if refs else ""
