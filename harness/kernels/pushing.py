"""A notebook is pushed and followed: once, whatever becomes of the answer; the journal has each step before the next begins."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import Any

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.kernels.journal import Journal, Session
from harness.kernels.kaggle.account import Account, Look
from harness.kernels.kaggle.data_set import pauses
from harness.kernels.kaggle.follow import follow
from harness.kernels.kaggle.notebook import Notebook
from harness.remote.errors import NoCredentials, Refused, Unclear, Unreachable


class Pushing:
    """Sessions of one journal.

    again : the command that a person gives to go on; attaching : the one that only follows
    """

    def __init__(self, account: Account, journal: Journal, watcher: LineWatcher, again: str, attaching: str) -> None:
        self.account, self.journal, self.watcher = account, journal, watcher
        self.again, self.attaching = again, attaching

    def start(self, notebook: Notebook, number: int, **told: Any) -> list[str]:
        """Make the one call that starts a session, its intent in the journal before; returns what Kaggle did not attach.

        Raises
        ------
        UserError
            If Kaggle did not take it: nothing runs.
        Refused, Unreachable
            If nobody can tell; the journal keeps the doubt.
        """
        folder = self.journal.folder / "notebook"
        shutil.rmtree(folder, ignore_errors=True)
        notebook.write(folder)
        self.journal.add("pushing", number, name=notebook.name, tag=notebook.tag, url=notebook.url, **told)
        self.watcher.say(f"notebook {notebook.url}: pushed, private, {notebook.accelerator}")
        session = self.journal.sessions[-1]
        try:
            version, left_out = self.account.push(notebook, folder)
        except NoCredentials:
            self._absent(session, "no credentials")
            raise
        except Unclear as error:
            self.watcher.say(f"the push had no clear answer ({error}); looks whether it is there")
            if self._found(session) is not None:
                return []
            self._absent(session, str(error))
            raise UserError(
                f"Kaggle did not take the notebook: {error}\n  Nothing runs there. {cure_of(str(error))}Give the same command again: "
                f"{self.again}"
            ) from error
        self.journal.add("pushed", number, version=version)
        return left_out

    def settled(self, session: Session) -> Session:
        """A session whose push has no answer in the journal: pushed, or absent.

        Raises
        ------
        Refused, Unreachable
            If nobody can tell; the journal keeps the doubt.
        """
        return self._found(session) or self._absent(session, "the push never arrived")

    def _found(self, session: Session) -> Session | None:
        """The session, where Kaggle has it; None where it has not, over the whole grace period."""
        for pause in (*pauses(), 0.0):
            found = self.account.find_notebook(session.name)
            if found is not None and session.tag in found.text:
                self.journal.add("pushed", session.number, version=found.version)
                self.watcher.say(f"found as version {found.version}: {session.url}")
                return self.journal.sessions[-1]
            time.sleep(pause)
        return None

    def _absent(self, session: Session, said: str) -> Session:
        self.journal.add("absent", session.number, how="absent", said=said)
        return self.journal.sessions[-1]

    def followed(self, session: Session) -> Look | None:
        """Follow a session to its end; None where it cannot be asked for (see `gone`).

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C: it goes on there; says how to follow it again.
        """
        try:
            return follow(self.account, session.name, self.watcher, session.url, self.attaching)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            return None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"it goes on at Kaggle: {session.url}\n  follow it again: {self.attaching}\n  (to end it: cancel it on that page)"
            ) from None

    def gone(self, session: Session) -> Session:
        """A session that cannot be asked for: over, where neither its page nor the list of notebooks has it any more."""
        if self.account.find_notebook(session.name) is not None:
            raise Unreachable(f"kaggle shows the notebook '{session.name}', but does not say how its session stands")
        self.journal.add(
            "ended", session.number, how="lost", said="the notebook is not on Kaggle any more", saved=False
        )
        return self.journal.sessions[-1]

    def say_quota(self, accelerator: str) -> None:
        """Say how many hours of GPU are left.

        Raises
        ------
        UserError
            If there are none.
        """
        if accelerator == "none":
            return
        hours, until = None, ""
        with contextlib.suppress(Refused, Unreachable):
            hours, until = self.account.gpu_hours()
        if hours is None:
            return
        if hours <= 0:
            raise UserError(
                f"this week's hours of GPU are used up{f'; there are new ones from {until} on' if until else ''}. Nothing was pushed: give the "
                "same command then, or train without (--accelerator none), or here (leave out --on)"
            )
        self.watcher.say(f"hours of GPU left this week: {hours:.1f}")


def cure_of(said: str) -> str:
    """What helps against a no that is known; "" against others."""
    text = said.lower()
    if "gpu" in text and ("quota" in text or "hours" in text):
        return "This week's hours of GPU are used up: wait for the new week, or go on without (--accelerator none). "
    if "session count" in text or "maximum batch" in text:
        return "Other sessions of yours run: wait for them, or cancel one at https://www.kaggle.com/code. "
    if "phone" in text or "verif" in text:
        return "Verify your phone number at https://www.kaggle.com/settings. "
    return ""
