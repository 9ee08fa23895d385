"""The board on 127.0.0.1: whoever has the address with its token sees the pages below the folder of outputs and what runs now.

A server that only this machine reaches can still be asked by other users of it and by web pages in the user's own browser. So every address
begins with a random token, which is compared in constant time; the Host header must be ours (DNS rebinding); answers may not be framed,
sniffed or kept, tell no address on, and come with a policy that lets pages load nothing. Files are those of a few kinds whose real path lies
below oof/ or submissions/; folders are not listed. The one thing that can be changed is what cleaning does to rows that it found: a page of
this very server may post other actions for rows that are in clean.csv (`harness.clean.verdicts.change_actions`).
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from harness.base.errors import UserError
from harness.base.untrusted_text import plain
from harness.board.comparing import COMPARE, compared
from harness.board.live import live_state
from harness.board.overview import read_overview
from harness.board.page import board_page
from harness.board.reading import Reader
from harness.clean.verdicts import change_actions, read_verdicts
from harness.report.links import BOARD, with_links

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
    ".jsonl": "text/plain; charset=utf-8",
}
"""Files that are given out, by ending."""

_HTML = KINDS[".html"]
_MOST_BYTES = 2**28
_MOST_POSTED = 2**24
_FRESH = 1.0  # seconds for which an answer to live.json serves every tab
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src {}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Refused(Exception):
    """What is asked for is not given: status and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Board:
    """What is served.

    Attributes
    ----------
    out : folder that oof/ and submissions/ lie in
    only : slug of the one competition that is shown, "" = all
    token : first part of every address
    """

    out: Path
    only: str = ""
    reader: Reader = field(default_factory=Reader)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def __post_init__(self) -> None:
        self._reading, self._comparing, self._writing = threading.Lock(), threading.Lock(), threading.Lock()
        self._live, self._told = "", -_FRESH

    def knows(self, token: str) -> bool:
        """Whether it is the token; takes as long for every other."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode())

    def page(self) -> str:
        """The board's page, with the script that follows what runs."""
        script = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
        with self._reading:
            return with_links(
                self.out / BOARD, board_page(read_overview(self.out, self.reader, only=self.only), script).html()
            )

    def live(self) -> str:
        """What runs now, as JSON."""
        with self._reading:
            if time.monotonic() - self._told >= _FRESH:
                state = live_state(read_overview(self.out, self.reader, submissions=False, only=self.only))
                self._live, self._told = json.dumps(state, allow_nan=False), time.monotonic()
            return self._live

    def comparison(self, slug: str, runs: list[str]) -> str:
        """A page with these runs side by side; one at a time, since tables of predictions are read for it."""
        with self._comparing:
            return compared(self.out, slug, runs)

    def file(self, parts: list[str]) -> tuple[bytes, str]:
        """Content and kind of a file below oof/ or submissions/.

        Raises
        ------
        Refused
            If it is not there, of another kind, or its real path lies elsewhere.
        """
        missing = Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        kind = KINDS.get(Path(parts[-1]).suffix) if parts else None
        if kind is None or len(parts) < 2 or parts[0] not in ("oof", "submissions") or not all(map(_is_name, parts)):
            raise missing
        try:
            home = (self.out / parts[0]).resolve(strict=True)
            path = home.joinpath(*parts[1:]).resolve(strict=True)
            if not path.is_relative_to(home) or path.suffix not in KINDS:
                raise missing
            return _content(path), kind
        except (OSError, ValueError, RuntimeError) as error:
            raise missing from error

    def verdicts(self, parts: list[str]) -> Path:
        """The clean.csv that an address oof/<slug>/clean*/verdicts is about.

        Raises
        ------
        Refused
            If there is none, or its real path lies elsewhere.
        """
        if not _is_of_verdicts(parts):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        home, path = self.out / "oof", self.out.joinpath(*parts[:-1], "clean.csv")
        if not path.is_file() or path.is_symlink() or not path.resolve().is_relative_to(home.resolve()):
            raise Refused(HTTPStatus.NOT_FOUND, "there are no verdicts")
        return path

    def change_verdicts(self, path: Path, content: bytes) -> None:
        """Give rows other actions: content is a JSON object, {id: action}.

        Raises
        ------
        Refused, UserError
            If it is none, or names what is not there.
        """
        try:
            actions = json.loads(content)
        except (ValueError, RecursionError):
            actions = None
        if not isinstance(actions, dict) or not all(isinstance(action, str) for action in actions.values()):
            raise Refused(HTTPStatus.BAD_REQUEST, "wanted a JSON object of actions by id")
        with self._writing:
            change_actions(path, actions)


def _is_name(part: str) -> bool:
    """Whether it is the name of one file or folder, and no hidden one."""
    return bool(part) and not part.startswith(".") and not set(part) & set("/\\\0:")


