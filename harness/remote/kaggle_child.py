"""python -m harness.remote.kaggle_child: calls of the kaggle client, a JSON line on stdin each, answered on stdout.

It runs as a process of its own so that it can be killed, and so that what the client prints never mixes with the answer.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.process import end_with_parent
from harness.remote import kaggle_kernels
from harness.remote.numbers import finite
from harness.remote.patience import call_seconds

_last: dict[str, Any] = {}
"""The last answer: its client hides the status of an error whose body is no JSON, and drops what it does not know."""


def _remember_answers() -> None:
    import requests

    send = requests.Session.send

    def remembered(self: Any, request: Any, **options: Any) -> Any:
        _last.clear()
        options["timeout"] = options.get("timeout") or _SECONDS  # the client gives none: a log-in could hang for ever
        _last["response"] = send(self, request, **options)
        return _last["response"]

    requests.Session.send = remembered  # type: ignore[method-assign]


_SECONDS = call_seconds()
_IMPORT_SECONDS = 30  # on a busy machine


def main() -> None:
    """Answer one JSON line on stdout for each on stdin, until stdin ends."""
    stdout = sys.stdout
    end_with_parent()  # a call that is still on its way must not land after a resumed one
    with contextlib.suppress(ImportError):
        _remember_answers()
    starting = _deadline(_IMPORT_SECONDS + _SECONDS)  # with a token the import itself calls the network
    with starting, contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit, Exception):
        _client()  # slow to import; whatever is wrong with it is said with the first answer
    print("ready", file=stdout, flush=True)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):  # importing kaggle may print, and its calls do
            request = json.loads(line)
            with _deadline(request["seconds"]):
                answer = _answered(request)
        print(json.dumps(answer), file=stdout, flush=True)


@contextlib.contextmanager
def _deadline(seconds: float | None) -> Iterator[None]:
    """End the process when the time is up, since the client's calls know no deadline; None: the parent watches."""
    timer = threading.Timer((seconds or 0) + 1, os._exit, [1])
    timer.daemon = True
    if seconds is not None:
        timer.start()
    yield
    timer.cancel()


def _answered(request: dict[str, Any]) -> dict[str, Any]:
    try:
        api = _client()
    except SystemExit as error:  # the client exits where it finds no credentials
        return {"error": {"kind": "credentials", "status": None, "text": f"the kaggle client gave up ({error})"}}
    except Exception as error:
        return {"error": _described(error)}
    if isinstance(api, str):
        return {"error": {"kind": "credentials", "status": None, "text": api}}
    try:
        _last.clear()  # an answer to an earlier call explains nothing
        return CALLS[request["op"]](api, request)
    except SystemExit as error:  # in the middle of a call: nobody knows what it did
        return {"error": {"kind": "SystemExit", "status": None, "text": f"the kaggle client gave up ({error})"}}
    except Exception as error:  # whatever the client raises is for the parent to judge
        return {"error": _described(error)}


def _client() -> Any:
    try:
        import kaggle
    except ImportError as error:
        return f"the kaggle client is not installed ({error}): pip install kaggle"
    if not getattr(kaggle.api, "_authenticated", True):
        kaggle.api.authenticate()  # with a token the import asks the network, and hides that it could not
    if not getattr(kaggle.api, "_authenticated", True):
        return "Kaggle does not know these credentials: make a new token at https://www.kaggle.com/settings"
    return kaggle.api


def _described(error: Exception) -> dict[str, Any]:
    """Kind, HTTP status, what the body says, Retry-After."""
    response = getattr(error, "response", None)
    if response is None and _last and _last["response"].status_code >= 400:
        response = _last["response"]
    if response is None:  # not `if response`: an answer of 4xx is false
        return {"kind": type(error).__name__, "status": None, "text": str(error)}
    return {
        "kind": type(error).__name__,
        "status": response.status_code,
        "text": _body(response) or str(error),
        "retry_after": _seconds(response.headers.get("Retry-After")),
    }


def _body(response: Any) -> str:
    try:
        told = response.json()
        inner = told.get("error", told) if isinstance(told, dict) else told
        return str(inner.get("message", inner) if isinstance(inner, dict) else inner)
    except ValueError:
        return str(response.text)[:20_000]  # redacted and cut by the parent


def _seconds(value: str | None) -> float | None:
    from harness.remote.retry import retry_after

    return retry_after(value)


