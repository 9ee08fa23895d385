"""Codabench, by its REST interface (there is no client): a zip is uploaded to a signed address, then submitted to a phase.

Facts, from the platform's source: a bad token is 403; an over-quota submission is a bare 500, so the quota is asked first
and the final call never repeated; a missing trailing slash turns a POST into a GET; the file's name is what a listing shows.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import quote

from harness.base.errors import UserError
from harness.competition import Competition
from harness.ledger import State
from harness.remote.credentials import Credentials
from harness.remote.errors import OddAnswer, Refused, Unclear, Unreachable, final, odd_answers
from harness.remote.http_site import HttpSite
from harness.remote.numbers import finite
from harness.remote.retry import with_retries
from harness.submit.answers import is_reference, tagged
from harness.submit.platform import Listed, Standing

_STATES = {"finished": State.COMPLETE, "failed": State.ERROR, "cancelled": State.ERROR}
_HOSTS = ("www.codabench.org", "codabench.org")
_CREDENTIALS = Credentials(
    "Codabench",
    {"token": "CODABENCH_TOKEN", "username": "CODABENCH_USERNAME", "password": "CODABENCH_PASSWORD"},
    (("token",), ("username", "password")),
    ".codabench.json",
    "username",
)
_WRONG_TOKEN = ". A wrong token is 403 here: check it, and that you have joined"


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
        self._site = HttpSite(
            self.name,
            own_hosts=_HOSTS,
            url=competition.codabench.site,
            named_by=f"{competition.folder / 'competition.toml'}: [codabench] site",
            variable="CODABENCH_URL",
            credentials=_CREDENTIALS,
            authorize=lambda: {"Authorization": f"Token {self._login()}"},
            cures={401: _WRONG_TOKEN, 403: _WRONG_TOKEN},
        )
        self._token: str | None = None

    @odd_answers
    def standing(self) -> Standing:
        """See `Platform.standing`."""
        can = self._site.get_object(f"/api/can_make_submission/{self.phase}/")
        phase = self._with_used(self._site.get_object(f"/api/phases/{self.phase}/"))
        reason, left = self._site.redact(str(can.get("reason") or "no reason given")), self._left(phase)
        problems = []
        if not can.get("can"):
            if _is_over_for_good(phase) or not (left == 0 or _mentions_quota(reason)):
                problems.append(f"no submission is taken now: {reason}")
            left = 0
        status = phase.get("status")
        if status is not None and str(status).casefold() != "current":
            problems.append(f"the phase is '{self._site.redact(str(status))}', not 'Current'")
        return Standing(left, problems, {"phase": self._site.redact(str(phase.get("name", self.phase)))})

    def _with_used(self, phase: dict[str, Any]) -> dict[str, Any]:
        """What was used stands in the competition's list of phases, not everywhere in the phase itself; it may be nowhere."""
        if "used_submissions_per_day" in phase or not phase.get("competition"):
            return phase
        try:
            phases = self._site.get_object(f"/api/competitions/{phase['competition']}/").get("phases", [])
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
        told = self._site.object_of(with_retries(lambda: self._site.call("POST", "/api/datasets/", asked)))
        key, url = str(told["key"]), str(told["sassy_url"])
        with_retries(lambda: self._site.put_file(url, content, "application/zip"))
        with_retries(lambda: self._site.call("PUT", f"/api/datasets/completed/{key}/", reads=False))
        return key

    def submit(self, uploaded: str, message: str) -> str:
        """See `Platform.submit`."""
        self._refuse_without_quota()
        self._login()  # before the final call: what fails here has spent nothing
        asked = {"phase": self.phase, "data": uploaded, "tasks": []}
        told = final(lambda: self._site.call("POST", "/api/submissions/", asked))
        if not isinstance(told, dict) or not told.get("id") or not is_reference(str(told["id"])):
            raise Unclear("codabench answered the final call without an id")
        return str(told["id"])

    @odd_answers
    def _refuse_without_quota(self) -> None:
        """Over quota the final call would end in a bare 500, which says nothing."""
        can = self._site.get_object(f"/api/can_make_submission/{self.phase}/")
        if not can.get("can"):
            raise Refused(f"codabench takes no submission now: {self._site.redact(str(can.get('reason')))}")

    @odd_answers
    def find(self, tag: str) -> Listed | None:
        """See `Platform.find`: by the tag in the zip's name."""
        mark = tag.strip("[]")
        lines = self._site.pages(f"/api/submissions/?phase={self.phase}&search={mark}&page_size=100")
        found = tagged(lines, mark, _file_name, lambda line: str(line.get("created_when")), "file's name")
        return self._listed(found) if found else None

    @odd_answers
    def look(self, ref: str) -> Listed:
        """See `Platform.look`."""
        line = self._site.get_object(f"/api/submissions/{quote(ref, safe='')}/")
        if str(line.get("id")) != ref:
            told = self._site.redact(str(line.get("id")))
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
                team = self._site.redact(str(line.get("display_name") or line.get("owner")))
                rows.append({"team": team, "score": score})
        return rows

    def _board(self) -> list[dict[str, Any]]:
        told = self._site.get(f"/api/phases/{self.phase}/get_leaderboard/")
        lines = told.get("submissions", []) if isinstance(told, dict) else told
        return [line for line in lines if isinstance(line, dict)]

    def _with_score(self, found: Listed) -> Listed:
        """The score of a finished submission that does not bear it: from its details, else from the leaderboard."""
        try:
            score = self._score(self._site.get_object(f"/api/submissions/{found.ref}/get_details/").get("scores"))
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

    def _listed(self, line: dict[str, Any]) -> Listed:
        status = str(line.get("status"))
        state = _STATES.get(status.casefold(), State.PENDING)
        public = self._score(line.get("scores")) if state == State.COMPLETE else None
        detail = self._site.redact(str(line.get("status_details") or status)) if state == State.ERROR else ""
        if not is_reference(str(line["id"])):
            raise OddAnswer("a submission is listed under something that is no id")
        return Listed(str(line["id"]), state, public, None, detail)

    def _score(self, scores: Any) -> float | None:
        lines = scores if isinstance(scores, list) else []
        wanted = [s for s in lines if isinstance(s, dict) and self.column in (None, s.get("column_key"))]
        return finite(wanted[0].get("score")) if wanted else None

    def _login(self) -> str:
        """The token: given, or asked for once by user name and password."""
        if self._token is None:
            given = _CREDENTIALS.required()
            told = given.get("token")
            if not told:
                told = self._site.object_of(self._site.ask("POST", "/api/api-token-auth/", given, {})).get("token")
            if not isinstance(told, str):
                raise OddAnswer("codabench: the log-in was answered without a token")
            self._site.hide(told)
            self._token = told
        return self._token


def _file_name(line: dict[str, Any]) -> str | None:
    return str(line.get("filename") or "") or None


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
