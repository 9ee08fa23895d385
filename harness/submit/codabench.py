"""Codabench, by its REST interface (there is no client): a zip is uploaded to a signed address, then submitted to a phase.

Facts, from the platform's source: a bad token is 403; an over-quota submission is a bare 500, so the quota is asked first
and the final call never repeated; a missing trailing slash turns a POST into a GET; the file's name is what a listing shows.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.files import read_json
from harness.base.secrets import check_private, redact
from harness.competition import Competition
from harness.ledger import State
from harness.remote.errors import NoCredentials, Refused, TryLater, Unclear, Unreachable
from harness.remote.retry import patiently
from harness.submit.platform import Listed, Standing

_STATES = {"Finished": State.COMPLETE, "Failed": State.ERROR, "Cancelled": State.ERROR}
CREDENTIALS = Path.home() / ".codabench.json"


class Codabench:
    """A phase of a competition on Codabench."""

    name = "codabench"

    def __init__(self, competition: Competition, phase: int | None = None) -> None:
        if competition.codabench is None:
            raise UserError(
                f"{competition.folder / 'competition.toml'}: needs [codabench] with phase = NUMBER to send anything there"
            )
        self.phase, self.column = phase or competition.codabench.phase, competition.codabench.column
        self.results_file = competition.codabench.results_file
        self.site = os.environ.get("CODABENCH_URL", competition.codabench.site).rstrip("/")
        self.seconds = float(os.environ.get("HARNESS_CALL_SECONDS", "60"))
        self._token: str | None = None

    def standing(self) -> Standing:
        can = self._get(f"/api/can_make_submission/{self.phase}/")
        phase = self._get(f"/api/phases/{self.phase}/")
        reason = str(can.get("reason") or "no reason given")
        spent_today = not can.get("can") and "today" in reason.lower()
        problems = [] if can.get("can") or spent_today else [f"no submission is taken now: {reason}"]
        if phase.get("status") not in (None, "Current"):
            problems.append(f"the phase is '{phase['status']}', not 'Current'")
        left = 0 if spent_today else self._left(self._with_used(phase))
        return Standing(left, problems, {"phase": phase.get("name", self.phase)})

    def _with_used(self, phase: dict[str, Any]) -> dict[str, Any]:
        """What was used stands in the competition's list of phases, not everywhere in the phase itself."""
        if "used_submissions_per_day" in phase or not phase.get("competition"):
            return phase
        phases = self._get(f"/api/competitions/{phase['competition']}/").get("phases", [])
        return next((phase | p for p in phases if p.get("id") == self.phase), phase)

    @staticmethod
    def _left(phase: dict[str, Any]) -> int | None:
        """The smaller of what is left of the day's and of the person's quota; None where there is none or it is not told."""
        if phase.get("has_max_submissions") is False:
            return None
        pairs = [
            (phase.get(f"max_submissions_per_{of}"), phase.get(f"used_submissions_per_{of}"))
            for of in ("day", "person")
        ]
        left = [max(int(most) - int(used), 0) for most, used in pairs if most is not None and used is not None]
        return min(left, default=None)

    def upload(self, path: Path, tag: str) -> str:
        content = path.read_bytes() if path.suffix == ".zip" else _zipped(self.results_file, path)
        name = f"{tag.strip('[]')}-{path.stem}.zip"  # the tag first: names are cut after 35 characters
        asked = {"type": "submission", "request_sassy_file_name": name, "file_size": len(content)}
        told = patiently(lambda: self._post("/api/datasets/", asked))
        patiently(lambda: self._put_file(told["sassy_url"], content))
        patiently(lambda: self._call("PUT", f"/api/datasets/completed/{told['key']}/"))
        return told["key"]

    def submit(self, uploaded: str, message: str) -> str:
        can = self._get(f"/api/can_make_submission/{self.phase}/")
        if not can.get("can"):
            raise Refused(f"codabench takes no submission now: {redact(str(can.get('reason')))}")
        try:
            told = patiently(
                lambda: self._post("/api/submissions/", {"phase": self.phase, "data": uploaded, "tasks": []}),
                only=TryLater,
            )
        except TryLater:
            raise
        except Unreachable as error:
            raise Unclear(str(error)) from error
        if not isinstance(told, dict) or not told.get("id"):
            raise Unclear("codabench answered the final call without an id")
        return str(told["id"])

    def find(self, tag: str) -> Listed | None:
        mark = tag.strip("[]")
        found = [line for line in self._listing(mark) if mark in str(line.get("filename", ""))]
        return self._listed(found[0]) if found else None

    def look(self, ref: str) -> Listed:
        return self._listed(self._get(f"/api/submissions/{ref}/"))

    def leaderboard(self) -> list[dict[str, Any]]:
        told = self._get(f"/api/phases/{self.phase}/get_leaderboard/")
        rows = []
        for line in told.get("submissions", []):
            score = self._score(line.get("scores", []))
            if score is not None:
                rows.append({"team": str(line.get("display_name") or line.get("owner")), "score": score})
        return rows

    def _listing(self, mark: str) -> list[dict[str, Any]]:
        told = self._get(f"/api/submissions/?phase={self.phase}&search={mark}&page_size=100")
        return told.get("results", []) if isinstance(told, dict) else told

    def _listed(self, line: dict[str, Any]) -> Listed:
        status = str(line.get("status"))
        state = _STATES.get(status, State.PENDING)
        public = self._score(line.get("scores") or []) if state == State.COMPLETE else None
        detail = redact(str(line.get("status_details") or status)) if state == State.ERROR else ""
        return Listed(str(line["id"]), state, public, None, detail)

    def _score(self, scores: list[dict[str, Any]]) -> float | None:
        wanted = [s for s in scores if self.column in (None, s.get("column_key"))]
        try:
            return float(wanted[0]["score"]) if wanted else None
        except (KeyError, TypeError, ValueError):
            return None

    def _get(self, path: str) -> Any:
        return patiently(lambda: self._call("GET", path))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call with the token; JSON, or one of our three errors."""
        return self._ask(method, path, body, {"Authorization": f"Token {self._login()}"})

    def _login(self) -> str:
        """The token: given, or asked for once by user name and password."""
        if self._token is None:
            given = _credentials()
            self._token = given.get("token") or self._ask("POST", "/api/api-token-auth/", given, {})["token"]
        return self._token

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        import requests

        try:
            answer = requests.request(
                method, self.site + path, json=body, headers=headers, timeout=self.seconds, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Unreachable(f"codabench: {method} {path}: {self._redact(str(error))}") from error
        return self._read(answer, f"{method} {path}")

    def _put_file(self, url: str, content: bytes) -> None:
        """To the storage's signed address: no Authorization there."""
        import requests

        limit = self.seconds + len(content) / 2**17
        try:
            answer = requests.put(url, data=content, headers={"Content-Type": "application/zip"}, timeout=limit)
        except requests.RequestException as error:
            raise Unreachable(f"codabench: upload: {self._redact(type(error).__name__)}") from error
        if answer.status_code >= 300:
            raise Unreachable(f"codabench: upload: the storage answered {answer.status_code}")

    def _read(self, answer: Any, what: str) -> Any:
        status, said = answer.status_code, self._redact(answer.text[:20_000])[:500]
        if status == 429:
            wait = answer.headers.get("Retry-After", "")
            raise TryLater(f"codabench: {what}: too many calls", float(wait) if wait.isdigit() else None)
        if 400 <= status < 500:
            cure = ". A wrong token is 403 here: check it, and that you have joined" if status in (401, 403) else ""
            raise Refused(f"codabench refused {what} ({status}): {said}{cure}")
        if not 200 <= status < 300:
            raise Unreachable(f"codabench: {what} answered {status}: {said[:200]}")
        try:
            return answer.json()
        except ValueError as error:
            raise Unreachable(f"codabench: {what} answered something that is no JSON: {said[:100]}") from error

    def _redact(self, text: str) -> str:
        secrets = [value for value in (*_credentials_if_any().values(), self._token) if value]
        return redact(text, secrets)


