"""Kaggle and Codabench on loopback, as their wire formats are, with faults to order."""

from __future__ import annotations

import importlib.util
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SLOW = 3.0
"""Seconds that a server out of time takes; tests give calls less."""


@dataclass
class Fault:
    """What a step does instead of its work.

    kind : "status" (code, body), "after" (does the work, then answers with the code), "slow" (does the work, answers too late), "reset" (hangs up in the middle of the answer),
        "lost" (does the work, then hangs up), "garbage" (200 and nonsense), "cut" (half of the file, then hangs up)
    """

    kind: str
    code: int = 0
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


FAULTS = {
    "400": Fault("status", 400, '{"error": {"message": "You have used all submissions of today"}}'),
    "401": Fault("status", 401, '{"error": {"message": "who are you"}}'),
    "403": Fault("status", 403, '{"error": {"message": "you must accept the rules"}}'),
    "404": Fault("status", 404, '{"error": {"message": "no such competition"}}'),
    "429": Fault("status", 429, "{}", {"Retry-After": "0"}),
    "500": Fault("status", 500, "<h1>Server Error (500)</h1>"),
    "502": Fault("status", 502, "bad gateway"),
    "slow": Fault("slow"),
    "reset": Fault("reset"),
    "lost": Fault("lost"),
    "garbage": Fault("garbage"),
}


