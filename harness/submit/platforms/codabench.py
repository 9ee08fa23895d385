"""Codabench, by its REST interface (there is no client): a zip is uploaded to a signed address, then submitted to a phase.

Facts, from the platform's source: a bad token is 403; an over-quota submission is a bare 500, so the quota is asked first
and the final call never repeated; a missing trailing slash turns a POST into a GET; the file's name is what a listing shows.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import quote, urlsplit

from harness.base.errors import UserError
from harness.base.secrets import check_private, redact
from harness.competition import Competition
from harness.ledger import State
from harness.remote.errors import NoCredentials, OddAnswer, Refused, TryLater, Unclear, Unreachable, odd_answers
from harness.remote.hosts import check_host
from harness.remote.numbers import finite
from harness.remote.retry import retry_after, wait_words, with_retries, within
from harness.submit.platform import Listed, Standing, is_recent, is_reference

_STATES = {"finished": State.COMPLETE, "failed": State.ERROR, "cancelled": State.ERROR}
_FINAL = (400, 401, 403, 404, 405, 410, 413, 415, 422)
"""Answers that mean no, now and later; what else is no success says nothing about what was done."""

_MOST_PAGES = 50
_HOSTS = ("www.codabench.org", "codabench.org")


def part(competition: Competition) -> str:
    """Of the ledger's name of the place: the phase."""
    return str(competition.codabench.phase) if competition.codabench else ""


