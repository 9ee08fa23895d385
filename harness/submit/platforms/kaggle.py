"""Kaggle: a file is uploaded and then submitted; of a code competition, a version of a notebook is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.progress import LineWatcher
from harness.competition import Competition
from harness.ledger import Notebook, State
from harness.remote.errors import OddAnswer, Unclear, Unreachable, final, odd_answers
from harness.remote.kaggle_client import KaggleClient, redacted
from harness.submit.answers import is_reference, tagged
from harness.submit.code.package import CODE
from harness.submit.code.push import pushed_notebook
from harness.submit.platform import Listed, Standing

_STATES = {"PENDING": State.PENDING, "COMPLETE": State.COMPLETE, "ERROR": State.ERROR}


def open_platform(competition: Competition, place: str) -> Kaggle:
    """The competition on Kaggle."""
    return Kaggle(competition.slug)


class Kaggle:
    """A competition on Kaggle.

    deadline : seconds that a call may take; an upload gets more for a large file
    """

    name = "kaggle"

    def __init__(self, slug: str, deadline: float | None = None) -> None:
        self.slug = slug
        self._client = KaggleClient(slug, deadline)

    @odd_answers
    def standing(self) -> Standing:
        """See `Platform.standing`."""
        told = self._client.call("standing")
        problems = []
        if told.get("disabled"):
            problems.append("it takes no submissions, or none any more")
        if told.get("entered") is False:
            problems.append(
                f"the rules are not accepted: open https://www.kaggle.com/c/{self.slug}/rules, join, and try again"
            )
        if told.get("all_used"):
            problems.append("all submissions of the competition are used")
        notes = [_late(redacted(str(told["deadline"])))] if told.get("ended") else []
        about = {k: redacted(str(told[k])) for k in ("rank", "deadline") if told.get(k)}
        return Standing(told.get("left"), problems, about, bool(told.get("code_only")), notes)

    def upload(self, path: Path, tag: str) -> str:
        """See `Platform.upload`; a package of code is run there in a notebook, whose version is what is submitted."""
        if path.suffix == CODE:
            return str(pushed_notebook(path, LineWatcher()))
        seconds = self._client.deadline + path.stat().st_size / 2**17
        return self._uploaded(path, seconds)

    @odd_answers
    def _uploaded(self, path: Path, seconds: float) -> str:
        return self._client.call("upload", path=str(path), deadline=seconds)["token"]

    def submit(self, uploaded: str, message: str) -> str:
        """See `Platform.submit`; a notebook's version is submitted instead of a file."""
        notebook = Notebook.parse(uploaded)
        if notebook:  # Kaggle runs this version of it on the hidden test
            return self._final("submit_notebook", message=message, **vars(notebook))
        return self._final("submit", token=uploaded, message=message)

    @odd_answers
    def find(self, tag: str) -> Listed | None:
        """See `Platform.find`: by the tag in the message."""
        lines = self._submissions()
        found = tagged(lines, tag, lambda line: line["description"], lambda line: line["date"], "description")
        return self._listed(found) if found else None

    @odd_answers
    def look(self, ref: str) -> Listed:
        """See `Platform.look`."""
        found = [line for line in self._submissions() if str(line["ref"]) == ref]
        if not found:
            raise Unreachable(f"submission {ref} is not listed")
        return self._listed(found[0])

    @odd_answers
    def leaderboard(self) -> list[dict[str, Any]]:
        """See `Platform.leaderboard`."""
        rows = self._client.call("leaderboard")["rows"]
        return [{"team": redacted(str(row["team"])), "score": row["score"]} for row in rows]

    def _submissions(self) -> list[dict[str, Any]]:
        return self._client.call("submissions")["rows"]

    @staticmethod
    def _listed(line: dict[str, Any]) -> Listed:
        if not is_reference(str(line["ref"])):
            raise OddAnswer("a submission is listed under something that is no reference")
        state = _STATES.get(line["status"].rpartition(".")[2].upper(), State.PENDING)
        return Listed(str(line["ref"]), state, line["public"], line["private"], redacted(line["error"]))

    def _final(self, op: str, **arguments: Any) -> str:
        """The final call's reference."""
        told = final(lambda: self._client.once(op, None, **arguments))
        if not told.get("ref") or not is_reference(str(told["ref"])):
            raise Unclear(f"the client said '{redacted(str(told.get('message')))}' and gave no reference")
        return str(told["ref"])


def _late(deadline: str) -> str:
    """Many ended competitions still score what is sent; one that does not says so itself (disabled, or a 4xx)."""
    return (
        f"the deadline was {deadline}: a late submission gets a score, if the competition still takes any, and no rank"
    )
