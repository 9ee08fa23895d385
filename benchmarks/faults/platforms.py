"""Both platforms on loopback, with faults by order."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.faults.answers import CALL, HTML, KEYS, SIGNATURE, TEXT, USER, Case, Fault, Order
from tests.submit import servers


class Ordered(servers.Server):
    """Faults by `Order`, with the work done or not; remembers what was recorded without its file."""

    def begin(self, case: Case) -> None:
        """A new case: nothing is recorded."""
        self.clear()
        self.orders: tuple[Order, ...] = case.orders
        self.late, self.fails = case.late, case.fails
        self.met: dict[int, int] = {}
        self.recorded: list[float] = []
        self.hollow: set[int] = set()
        self.broken: list[str] = []
        self.over, self.lock = threading.Event(), threading.Lock()

    def mend(self) -> None:
        """From here on everything goes well; who hangs is let go."""
        self.orders = ()
        self.over.set()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        try:
            self._handle(request)
        except OSError:  # the caller is gone
            request.close_connection = True
        except Exception:  # a fault of this server, not of the harness
            self.broken.append(traceback.format_exc(limit=3))
            request.close_connection = True

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else servers._chunked(request)
        parts = urlsplit(request.path)
        if parts.path.endswith("/elsewhere"):
            return servers._answer(request, 200, HTML.encode(), dict([TEXT]))
        with self.lock:
            step, work = self.route(request.command, parts.path, parse_qs(parts.query), body)
            self.calls.append(step)
            order = self._due(step)
            code, answer = work() if order is None or order.done else (200, None)
            self.recorded += [time.monotonic()] * (len(self.submissions) - len(self.recorded))
        if order is None:
            return servers._answer(request, code, b"" if answer is None else json.dumps(answer).encode(), {})
        return self._misbehave(request, order.fault)

    def _due(self, step: str) -> Order | None:
        """The order that this call meets."""
        for number, order in enumerate(self.orders):
            if order.step != step:
                continue
            seen = self.met[number] = self.met.get(number, 0) + 1
            if seen > order.skip and not (order.fault.once and seen > order.skip + 1):
                return order
        return None

    def _misbehave(self, request: BaseHTTPRequestHandler, fault: Fault) -> None:
        if fault.kind == "answer":
            headers = {"Content-Type": "application/json; charset=utf-8"} | dict(fault.headers)
            if "Location" in headers:
                headers["Location"] = self.url + headers["Location"]
            return servers._answer(request, fault.code, fault.body.encode(), headers)
        request.close_connection = True
        if fault.kind == "reset":
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(request.connection.detach())
        elif fault.kind == "hang":
            self.over.wait(3 * CALL)
        else:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
            ends = time.monotonic() + (3 * CALL if fault.kind == "drip" else 0)
            while time.monotonic() < ends and not self.over.wait(CALL / 10):
                request.wfile.write(b" ")
        return None

    def state(self, number: int) -> str:
        return "failed" if number in self.hollow else super().state(number)

    def listed(self, number: int, first: int) -> bool:
        """Whether the list shows it already."""
        return time.monotonic() - self.recorded[number - first] >= self.late


class Kaggle(Ordered, servers.Kaggle):
    """Takes only what was uploaded."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEYS["kaggle"]}

    def route(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[str, Callable[[], Any]]:
        step, work = super().route(method, path, query, body)
        if step == "CreateSubmission" and json.loads(body)["blobFileTokens"] not in self.uploads:
            return step, lambda: (400, {"error": {"message": "there is no such upload"}})
        return step, work

    def _StartSubmissionUpload(self, told: dict[str, Any]) -> Any:
        answer = super()._StartSubmissionUpload(told)
        return answer | {"createUrl": f"{answer['createUrl']}?upload_id={SIGNATURE}"}

    def _ListSubmissions(self, told: dict[str, Any]) -> Any:
        lines = super()._ListSubmissions(told)["submissions"]
        return {"submissions": [line for line in lines if self.listed(line["ref"], 101)]}


class Codabench(Ordered, servers.Codabench):
    """Records a submission whose file is not there too, and cannot score it."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"CODABENCH_USERNAME": USER, "CODABENCH_PASSWORD": KEYS["codabench"]}

    def _put(self, path: str, body: bytes) -> tuple[int, Any]:
        self.uploads[path.replace("/storage/", "stored ")] = body
        return 200, None

    def _submit(self, told: dict[str, Any]) -> tuple[int, Any]:
        code, answer = super()._submit(told)
        if not self.uploads.get(f"stored {told['data']}"):
            self.hollow.add(answer["id"])
        return code, answer

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        lines = super()._list(query)["results"]
        return {"results": [line for line in lines if self.listed(line["id"], 501)]}