def open_platform(competition: Competition, place: str) -> Codabench:
    """The competition on Codabench; `place` is "codabench:PHASE"."""
    phase = place.partition(":")[2]
    return Codabench(competition, int(phase) if phase else None)


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
        named = os.environ.get("CODABENCH_URL")
        self.site = (named or competition.codabench.site).rstrip("/")
        where = "CODABENCH_URL" if named else f"{competition.folder / 'competition.toml'}: [codabench] site"
        check_host("codabench", self.site, _HOSTS, where)
        self.seconds = float(os.environ.get("HARNESS_CALL_SECONDS", "60"))
        self._token: str | None = None
        self._seen: list[str] = []  # signed addresses, which nobody may read

    @odd_answers
    def standing(self) -> Standing:
        """See `Platform.standing`."""
        can = _object(self._get(f"/api/can_make_submission/{self.phase}/"))
        phase = self._with_used(_object(self._get(f"/api/phases/{self.phase}/")))
        reason, left = self._redact(str(can.get("reason") or "no reason given")), self._left(phase)
        problems = []
        if not can.get("can"):
            if _is_over_for_good(phase) or not (left == 0 or _mentions_quota(reason)):
                problems.append(f"no submission is taken now: {reason}")
            left = 0
        status = phase.get("status")
        if status is not None and str(status).casefold() != "current":
            problems.append(f"the phase is '{self._redact(str(status))}', not 'Current'")
        return Standing(left, problems, {"phase": self._redact(str(phase.get("name", self.phase)))})

    def _with_used(self, phase: dict[str, Any]) -> dict[str, Any]:
        """What was used stands in the competition's list of phases, not everywhere in the phase itself; it may be nowhere."""
        if "used_submissions_per_day" in phase or not phase.get("competition"):
            return phase
        try:
            phases = _object(self._get(f"/api/competitions/{phase['competition']}/")).get("phases", [])
        except (Refused, Unreachable):
            return phase
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
        left = [max(int(most) - int(used), 0) for most, used in pairs if _is_number(most) and _is_number(used)]
        return min(left, default=None)

    @odd_answers
    def upload(self, path: Path, tag: str) -> str:
        """See `Platform.upload`: a zip, to the address that the site signs for it."""
        content = path.read_bytes() if path.suffix == ".zip" else _zipped(self.results_file, path)
        name = f"{tag.strip('[]')}-{path.stem}.zip"  # the tag first: names are cut after 35 characters
        asked = {"type": "submission", "request_sassy_file_name": name, "file_size": len(content)}
        told = _object(with_retries(lambda: self._post("/api/datasets/", asked)))
        key, url = str(told["key"]), str(told["sassy_url"])
        self._seen.append(url)
        with_retries(lambda: self._put_file(url, content))
        with_retries(lambda: self._call("PUT", f"/api/datasets/completed/{key}/", reads=False))
        return key

    def submit(self, uploaded: str, message: str) -> str:
        """See `Platform.submit`."""
        self._refuse_without_quota()
        self._login()  # before the final call: what fails here has spent nothing
        try:
            told = self._post("/api/submissions/", {"phase": self.phase, "data": uploaded, "tasks": []})
        except (Refused, Unreachable) as error:
            later = isinstance(error, TryLater)
            raise Unclear(str(error.args[0]), isinstance(error, Refused) or later, later) from error
        if not isinstance(told, dict) or not told.get("id") or not is_reference(str(told["id"])):
            raise Unclear("codabench answered the final call without an id")
        return str(told["id"])

    @odd_answers
    def _refuse_without_quota(self) -> None:
        """Over quota the final call would end in a bare 500, which says nothing."""
        can = _object(self._get(f"/api/can_make_submission/{self.phase}/"))
        if not can.get("can"):
            raise Refused(f"codabench takes no submission now: {self._redact(str(can.get('reason')))}")

    @odd_answers
    def find(self, tag: str) -> Listed | None:
        """See `Platform.find`: by the tag in the zip's name."""
        mark = tag.strip("[]")
        lines = self._listing(mark)
        found = next((line for line in lines if mark in _file_name(line)), None)
        if found is None and any(not _file_name(line) and is_recent(str(line.get("created_when"))) for line in lines):
            raise OddAnswer("a new submission is listed without its file's name: it may be this one")
        return self._listed(found) if found else None

    @odd_answers
    def look(self, ref: str) -> Listed:
        """See `Platform.look`."""
        line = _object(self._get(f"/api/submissions/{quote(ref, safe='')}/"))
        if str(line.get("id")) != ref:
            told = self._redact(str(line.get("id")))
            raise OddAnswer(f"asked for submission {ref}, codabench answered about '{told}'")
        found = self._listed(line)
        return self._with_score(found) if found.state == State.COMPLETE and found.public is None else found

    @odd_answers
    def leaderboard(self) -> list[dict[str, Any]]:
        """See `Platform.leaderboard`."""
        rows = []
        for line in self._board():
            score = self._score(line.get("scores"))
            if score is not None:
                team = self._redact(str(line.get("display_name") or line.get("owner")))
                rows.append({"team": team, "score": score})
        return rows

    def _board(self) -> list[dict[str, Any]]:
        told = self._get(f"/api/phases/{self.phase}/get_leaderboard/")
        lines = told.get("submissions", []) if isinstance(told, dict) else told
        return [line for line in lines if isinstance(line, dict)]

    def _with_score(self, found: Listed) -> Listed:
        """The score of a finished submission that does not bear it: from its details, else from the leaderboard."""
        try:
            score = self._score(_object(self._get(f"/api/submissions/{found.ref}/get_details/")).get("scores"))
        except (Refused, Unreachable):
            score = None  # 403 where the output is hidden
        if score is None:
            try:
                mine = [line for line in self._board() if str(line.get("id")) == found.ref]
                score = self._score(mine[0].get("scores")) if mine else None
            except (Refused, Unreachable):
                score = None
        if score is None:
            detail = "finished; codabench does not show its score (yet)"
            return Listed(found.ref, State.PENDING, None, None, detail)
        return Listed(found.ref, State.COMPLETE, score)

    def _listing(self, mark: str) -> list[dict[str, Any]]:
        """All pages of the list; an answer of another shape is none, and never an empty list."""
        path, lines = f"/api/submissions/?phase={self.phase}&search={mark}&page_size=100", []
        for _ in range(_MOST_PAGES):
            told = self._get(path)
            page = told if isinstance(told, list) else _object(told)["results"]
            if not isinstance(page, list) or not all(isinstance(line, dict) and line.get("id") for line in page):
                raise OddAnswer("the list of submissions has another shape than Codabench's")
            lines += page
            following = told.get("next") if isinstance(told, dict) else None
            if not following:
                break
            parts = urlsplit(str(following))
            path = parts.path + (f"?{parts.query}" if parts.query else "")
        return lines

    def _listed(self, line: dict[str, Any]) -> Listed:
        status = str(line.get("status"))
        state = _STATES.get(status.casefold(), State.PENDING)
        public = self._score(line.get("scores")) if state == State.COMPLETE else None
        detail = self._redact(str(line.get("status_details") or status)) if state == State.ERROR else ""
        if not is_reference(str(line["id"])):
            raise OddAnswer("a submission is listed under something that is no id")
        return Listed(str(line["id"]), state, public, None, detail)

    def _score(self, scores: Any) -> float | None:
        lines = scores if isinstance(scores, list) else []
        wanted = [s for s in lines if isinstance(s, dict) and self.column in (None, s.get("column_key"))]
        return finite(wanted[0].get("score")) if wanted else None

    def _get(self, path: str) -> Any:
        return with_retries(lambda: self._call("GET", path))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, reads: bool = True) -> Any:
        """One call with the token; JSON (None where nobody reads it), or one of our three errors."""
        return self._ask(method, path, body, {"Authorization": f"Token {self._login()}"}, reads)

    def _login(self) -> str:
        """The token: given, or asked for once by user name and password."""
        if self._token is None:
            given = _credentials()
            told = given.get("token") or _object(self._ask("POST", "/api/api-token-auth/", given, {})).get("token")
            if not isinstance(told, str):
                raise OddAnswer("codabench: the log-in was answered without a token")
            self._token = told
        return self._token

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], reads: bool = True
    ) -> Any:
        import requests

        def call() -> Any:
            return requests.request(
                method, self.site + path, json=body, headers=headers, timeout=self.seconds, allow_redirects=False
            )

        try:
            answer = within(self.seconds, call)
        except (requests.RequestException, TimeoutError, ValueError) as error:
            raise Unreachable(f"codabench: {method} {path}: {self._redact(str(error))}") from error
        return self._read(answer, f"{method} {path.partition('?')[0]}", reads)

    def _put_file(self, url: str, content: bytes) -> None:
        """To the storage's signed address: no Authorization there."""
        import requests

        limit = self.seconds + len(content) / 2**17

        def call() -> Any:
            return requests.put(url, data=content, headers={"Content-Type": "application/zip"}, timeout=limit)

        try:
            answer = within(limit, call)
        except (requests.RequestException, TimeoutError, ValueError) as error:
            raise Unreachable(f"codabench: upload: {self._redact(type(error).__name__)}") from error
        if not 200 <= answer.status_code < 300:
            raise Unreachable(f"codabench: upload: the storage answered {answer.status_code}")
        if not _confirms(answer, content):
            raise Unreachable(
                "codabench: upload: the storage answered something else than that it has the file; nothing was submitted"
            )

    def _read(self, answer: Any, what: str, reads: bool) -> Any:
        status, said = answer.status_code, self._redact(answer.text[:20_000])[:500]
        if status == 429:
            seconds = retry_after(answer.headers.get("Retry-After"))
            raise TryLater(f"codabench: {what}: too many calls{wait_words(seconds)}", seconds)
        if status in _FINAL:
            cure = ". A wrong token is 403 here: check it, and that you have joined" if status in (401, 403) else ""
            raise Refused(f"codabench refused {what} ({status}): {said}{cure}")
        if not 200 <= status < 300:
            raise Unreachable(f"codabench: {what} answered {status}: {said[:200]}")
        if not reads:
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise OddAnswer(f"codabench: {what} answered something that is no JSON: {said[:100]}") from error

    def _redact(self, text: str) -> str:
        secrets = [value for value in (*_credentials_if_any().values(), self._token, *self._seen) if value]
        return redact(text, secrets)


