"""The calls about data sets and notebooks of one's own account on Kaggle, with what their answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UserError
from harness.kernels.kaggle.notebook import Notebook
from harness.remote.errors import Refused, Unclear, Unreachable, final, odd_answers
from harness.remote.kaggle_client import KaggleClient, redacted
from harness.remote.retry import with_retries

OURS = "competition-harness pack "
"""Begins the subtitle of a data set that we made; the pack's mark follows."""

ENDS = {
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_REQUESTED": "cancelled",
    "CANCEL_ACKNOWLEDGED": "cancelled",
}
"""States of a session in which nothing is computed any more, and what they are called here."""

_MOST_PIECES = 200_000


@dataclass(frozen=True)
class DataSet:
    """A data set as it stands; mark : of its latest version's content, "" where it is not one of ours."""

    version: int
    mark: str


@dataclass(frozen=True)
class Found:
    """A notebook as it stands: its latest version and its text."""

    version: int
    text: str


@dataclass(frozen=True)
class Look:
    """A session as it stands; end : one of ENDS' values, "" while it waits or runs; state, said : in words."""

    end: str
    state: str
    said: str


class Account:
    """One's own account.

    deadline : seconds that a call may take
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._client = KaggleClient("", deadline)
        self._user = ""

    @property
    def user(self) -> str:
        """Its name.

        Raises
        ------
        Refused, Unreachable
            As every call.
        UserError
            If the credentials do not tell it.
        """
        self._user = self._user or self._asked_user()
        return self._user

    @odd_answers
    def _asked_user(self) -> str:
        name = str(self._client.call("account")["user"])
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise UserError("the Kaggle credentials do not say whose they are: set KAGGLE_USERNAME too")
        return name

    @odd_answers
    def gpu_hours(self) -> tuple[float | None, str]:
        """Hours of GPU that are left this week, and when they are given anew; (None, "") where it is not told."""
        told = self._client.call("quota")
        hours = told["hours"]
        return (None, "") if hours is None else (float(hours), redacted(str(told["until"] or "")))

    @odd_answers
    def find_data_set(self, name: str) -> DataSet | None:
        """A data set of one's own; None where there is none of that name."""
        try:
            told = self._client.call("dataset", owner=self.user, name=name)
        except Refused as error:
            if error.status in (403, 404):  # which of them is said of one that is not there, differs
                return None
            raise
        texts = (told["subtitle"], told["notes"].get(str(told["version"]), ""))
        marks = [text[len(OURS) :][:16] for text in texts if text.startswith(OURS)]
        return DataSet(int(told["version"]), marks[0] if marks else "")

    @odd_answers
    def upload(self, path: Path) -> str:
        """Bring a file to Kaggle's store; its token."""
        seconds = self._client.deadline + path.stat().st_size / 2**17
        return str(self._client.call("dataset_upload", path=str(path.resolve()), deadline=seconds)["token"])

    def save_data_set(self, name: str, title: str, mark: str, tokens: list[str], new: bool) -> None:
        """Make a private data set of uploaded files, or its next version; made once.

        Raises
        ------
        Unclear
            For anything but a clear yes.
        """
        told = final(
            lambda: self._client.once(
                "dataset_save",
                None,
                owner=self.user,
                name=name,
                title=title,
                subtitle=OURS + mark,
                notes=OURS + mark,
                tokens=tokens,
                new=new,
            )
        )
        if told.get("problem") or str(told.get("status", "")).lower() == "error":
            raise Unclear(redacted(str(told.get("problem") or told.get("status"))), said_no=True)

    @odd_answers
    def data_set_state(self, name: str) -> str:
        """ "ready", "failed" or "deleted"; anything else: it is being made."""
        return str(self._client.call("dataset_status", owner=self.user, name=name)["status"]).lower()

    @odd_answers
    def find_notebook(self, name: str) -> Found | None:
        """A notebook of one's own; None where neither its page nor the list of one's own knows it.

        Raises
        ------
        Unreachable
            If it is listed and cannot be read: nobody can tell.
        """
        try:
            told = self._client.call("kernel", owner=self.user, name=name)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            if name in self._client.call("kernels_named", name=name)["names"]:
                raise Unreachable(f"kaggle lists the notebook '{name}', but does not show it") from error
            return None
        return Found(int(told["version"]), str(told["text"]))

    def push(self, notebook: Notebook, folder: Path) -> tuple[int, list[str]]:
        """Push a notebook's folder; it begins to run. Made once; its version, and what Kaggle did not attach.

        Raises
        ------
        Unclear
            For anything but a clear yes.
        """
        accelerator = "" if notebook.accelerator == "none" else notebook.accelerator
        told = final(
            lambda: self._client.once(
                "kernel_save", None, folder=str(folder.resolve()), limit=str(notebook.seconds), accelerator=accelerator
            )
        )
        if told.get("problem"):
            raise Unclear(redacted(str(told["problem"])), said_no=True)
        if not isinstance(told.get("version"), int) or told["version"] < 1:
            raise Unclear("the answer names no version of the notebook")
        return told["version"], [redacted(str(name)) for name in told.get("left_out", [])]

    @odd_answers
    def look(self, name: str) -> Look:
        """How the latest session of a notebook stands."""
        told = self._client.call("kernel_status", owner=self.user, name=name)
        state = str(told["status"])
        return Look(ENDS.get(state, ""), redacted(state.lower().replace("_", " ")), redacted(str(told["message"])))

    @odd_answers
    def log(self, name: str, skip: int, patience: float) -> tuple[list[str], int, bool]:
        """Pieces of a session's log beyond the first `skip`, how many there are so far, and whether it is too long to be read on."""
        told = self._client.once(
            "kernel_log",
            patience + 2 * self._client.deadline,  # a quiet stream is left after one
            owner=self.user,
            name=name,
            skip=skip,
            patience=patience,
            most=_MOST_PIECES,
        )
        return [str(piece) for piece in told["pieces"]], int(told["seen"]), bool(told["cut"])

    @odd_answers
    def fetch(
        self, name: str, folder: Path, pattern: str, tick: Callable[[int], None] = lambda done: None
    ) -> list[str]:
        """Bring a session's files into a folder: those whose names match and stay inside; their names."""

        def alive() -> int:
            done = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
            tick(done)
            return done

        folder.mkdir(parents=True, exist_ok=True)
        asked = {"owner": self.user, "name": name, "folder": str(folder.resolve()), "pattern": pattern, "fetch": True}
        told = with_retries(lambda: self._client.once("kernel_output", None, alive, **asked))
        return [str(found) for found in told["files"]]

    @odd_answers
    def has_output(self, name: str, pattern: str) -> bool:
        """Whether a session left a file whose name matches."""
        return bool(
            self._client.call("kernel_output", owner=self.user, name=name, pattern=pattern, fetch=False)["files"]
        )