def _standing(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    limits = api.competition_get_submission_limits(request["competition"])
    with api.build_kaggle_client() as client:
        asked = ApiGetCompetitionRequest()
        asked.competition_name = request["competition"]
        about = client.competitions.competition_api_client.get_competition(asked)
    deadline = about.deadline
    if deadline is not None and deadline.tzinfo is None:
        deadline = deadline.replace(tzinfo=datetime.UTC)
    told = _last["response"].json()
    known = limits.num_allowed_now or limits.num_today or limits.limited_by_total
    return {
        "left": int(limits.num_allowed_now) if known else None,
        "all_used": bool(limits.limited_by_total) and not limits.num_allowed_now,
        "entered": about.user_has_entered if "userHasEntered" in told else None,
        "disabled": about.submissions_disabled,
        "code_only": about.is_kernels_submissions_only,
        "rank": about.user_rank or None,
        "deadline": deadline.isoformat() if deadline else None,
        "ended": bool(deadline and deadline < datetime.datetime.now(datetime.UTC)),
    }


def _about(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """What the competition's own page says of it."""
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

    with api.build_kaggle_client() as client:
        asked = ApiGetCompetitionRequest()
        asked.competition_name = request["competition"]
        about = client.competitions.competition_api_client.get_competition(asked)
    return {
        "title": str(about.title or ""),
        "metric": str(about.evaluation_metric or ""),
        "a_day": int(about.max_daily_submissions or 0),
        "code_only": bool(about.is_kernels_submissions_only),
        "deadline": about.deadline.isoformat() if about.deadline else None,
    }


def _upload(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    from kaggle.api.kaggle_api_extended import ResumableUploadResult
    from kagglesdk.competitions.types.competition_api_service import ApiStartSubmissionUploadRequest

    path = Path(request["path"])
    with api.build_kaggle_client() as client:
        asked = ApiStartSubmissionUploadRequest()
        asked.competition_name = request["competition"]
        asked.file_name = path.name
        asked.content_length = path.stat().st_size
        asked.last_modified_epoch_seconds = int(path.stat().st_mtime)
        told = client.competitions.competition_api_client.start_submission_upload(asked)
        if not told.token or not told.create_url:
            raise ValueError("the answer to the start of the upload holds no token")
        if api.upload_complete(str(path), told.create_url, True) != ResumableUploadResult.COMPLETE:
            raise ConnectionError("the file could not be uploaded")
    return {"token": told.token}


def _submit(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    from kagglesdk.competitions.types.competition_api_service import ApiCreateSubmissionRequest

    with api.build_kaggle_client() as client:
        asked = ApiCreateSubmissionRequest()
        asked.competition_name = request["competition"]
        asked.blob_file_tokens = request["token"]
        asked.submission_description = request["message"]
        told = client.competitions.competition_api_client.create_submission(asked)
    return {"ref": told.ref, "message": told.message}


def _submit_notebook(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    kernel = f"{request['owner']}/{request['name']}"
    told = api.competition_submit_code(
        request["output"], request["message"], request["competition"], kernel, request["version"], quiet=True
    )
    return {"ref": told.ref, "message": told.message}


def _download(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """All files of a competition or a data set, as one zip in a folder; what a killed download left is gone on from."""
    if request["dataset"]:
        api.dataset_download_files(request["dataset"], path=request["folder"], quiet=True, licenses=[])
    else:
        api.competition_download_files(request["competition"], path=request["folder"], quiet=True)
    return {"files": [p.name for p in Path(request["folder"]).iterdir() if p.suffix != ".kaggle-partial"]}


def _submissions(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    """All pages, newest first; an answer of another shape is an error, so that it is never taken for an empty list."""
    from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsRequest

    rows: list[dict[str, Any]] = []
    asked = ApiListSubmissionsRequest()
    asked.competition_name, asked.page_size = request["competition"], 100
    for _ in _pages(api, "list_submissions", asked):
        rows += [_submission(line) for line in _listed_lines(_last["response"].json())]
    return {"rows": rows}


def _pages(api: Any, call: str, asked: Any) -> Iterator[Any]:
    """What the client's call answers, page after page."""
    with api.build_kaggle_client() as client:
        for _ in range(_MOST_PAGES):
            told = getattr(client.competitions.competition_api_client, call)(asked)
            yield told
            if not getattr(told, "next_page_token", None):
                return
            asked.page_token = told.next_page_token


def _listed_lines(told: Any) -> list[dict[str, Any]]:
    """The lines of a list of submissions; an empty object is an empty list.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    lines = told.get("submissions", [] if set(told) <= {"nextPageToken"} else None) if isinstance(told, dict) else None
    if not isinstance(lines, list) or not all(isinstance(line, dict) and line.get("ref") for line in lines):
        raise ValueError("the list of submissions has another shape than Kaggle's")
    return lines


def _submission(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "ref": line["ref"],
        "date": str(line.get("date") or ""),
        "description": line.get("description") if isinstance(line.get("description"), str) else None,
        "status": str(line.get("status") or ""),
        "error": str(line.get("errorDescription") or ""),
        "public": finite(line.get("publicScore")),
        "private": finite(line.get("privateScore")),
    }


def _leaderboard(api: Any, request: dict[str, Any]) -> dict[str, Any]:
    from kagglesdk.competitions.types.competition_api_service import ApiGetLeaderboardRequest

    rows: list[dict[str, Any]] = []
    asked = ApiGetLeaderboardRequest()
    asked.competition_name, asked.page_size = request["competition"], 200
    for told in _pages(api, "get_leaderboard", asked):
        rows += [{"team": str(r.team_name), "score": finite(r.score)} for r in told.submissions or [] if r]
    return {"rows": [row for row in rows if row["score"] is not None]}


_MOST_PAGES = 100  # of 200 teams


CALLS = {
    "standing": _standing,
    "about": _about,
    "upload": _upload,
    "submit": _submit,
    "submit_notebook": _submit_notebook,
    "download": _download,
    "submissions": _submissions,
    "leaderboard": _leaderboard,
    **kaggle_kernels.CALLS,
}

if __name__ == "__main__":
    main()