def _confirms(answer: Any, content: bytes) -> bool:
    """Whether a storage's answer to the upload can be the one of a file that is there.

    S3 and what speaks like it answer a PUT with an empty body, and name the MD5 of what they have as ETag (of encrypted or multipart
    objects the ETag is another one, with a dash or of another length).
    """
    etag = str(answer.headers.get("ETag") or "").strip('W/"').lower()
    if re.fullmatch(r"[0-9a-f]{32}", etag) and "x-amz-server-side-encryption" not in answer.headers:
        return etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
    return not answer.content.strip()


def _object(told: Any) -> dict[str, Any]:
    """A JSON object, or an answer that nothing can be concluded from."""
    if not isinstance(told, dict):
        raise OddAnswer(f"codabench answered {type(told).__name__} where an object is due")
    return told


def _file_name(line: dict[str, Any]) -> str:
    return str(line.get("filename") or "")


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_over_for_good(phase: dict[str, Any]) -> bool:
    """Whether the person's quota of the whole phase is used: no waiting mends that."""
    most, used = phase.get("max_submissions_per_person"), phase.get("used_submissions_per_person")
    return _is_number(most) and _is_number(used) and used >= most


def _mentions_quota(reason: str) -> bool:
    return any(word in reason.casefold() for word in ("today", "day", "daily", "quota", "limit", "maximum"))


def _zipped(name: str, path: Path) -> bytes:
    """A results submission: one file at the top of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, name)
    return buffer.getvalue()


def _credentials_file() -> Path | None:
    try:
        return Path.home() / ".codabench.json"
    except RuntimeError:  # no home folder
        return None


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
        f'{{"username": ..., "password": ...}} into {_credentials_file() or "~/.codabench.json"} (chmod 600)'
    )


def _credentials_if_any() -> dict[str, str]:
    names = {"token": "CODABENCH_TOKEN", "username": "CODABENCH_USERNAME", "password": "CODABENCH_PASSWORD"}
    found = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    path = _credentials_file()
    if found or path is None or not path.is_file():
        return found
    check_private(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # whose words may quote the file
        raise UserError(
            f'{path}: is no JSON ({type(error).__name__}). Write {{"username": "...", "password": "..."}}, or with "token"'
        ) from None
    if not isinstance(told, dict):
        raise UserError(f'{path}: wants an object {{"username": ..., "password": ...}}, or with "token"')
    return {key: str(told[key]) for key in names if told.get(key)}