class Server:
    """State and faults shared by both; a subclass answers."""

    def __init__(self) -> None:
        self.faults: dict[str, list[Fault]] = {}
        self.submissions: list[dict[str, Any]] = []
        self.uploads: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.stray: list[str] = []
        self.pending_looks = 0
        self.fails = ""
        self.left = 5
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None: ...

            def do_any(self) -> None:
                outer.handle(self)

            do_GET = do_POST = do_PUT = do_any

            def do_CONNECT(self) -> None:  # a call to production, which must not happen
                outer.stray.append(self.path)
                self.send_error(502)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(
            target=self.http.serve_forever, args=(0.02,), daemon=True
        ).start()  # ends as soon as it is told to

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def clear(self) -> None:
        self.faults, self.submissions, self.uploads, self.calls = {}, [], {}, []
        self.pending_looks, self.fails, self.left = 0, "", 5

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else _chunked(request)
        parts = urlsplit(request.path)
        self.range = request.headers.get("Range", "")
        step, work = self.route(request.command, parts.path, parse_qs(parts.query), body)
        self.calls.append(step)
        queue = self.faults.get(step, [])
        fault = queue.pop(0) if queue else None
        if fault and fault.kind == "status":
            return _answer(request, fault.code, fault.body.encode(), fault.headers)
        if fault and fault.kind == "garbage":
            return _answer(request, 200, b"<html>not what you asked for", {})
        if fault and fault.kind == "reset":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
            request.wfile.flush()
            request.close_connection = True
            return request.connection.close()
        code, answer, *more = work()
        if fault and fault.kind == "after":
            return _answer(request, fault.code, fault.body.encode(), fault.headers)
        if isinstance(answer, bytes):
            return _file(request, code, answer, more[0], cut=bool(fault and fault.kind == "cut"))
        if fault and fault.kind == "slow":
            time.sleep(SLOW)
        if fault and fault.kind in ("lost", "slow"):
            request.close_connection = True
            return request.connection.close()
        return _answer(request, code, json.dumps(answer).encode() if answer is not None else b"", {})

    def route(
        self, method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[str, Callable[[], tuple[int, Any]]]:
        raise NotImplementedError

    def state(self, number: int) -> str:
        """What a look at a submission says: pending for a while, then scored or failed."""
        if self.pending_looks > 0:
            self.pending_looks -= 1
            return "pending"
        return "failed" if self.fails else "done"


class Kaggle(Server):
    """A proxy for http://localhost/api: the real client is led here by HTTP_PROXY.

    zip : what a download brings; notebooks : what code submissions said; notebooks_only : a code competition
    deadline : ISO 8601; disabled : no submission is taken any more
    """

    zip = b""
    notebooks_only = False
    deadline = "2099-01-01T00:00:00Z"
    disabled = False

    def __init__(self) -> None:
        super().__init__()
        self.notebooks: list[dict[str, Any]] = []

    def environment(self) -> dict[str, str]:
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": self.url,
            "http_proxy": self.url,
            "HTTPS_PROXY": self.url,
            "https_proxy": self.url,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "KAGGLE_USERNAME": "somebody",
            "KAGGLE_KEY": "kaggle-key-that-nobody-may-see",
        }

    def route(self, method, path, query, body):
        if path.startswith("/files/"):
            return "file", self._file
        if path.startswith("/upload/"):
            return "put", lambda: self._put(path.rpartition("/")[2], body)
        step = path.rpartition("/")[2]
        told = json.loads(body or b"{}")
        if step in ("DownloadDataFiles", "DownloadDataset"):
            return step, lambda: (
                302,
                b"",
                {"Location": f"{self.url}/files/all.zip?X-Goog-Signature=that-nobody-may-see"},
            )
        return step, lambda: (200, getattr(self, "_" + step, lambda told: {})(told))

    def _put(self, token: str, body: bytes) -> tuple[int, Any]:
        self.uploads[token] = body
        return 200, {}

    def _file(self) -> tuple[int, bytes, dict[str, str]]:
        found = re.fullmatch(r"bytes=(\d+)-", self.range)
        start = int(found[1]) if found else 0
        about = {"ETag": '"one"', "Accept-Ranges": "bytes", "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}
        if found:
            about["Content-Range"] = f"bytes {start}-{len(self.zip) - 1}/{len(self.zip)}"
        return (206 if found else 200), self.zip[start:], about

    def _CreateCodeSubmission(self, told: dict[str, Any]) -> Any:
        number = 101 + len(self.submissions)
        self.notebooks.append({k: v for k, v in told.items() if k != "submissionDescription"})
        self.submissions.append({"ref": number, "description": told["submissionDescription"]})
        return {"ref": number, "message": "Successfully submitted"}

    def _StartSubmissionUpload(self, told: dict[str, Any]) -> Any:
        token = f"token{len(self.calls)}"
        return {"token": token, "createUrl": f"{self.url}/upload/{token}"}

    def _CreateSubmission(self, told: dict[str, Any]) -> Any:
        assert told["blobFileTokens"] in self.uploads
        number = 101 + len(self.submissions)
        self.submissions.append({"ref": number, "description": told["submissionDescription"]})
        return {"ref": number, "message": "Successfully submitted"}

    def _ListSubmissions(self, told: dict[str, Any]) -> Any:
        rows = []
        for line in reversed(self.submissions):
            state = self.state(line["ref"])
            rows.append(
                line
                | {
                    "status": {"pending": "PENDING", "done": "COMPLETE", "failed": "ERROR"}[state],
                    "publicScore": "0.91" if state == "done" else "",
                    "privateScore": "",
                    "errorDescription": self.fails if state == "failed" else "",
                }
            )
        return {"submissions": rows}

    def _GetSubmissionLimits(self, told: dict[str, Any]) -> Any:
        return {"numToday": 1, "numTotal": 1, "numAllowedNow": self.left, "limitedByTotal": False}

    def _GetCompetition(self, told: dict[str, Any]) -> Any:
        return {
            "userHasEntered": True,
            "deadline": self.deadline,
            "submissionsDisabled": self.disabled,
            "userRank": 7,
            "maxDailySubmissions": 5,
            "title": "Shapes \x1b[31mof Kaggle",
            "evaluationMetric": "Multiclass Loss",
            "isKernelsSubmissionsOnly": self.notebooks_only,
        }

    def _GetLeaderboard(self, told: dict[str, Any]) -> Any:
        return {"submissions": [{"teamName": f"team {i}", "score": str(0.99 - 0.02 * i)} for i in range(10)]}


class Codabench(Server):
    """The calls of a submission on Codabench."""

    def environment(self) -> dict[str, str]:
        return {
            "CODABENCH_URL": self.url,
            "CODABENCH_USERNAME": "somebody",
            "CODABENCH_PASSWORD": "password-that-nobody-may-see",
        }

    def route(self, method, path, query, body):
        told = json.loads(body) if body[:1] in (b"{", b"[") else {}
        table: list[tuple[str, str, str, Callable[..., tuple[int, Any]]]] = [
            ("POST", r"/api/api-token-auth/", "login", lambda: (200, {"token": "token-that-nobody-may-see"})),
            ("GET", r"/api/can_make_submission/\d+/", "can", lambda: (200, {"can": self.left > 0, "reason": "quota"})),
            ("GET", r"/api/phases/(\d+)/", "phase", lambda: (200, self._phase())),
            ("POST", r"/api/datasets/", "start", lambda: self._start(told)),
            ("PUT", r"/storage/(.*)", "put", lambda: self._put(path, body)),
            ("PUT", r"/api/datasets/completed/(.*)/", "completed", lambda: (200, {"key": "k"})),
            ("POST", r"/api/submissions/", "submit", lambda: self._submit(told)),
            ("GET", r"/api/submissions/", "list", lambda: (200, self._list(query))),
            ("GET", r"/api/submissions/(\d+)/", "look", lambda: (200, self._one(int(path.split("/")[-2])))),
            ("GET", r"/api/phases/\d+/get_leaderboard/", "board", lambda: (200, self._board())),
        ]
        for verb, pattern, step, work in table:
            if verb == method and re.fullmatch(pattern, path):
                return step, work
        return "unknown", lambda: (404, {"detail": "no such call"})

    def _phase(self) -> dict[str, Any]:
        return {
            "name": "final",
            "status": "Current",
            "max_submissions_per_day": 5,
            "used_submissions_per_day": 5 - self.left,
        }

    def _start(self, told: dict[str, Any]) -> tuple[int, Any]:
        key = f"key{len(self.calls)}"
        stem, _, ending = told["request_sassy_file_name"].rpartition(".")
        self.uploads[key] = f"{stem[:35]}.{ending}".encode()  # as Codabench cuts names
        return 201, {"key": key, "sassy_url": f"{self.url}/storage/{key}?X-Amz-Signature=signature-that-nobody-may-see"}

    def _put(self, path: str, body: bytes) -> tuple[int, Any]:
        self.uploads["body"] = body
        return 200, None

    def _submit(self, told: dict[str, Any]) -> tuple[int, Any]:
        number = 501 + len(self.submissions)
        self.submissions.append({"id": number, "filename": self.uploads[told["data"]].decode()})
        return 201, {"id": number}

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        mark = query.get("search", [""])[0]
        return {"results": [self._one(s["id"]) for s in reversed(self.submissions) if mark in s["filename"]]}

    def _one(self, number: int) -> dict[str, Any]:
        line, state = self.submissions[number - 501], self.state(number)
        status = {"pending": "Running", "done": "Finished", "failed": "Failed"}[state]
        scores = [{"score": "0.91", "column_key": "accuracy"}] if state == "done" else []
        return line | {"status": status, "status_details": self.fails, "scores": scores}

    def _board(self) -> dict[str, Any]:
        rows = [{"owner": f"o{i}", "scores": [{"score": str(0.99 - 0.02 * i)}]} for i in range(10)]
        return {"submissions": rows}


def after(name: str) -> Fault:
    """The same no, but the work is done."""
    return replace(FAULTS[name], kind="after")


def _answer(request: BaseHTTPRequestHandler, code: int, body: bytes, headers: dict[str, str]) -> None:
    request.send_response(code)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _file(request: BaseHTTPRequestHandler, code: int, body: bytes, headers: dict[str, str], cut: bool) -> None:
    request.send_response(code)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        request.wfile.flush()
        request.close_connection = True
        request.connection.close()


def _chunked(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return b""
    body = b""
    while size := int(request.rfile.readline().strip() or b"0", 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def skip_without_kaggle() -> None:
    """Without importing it, which would look for credentials and may call the network."""
    if importlib.util.find_spec("kaggle") is None:
        pytest.skip("the kaggle client is not installed")
