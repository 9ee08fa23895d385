"""Kaggle, by its own client in a child process that can be killed: the client's calls know no deadline.

The child (`harness.submit.kaggle_child`) imports kaggle and answers calls in lines of JSON; this side never imports it. A call that ended badly says at which step, so that what may have been spent is told from what was not.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from harness.base.secrets import check_private, redact
from harness.ledger import State
from harness.submit.child import Child, NoAnswer
from harness.submit.platform import Listed, NoCredentials, Refused, Standing, TryLater, Unclear, Unreachable
from harness.submit.retry import patiently

_STATES = {"PENDING": State.PENDING, "COMPLETE": State.COMPLETE, "ERROR": State.ERROR}
_FINAL = (400, 401, 403, 404, 405, 410, 413, 422)


class Kaggle:
    """A competition on Kaggle.

    deadline : seconds that a call may take; an upload gets more for a large file
    """

    name = "kaggle"

    def __init__(self, slug: str, deadline: float | None = None) -> None:
        self.slug = slug
        self.deadline = deadline or float(os.environ.get("HARNESS_CALL_SECONDS", "60"))
        self._child = Child("harness.submit.kaggle_child")

    def standing(self) -> Standing:
        told = self._call("standing")
        problems = []
        if told.get("disabled"):
            problems.append("submissions are closed")
        if told.get("entered") is False:
            problems.append(
                f"the rules are not accepted: open https://www.kaggle.com/c/{self.slug}/rules, join, and try again"
            )
        if told.get("code_only"):
            problems.append("it takes notebooks, not files: submit one from its own page")
        if told.get("ended"):
            problems.append(f"the deadline was {told['deadline']}")
        return Standing(told.get("left"), problems, {k: told[k] for k in ("rank", "deadline") if told.get(k)})

    def upload(self, path: Path, tag: str) -> str:
        return self._call("upload", path=str(path), deadline=self.deadline + path.stat().st_size / 2**17)["token"]

    def submit(self, uploaded: str, message: str) -> str:
        return self._final("submit", token=uploaded, message=message)

    def find(self, tag: str) -> Listed | None:
        return next((self._listed(line) for line in self._submissions() if tag in line["description"]), None)

    def look(self, ref: str) -> Listed:
        found = [line for line in self._submissions() if str(line["ref"]) == ref]
        if not found:
            raise Unreachable(f"submission {ref} is not listed")
        return self._listed(found[0])

    def leaderboard(self) -> list[dict[str, Any]]:
        return self._call("leaderboard")["rows"]

    def _submissions(self) -> list[dict[str, Any]]:
        return self._call("submissions")["rows"]

    @staticmethod
    def _listed(line: dict[str, Any]) -> Listed:
        state = _STATES.get(line["status"].rpartition(".")[2].upper(), State.PENDING)
        return Listed(str(line["ref"]), state, line["public"], line["private"], redact(line["error"], _secrets()))

    def _call(self, op: str, deadline: float | None = None, **arguments: Any) -> dict[str, Any]:
        """A call that may be repeated: again after a pause where the platform stumbles."""
        return patiently(lambda: self._once(op, deadline, **arguments))

    def _final(self, op: str, **arguments: Any) -> str:
        """A call that must not be repeated: whatever is no clear answer is Unclear."""
        try:
            told = patiently(lambda: self._once(op, None, **arguments), only=TryLater)
        except (TryLater, NoCredentials):
            raise
        except Unreachable as error:
            raise Unclear(str(error)) from error
        if not told["ref"]:
            raise Unclear(f"the client said '{redact(told['message'], _secrets())}' and gave no reference")
        return str(told["ref"])

    def _once(self, op: str, deadline: float | None, **arguments: Any) -> dict[str, Any]:
        check_kaggle_credentials()
        request = {"op": op, "competition": self.slug, **arguments}
        try:
            answer = self._child.ask(request, deadline or self.deadline)
        except NoAnswer as error:
            raise Unreachable(f"kaggle: '{op}': {error}") from error
        if "error" in answer:
            _raise(op, answer["error"])
        return answer


def _raise(op: str, error: dict[str, Any]) -> None:
    status, said = error["status"], redact(error["text"], _secrets())
    if error["kind"] == "credentials":
        raise NoCredentials(said)
    if status in _FINAL:
        raise Refused(f"kaggle refused '{op}' ({status}): {said}{_cure(status, said)}")
    kind = TryLater if status == 429 else Unreachable
    raise kind(f"kaggle: '{op}' failed ({status or error['kind']}): {said}", error.get("retry_after"))


def _cure(status: int, said: str) -> str:
    if status == 401:
        return ". The token is wrong or expired: make a new one at https://www.kaggle.com/settings"
    if status == 403:
        return ". Join the competition and accept its rules on its page, or mend the slug (a wrong one gives 403 too)"
    if status == 404:
        return ". There is no such competition"
    return ""


def check_kaggle_credentials() -> None:
    """Find credentials where the client would, without importing it.

    Raises
    ------
    NoCredentials
        Names the places.
    UserError
        If a file of them may be read by others.
    """
    files = _credential_files()
    for path in files:
        check_private(path)
    variables = "KAGGLE_API_TOKEN" in os.environ or {"KAGGLE_USERNAME", "KAGGLE_KEY"} <= set(os.environ)
    if not (files or variables):
        raise NoCredentials(
            "no Kaggle credentials: make a token at https://www.kaggle.com/settings and put it into "
            f"{Path.home() / '.kaggle' / 'access_token'} (chmod 600) or the variable KAGGLE_API_TOKEN"
        )


def _credential_files() -> list[Path]:
    """Files that the client would take credentials from; the token's variable may name one too."""
    home = Path.home() / ".kaggle"
    files = [home / "access_token", home / "access_token.txt", home / "credentials.json"]
    files.append(Path(os.environ.get("KAGGLE_CONFIG_DIR") or home) / "kaggle.json")
    files.append(Path.home() / ".config" / "kaggle" / "kaggle.json")
    named = os.environ.get("KAGGLE_API_TOKEN", "")
    return [path for path in [*files, *([Path(named)] if "/" in named else [])] if path.is_file()]


def _secrets() -> list[str]:
    """Values in those files, so that they can be taken out of whatever is said."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in _credential_files()]
    return [word for text in texts for word in re.findall(r"[A-Za-z0-9._~+/=-]{8,}", text)]
