"""Kaggle, by its own client in a child process that can be killed: the client's calls know no deadline.

The child (`harness.remote.kaggle_child`) imports kaggle and answers calls in lines of JSON; this side never imports it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.secrets import check_private, redact
from harness.remote.child_process import Child, NoAnswer
from harness.remote.errors import NoCredentials, Refused, TryLater, Unreachable
from harness.remote.hosts import names_loopback
from harness.remote.patience import call_seconds, check_patience
from harness.remote.retry import wait_words, with_retries

_FINAL = (400, 401, 403, 404, 405, 410, 413, 422)


class KaggleClient:
    """The client on behalf of one competition or data set.

    deadline : seconds that a call may take; default: $HARNESS_CALL_SECONDS, else 60
    """

    def __init__(self, slug: str, deadline: float | None = None) -> None:
        self.slug = slug
        check_patience()
        self.deadline = deadline or call_seconds()
        self._child = Child("harness.remote.kaggle_child")

    def call(self, op: str, deadline: float | None = None, **arguments: Any) -> dict[str, Any]:
        """A call that may be repeated: again after a pause where the platform stumbles.

        Raises
        ------
        Refused, Unreachable
            As the platform answers, or does not.
        UserError
            If a credentials file may be read by others.
        """
        return with_retries(lambda: self.once(op, deadline, **arguments))

    def once(
        self, op: str, deadline: float | None, alive: Callable[[], Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """One call, made once.

        alive : asked again and again; whenever its answer is new, the deadline begins anew
        """
        check_kaggle_credentials()
        _check_route()
        request = {"op": op, "competition": self.slug, **arguments}
        try:
            answer = self._child.ask(request, deadline or self.deadline, alive)
        except NoAnswer as error:
            raise Unreachable(f"kaggle: '{op}': {error}") from error
        if "error" in answer:
            _raise(op, answer["error"])
        return answer


def _check_route() -> None:
    """KAGGLE_API_ENVIRONMENT=LOCALHOST makes the client speak plain http: only this machine may hear that."""
    if os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST":
        proxy = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy")
        if proxy and not names_loopback(proxy if "//" in proxy else f"//{proxy}"):
            raise UserError(
                "KAGGLE_API_ENVIRONMENT=LOCALHOST with HTTP_PROXY to another machine: credentials would travel in the open. Nothing "
                "was sent; unset one of them"
            )


def redacted(text: str) -> str:
    """Without Kaggle's credentials."""
    return redact(text, _secrets())


def _raise(op: str, error: dict[str, Any]) -> None:
    status, said = error["status"], redacted(error["text"])
    if error["kind"] == "credentials":
        raise NoCredentials(said)
    if status in _FINAL or (status == 409 and _is_of_account(op)):
        raise Refused(f"kaggle refused '{op}' ({status}): {said}{_cure(op, status)}", status)
    kind = TryLater if status == 429 else Unreachable
    when = wait_words(error.get("retry_after")) if status == 429 else ""
    raise kind(f"kaggle: '{op}' failed ({status or error['kind']}): {said}{when}", error.get("retry_after"))


def _is_of_account(op: str) -> bool:
    """Whether a call is about data sets and notebooks, not about a competition."""
    return op.startswith(("dataset", "kernel", "account", "quota"))


def _cure(op: str, status: int) -> str:
    if status == 401:
        return ". The token is wrong or expired: make a new one at https://www.kaggle.com/settings"
    if _is_of_account(op):
        return _CURES.get(status, "")
    if status == 403:
        return ". Join the competition and accept its rules on its page, or mend the slug (a wrong one gives 403 too)"
    if status == 404:
        return ". There is no such competition"
    return ""


_CURES = {
    403: ". These credentials may not do that: a token needs the right to write notebooks and data sets, and notebooks with a GPU a verified "
    "phone number (https://www.kaggle.com/settings)",
    404: ". It is not there: was it deleted on Kaggle?",
    409: ". Its title is in use: delete or rename what has it at https://www.kaggle.com/work",
}
"""What to say of an answer about a data set or a notebook of one's own."""


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
        _check_form(path)
    variables = "KAGGLE_API_TOKEN" in os.environ or {"KAGGLE_USERNAME", "KAGGLE_KEY"} <= set(os.environ)
    if not (files or variables):
        raise NoCredentials(
            "no Kaggle credentials: make a token at https://www.kaggle.com/settings and put it into "
            "~/.kaggle/access_token (chmod 600) or the variable KAGGLE_API_TOKEN"
        )


def _check_form(path: Path) -> None:
    """A kaggle.json that is none is named here: the client would only say that there are no credentials."""
    if path.name != "kaggle.json":
        return
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # whose words may quote the file
        told = None
    if not isinstance(told, dict) or not all(
        isinstance(told.get(name), str) and told[name] for name in ("username", "key")
    ):
        raise UserError(
            f'{path}: is no JSON of the form {{"username": "...", "key": "..."}}. Make a new token at https://www.kaggle.com/settings, or '
            "remove the file"
        )


def _credential_files() -> list[Path]:
    """Files that the client would take credentials from; the token's variable may name one too."""
    files: list[Path] = []
    folder = os.environ.get("KAGGLE_CONFIG_DIR")
    try:
        home = Path.home()
    except RuntimeError:  # no home folder: only what the environment names
        home = None
    if home:
        files = [home / ".kaggle" / name for name in ("access_token", "access_token.txt", "credentials.json")]
        files.append(home / ".config" / "kaggle" / "kaggle.json")
    if folder:
        files.append(Path(folder) / "kaggle.json")
    elif home:
        files.append(home / ".kaggle" / "kaggle.json")
    named = os.environ.get("KAGGLE_API_TOKEN", "")  # a value, or a path
    return [path for path in [*files, *([Path(named)] if named else [])] if _is_file(path)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a token may be too long for a name
        return False


def _secrets() -> list[str]:
    """What is secret in those files, so that it can be taken out of whatever is said: all words but names of fields and of the user."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in _credential_files()]
    return [word for text in texts for word in re.findall(r"[A-Za-z0-9._~+/=-]{8,}", _secret_part(text))]


def _secret_part(text: str) -> str:
    """Of a file of JSON the values, without the user's name; of any other all."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return (
        " ".join(str(value) for name, value in told.items() if name != "username") if isinstance(told, dict) else text
    )