def _zipped(name: str, path: Path) -> bytes:
    """A results submission: one file at the top of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, name)
    return buffer.getvalue()


def _credentials() -> dict[str, str]:
    """{"token"} or {"username", "password"} from the environment or ~/.codabench.json.

    Raises
    ------
    NoCredentials
        Names the places.
    UserError
        If the file may be read by others, or holds something else.
    """
    found = _credentials_if_any()
    if found.get("token") or {"username", "password"} <= set(found):
        return found
    raise NoCredentials(
        "no Codabench credentials: set CODABENCH_TOKEN, or CODABENCH_USERNAME and CODABENCH_PASSWORD, or put "
        f'{{"username": ..., "password": ...}} into {CREDENTIALS} (chmod 600)'
    )


def _credentials_if_any() -> dict[str, str]:
    names = {"token": "CODABENCH_TOKEN", "username": "CODABENCH_USERNAME", "password": "CODABENCH_PASSWORD"}
    found = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    if found or not CREDENTIALS.is_file():
        return found
    check_private(CREDENTIALS)
    try:
        told = read_json(CREDENTIALS)
    except json.JSONDecodeError as error:
        raise UserError(f"{CREDENTIALS}: is no JSON ({error})") from error
    return {key: str(told[key]) for key in names if told.get(key)}