def _content(path: Path) -> bytes:
    """A regular file's bytes; what lies there is opened without following a link or waiting for a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            raise OSError
        return file.read()


def _is_of_verdicts(parts: list[str]) -> bool:
    """Whether these are the parts of oof/<slug>/clean*/verdicts."""
    is_there = len(parts) == 4 and parts[0] == "oof" and parts[2].startswith("clean") and parts[3] == "verdicts"
    return is_there and all(map(_is_name, parts))


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, and takes verdicts by POST."""

    timeout = 30
    server: Server
    server_version, sys_version = "harness", ""

    def do_GET(self) -> None:
        """Answer with a page, JSON or why not."""
        self._guarded(self._answer)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Take verdicts from a page of ours."""
        self._guarded(self._take)

    def _guarded(self, answer: Callable[[], tuple[HTTPStatus, bytes, str]]) -> None:
        try:
            self._send(*answer())
        except Refused as refused:
            self._send(refused.status, f"{refused}\n".encode(), "text/plain; charset=utf-8")
        except UserError as error:
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n".encode(), "text/plain; charset=utf-8")
        except ConnectionError:
            self.close_connection = True
        except Exception as error:
            print(f"{type(error).__name__}: {plain(error, 300)}", file=sys.stderr)
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"this page could not be made\n", "text/plain; charset=utf-8")

    def _take(self) -> tuple[HTTPStatus, bytes, str]:
        parts = self._parts()
        host, length = self.headers.get("Host"), self.headers.get("Content-Length", "")
        if self.headers.get("Origin") != f"http://{host}" or self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.FORBIDDEN, "verdicts are taken from the page of cleaning only")
        if not length.isascii() or not length.isdigit() or int(length) > _MOST_POSTED:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {_MOST_POSTED:,} bytes, or of unknown length"
            )
        path = self.server.board.verdicts(parts)
        self.server.board.change_verdicts(path, self.rfile.read(int(length)))
        return HTTPStatus.OK, b"saved\n", "text/plain; charset=utf-8"

    def _parts(self) -> list[str]:
        """What follows the token in the address.

        Raises
        ------
        Refused
            If the host or the token is another.
        """
        if self.headers.get("Host") not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
        token, *parts = [unquote(part, errors="replace") for part in urlsplit(self.path).path.split("/")[1:]]
        if not self.server.board.knows(token):
            raise Refused(HTTPStatus.FORBIDDEN, "open the address that python -m harness.board --serve printed")
        return parts

    def _answer(self) -> tuple[HTTPStatus, bytes, str]:
        board, parts = self.server.board, self._parts()
        if parts in ([], [""]):
            return HTTPStatus.FOUND, b"", f"/{board.token}/{BOARD.as_posix()}"
        if parts == ["live.json"]:
            return HTTPStatus.OK, board.live().encode(), "application/json"
        if parts == list(BOARD.parts):
            return HTTPStatus.OK, board.page().encode(), _HTML
        if len(parts) == 3 and parts[0] == "oof" and parts[2] == COMPARE and _is_name(parts[1]):
            runs = parse_qs(urlsplit(self.path).query, max_num_fields=100).get("run", [])
            return HTTPStatus.OK, board.comparison(parts[1], runs).encode(), _HTML
        if _is_of_verdicts(parts):
            actions = {verdict.id: verdict.action for verdict in read_verdicts(board.verdicts(parts))}
            return HTTPStatus.OK, json.dumps(actions).encode(), "application/json"
        return HTTPStatus.OK, *board.file(parts)

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        """kind : of the content; of a redirect where it leads."""
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        is_live = urlsplit(self.path).path.endswith((f"/{BOARD.as_posix()}", "/clean.html"))
        self.send_header("Content-Security-Policy", _POLICY.format("'self'" if is_live else "'none'"))
        self.send_header(*(("Location", kind) if status == HTTPStatus.FOUND else ("Content-Type", kind)))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold the token."""


class Server(ThreadingHTTPServer):
    """A server of a board, on 127.0.0.1."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two processes have one port

    def __init__(self, board: Board, port: int = 0) -> None:
        """port : 0 = any that is free.

        Raises
        ------
        UserError
            If the port is taken or may not be had.
        """
        self.board = board
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: cannot be had ({error.strerror}). Name another, or leave it out"
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://127.0.0.1:{self.server_port}/{self.board.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def serve_board(out: Path, only: str, port: int) -> None:
    """Serve until Ctrl-C, which is how it is meant to end."""
    with Server(Board(out, only), port) as server:
        print(
            f"serving: {server.address}\n(the address is the key: whoever on this machine has it sees your runs; Ctrl-C ends it)",
            flush=True,
        )
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the board is closed; what runs goes on") from None
