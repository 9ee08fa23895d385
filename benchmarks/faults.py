"""python -m benchmarks.faults: what harness.submit makes of every fault at every step of either platform's protocol.

The real command, in this process (some cases in one of their own), the real kaggle client, servers on loopback. A fault is
ordered for one step of the first command, before the server did its work or after it; then the same command is given again,
then --resume until nothing is open. What is counted for each case:

    double      the server recorded the file more than once, without --force
    lost        the server has it and no entry says so; or it has not, and an entry claims a score or a reference
    leaked      a credential, in any writing, in the output or in the ledger
    control     control characters, overrides of the writing direction, a foreign line that passes for an error of ours
    traceback   a command ended in one
    open        not ended by the follow-ups: counted, but no failure

Case names are stable: PLATFORM/STEP/before|after|read/FAULT.
"""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
import multiprocessing
import os
import random
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import typer

from benchmarks.common import say
from harness.base.command import new_app, user_command
from harness.base.errors import UserError
from tests.conftest import REPOSITORY, make_shapes
from tests.submit import servers

app = new_app()

KINDS = ("double", "lost", "leaked", "control", "traceback")
GRACE, LONG_GRACE, RETRY, CALL = 0.1, 3.0, 0.02, 1.0
MOST_RESUMES = 5

USER, TOKEN, SIGNATURE = "somebody1", "token-that-nobody-may-see", "signature-that-nobody-may-see"
KEYS = {"kaggle": r'k7"Vt/9+Qx&Zm\2Wp=Rb;Nd', "codabench": r'p4"Hs/3+Ly&Cf\8Jg=Tv;Xk'}
"""With characters that are written otherwise in JSON, in a URL and in HTML."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
FORGED = "error: FORGED all is well, send it again"
FORGED_LINE = re.compile(r"(?:^|[\r\n\x85\u2028\u2029])error: FORGED")
HTML = "<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """What the server answers instead.

    kind : "answer" (code, body), "reset" (at once), "cut" (in the middle of the body), "hang" (no answer), "drip" (a byte now and then)
    once : only the first call meets it (what takes long, or asks to wait)
    """

    name: str
    kind: str = "answer"
    code: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    once: bool = False


@dataclass(frozen=True)
class Order:
    """A fault at a step, as the server calls it; done : the work is done all the same; skip : calls that go well before."""

    step: str
    fault: Fault
    done: bool = False
    skip: int = 0


@dataclass(frozen=True)
class Case:
    """A story: the first command meets the faults, the rest follows up.

    Attributes
    ----------
    platform, step, name : row of the table, and what it is called
    orders : the faults
    lasts : so many commands meet them
    again : how often the same command is given again before --resume
    forget : the ledger is deleted after the first command
    late : seconds after which the server lists a submission
    fails : why the server cannot score it, "" = it can
    real : commands in processes of their own
    """

    platform: str
    step: str
    name: str
    orders: tuple[Order, ...]
    lasts: int = 1
    again: int = 1
    forget: bool = False
    late: float = 0.0
    fails: str = ""
    real: bool = False


@dataclass
class Result:
    """What became of a case.

    sent : submissions on the server; states : of the ledger's entries; broken : where the server of this file failed
    """

    name: str
    platform: str
    step: str
    kinds: list[str]
    open: bool
    sent: int
    states: list[str]
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


# --- the faults ---------------------------------------------------------------------------------------------------------


def plain_faults() -> list[Fault]:
    """Statuses, connections that fail, answers of another shape, redirects."""
    codes = (400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504)
    found = [Fault(str(code), code=code, body=error_body("not now")) for code in codes]
    for name, seconds, once in (("429-retry-after-1", "1", True), ("429-retry-after-3600", "3600", False)):
        found.append(Fault(name, code=429, body="{}", headers=(("Retry-After", seconds),), once=once))
    found += [Fault("reset", "reset"), Fault("cut", "cut"), Fault("hang", "hang", once=True)]
    found += [Fault("drip", "drip", once=True), Fault("empty"), Fault("html", body=HTML, headers=(TEXT,))]
    bodies = {
        "truncated": '{"ref": 10',
        "list": "[1]",
        "null": "null",
        "number": "5",
        "missing-keys": '{"unrelated": 1}',
    }
    found += [Fault(f"json-{name}", body=body) for name, body in bodies.items()]
    return found + [Fault(str(code), code=code, headers=(("Location", "/elsewhere"),)) for code in (301, 302)]


TEXT = ("Content-Type", "text/html; charset=utf-8")


def error_body(text: str) -> str:
    """JSON with the text wherever either platform's errors have it."""
    return json.dumps({"error": {"message": text}, "message": text, "detail": text})


def foreign_texts(platform: str, step: str = "") -> dict[str, str]:
    """What a server may say that must not reach a terminal or the ledger as it is."""
    found = {
        "ansi": "red \x1b[31mtext\x1b[0m and \x1b[2J\x1b[1;1H cleared",
        "osc-title": "title \x1b]0;pwned\x07 set",
        "c1": "csi \x9b31m osc \x9d0;pwned\x9c nel \x85 del \x7f nul \x00 end",
        "crlf-error": f"no\r\n{FORGED}\r\nend",
        "lf-error": f"no\n{FORGED}\nend",
        "bidi": "user \u202egnp.exe\u202c and \u2066isolated\u2069",
    }
    echoed = {form: [writing(form, platform)] for form in ("plain", "basic", "pair", "base64", "url", "json")}
    if platform == "codabench" and step != "login":  # there the token is not known yet
        echoed["plain"].append(TOKEN)
        echoed["base64"].append(base64.b64encode(TOKEN.encode()).decode())
    if step == "put":
        echoed["plain"].append(
            f"http://store/x?{'upload_id' if platform == 'kaggle' else 'X-Amz-Signature'}={SIGNATURE}"
        )
    return found | {f"echo-{form}": f"the caller sent {' and '.join(said)} to us" for form, said in echoed.items()}


def writing(form: str, platform: str) -> str:
    """The platform's key or password as a server may repeat it."""
    key = KEYS[platform]
    pair = base64.b64encode(f"{USER}:{key}".encode()).decode()
    return {
        "plain": key,
        "basic": f"Basic {pair}",
        "pair": pair,
        "base64": base64.b64encode(key.encode()).decode(),
        "url": quote(key, safe=""),
        "json": json.dumps(key)[1:-1],
    }[form]


def foreign_faults(platform: str, step: str) -> list[Fault]:
    """Each text as a refusal (as it is) and as a stumble (in JSON)."""
    found = []
    for name, text in foreign_texts(platform, step).items():
        found.append(Fault(f"{name}-400", code=400, body=text, headers=(TEXT,)))
        found.append(Fault(f"{name}-503-json", code=503, body=error_body(text)))
    return found


# --- the cases ----------------------------------------------------------------------------------------------------------

READS = {
    "kaggle": {
        "quota": ("GetSubmissionLimits", 0),
        "competition": ("GetCompetition", 0),
        "look": ("ListSubmissions", 0),
        "board": ("GetLeaderboard", 0),
    },
    "codabench": {
        "login": ("login", 0),
        "standing": ("can", 0),
        "phase": ("phase", 0),
        "quota": ("can", 1),
        "look": ("look", 0),
        "board": ("board", 0),
    },
}
"""Steps that change nothing on the server: the call's name there, and how many go well before."""

WRITES = {
    "kaggle": {"start": "StartSubmissionUpload", "put": "put", "final": "CreateSubmission"},
    "codabench": {"start": "start", "put": "put", "completed": "completed", "final": "submit"},
}
LISTS = {"kaggle": "ListSubmissions", "codabench": "list"}
RESET = Fault("reset", "reset")
BOTH = (("before", False), ("after", True))


def all_cases(platform: str) -> list[Case]:
    """Every case of a platform; names are told apart."""
    return [*step_cases(platform), *second_order(platform), *foreign_fields(platform), *command_line(platform)]


def step_cases(platform: str) -> Iterator[Case]:
    """Every fault at every step, before and after the work."""
    for step, (wire, skip) in READS[platform].items():
        for fault in (*plain_faults(), *foreign_faults(platform, step)):
            yield Case(platform, step, f"{platform}/{step}/read/{fault.name}", (Order(wire, fault, skip=skip),))
    for step, wire in WRITES[platform].items():
        for fault in (*plain_faults(), *foreign_faults(platform, step)):
            for when, done in BOTH:
                yield Case(platform, step, f"{platform}/{step}/{when}/{fault.name}", (Order(wire, fault, done),))
    final, listing = WRITES[platform]["final"], LISTS[platform]
    for fault in (*plain_faults(), *foreign_faults(platform, "list")):
        for when, done in BOTH:  # the list is asked since the final call ended without an answer
            orders = (Order(final, RESET, done), Order(listing, fault))
            yield Case(platform, "list", f"{platform}/list/{when}/{fault.name}", orders)


def second_order(platform: str) -> Iterator[Case]:
    """What comes together, or is done after the fault."""
    plain, final = {fault.name: fault for fault in plain_faults()}, WRITES[platform]["final"]
    quick = [fault for fault in plain.values() if not fault.once]
    for when, done in BOTH:
        for first in ("400", "403", "409", "429", "500", "reset", "html"):
            for second in ("403", "500", "reset", "html", "json-missing-keys"):
                orders = (Order(final, plain[first], done), Order(LISTS[platform], plain[second]))
                name = f"{platform}/blind/{when}/{first}+list-{second}"
                yield Case(platform, "blind list", name, orders, lasts=2)
        for fault in plain.values():
            orders = (Order(final, fault, done),)
            yield Case(platform, "resume only", f"{platform}/resume/{when}/{fault.name}", orders, again=0)
        for fault in quick:
            orders = (Order(final, fault, done),)
            yield Case(platform, "twice again", f"{platform}/again/{when}/{fault.name}", orders, again=2)
            yield Case(platform, "lasting fault", f"{platform}/lasting/{when}/{fault.name}", orders, lasts=2, again=2)
    for name in ("400", "403", "409", "429", "500", "reset"):
        for late in (1.0, 2.6):
            orders = (Order(final, plain[name], done=True),)
            yield Case(platform, "listed late", f"{platform}/late/after/{name}+{late:.1f}s", orders, late=late)
    for name in ("400", "403", "409", "422", "429", "500", "502", "reset", "cut", "html"):
        orders = (Order(final, plain[name], done=True),)
        yield Case(platform, "ledger deleted", f"{platform}/forgotten/after/{name}", orders, forget=True)
        blind = (*orders, Order(LISTS[platform], plain["500"]))
        name = f"{platform}/forgotten/after/{name}+list-500"
        yield Case(platform, "ledger deleted", name, blind, forget=True, lasts=2)
    yield Case(platform, "ledger deleted", f"{platform}/forgotten/after/nothing", (), forget=True)
    for name in ("empty", "html", "json-truncated", "301", "302"):
        for again in (0, 2):
            orders = (Order("put", plain[name]),)
            case = Case(platform, "hollow storage", f"{platform}/hollow/{name}+{again}-again", orders, again=again)
            yield replace(case, lasts=1 + again // 2)


def foreign_fields(platform: str) -> Iterator[Case]:
    """Foreign text in answers that are well otherwise."""
    final = WRITES[platform]["final"]
    for name, text in foreign_texts(platform).items():
        if platform == "kaggle":
            bodies = {
                "message": (final, {"message": text}),
                "ref": (final, {"ref": text, "message": text}),
                "team": ("GetLeaderboard", {"submissions": [{"teamName": text, "score": "0.95"}]}),
            }
        else:
            line = {"owner": text, "display_name": text, "scores": [{"score": "0.95"}]}
            bodies = {
                "reason": ("can", {"can": False, "reason": text}),
                "status": ("phase", {"status": text, "name": text}),
                "id": (final, {"id": text}),
                "other-id": ("look", {"id": text, "status": text}),
                "team": ("board", {"submissions": [line]}),
            }
        for place, (wire, body) in bodies.items():
            orders = (Order(wire, Fault(name, body=json.dumps(body)), done=wire == final),)
            yield Case(platform, "foreign fields", f"{platform}/field/{place}/{name}", orders)
        yield Case(platform, "foreign fields", f"{platform}/field/failure/{name}", (), fails=text)


def command_line(platform: str) -> Iterator[Case]:
    """Some of the others in processes of their own."""
    wanted = ["final/after/403", "final/after/409", "final/after/429", "final/after/html", "final/before/500"]
    wanted += ["put/after/reset", "look/read/hang", "start/before/echo-pair-400", "quota/read/crlf-error-400"]
    wanted += ["final/after/ansi-503-json"]
    known = {case.name: case for case in step_cases(platform)}
    for name in wanted:
        case = known[f"{platform}/{name}"]
        yield replace(case, step="command line", name=f"{platform}/cli/{name}", real=True)


# --- the servers --------------------------------------------------------------------------------------------------------


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


# --- running a case -----------------------------------------------------------------------------------------------------


class Stage:
    """A project for each platform, and both servers; the environment and the current folder are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: dict[str, Ordered] = {"kaggle": Kaggle(), "codabench": Codabench()}
        for name in [n for n in os.environ if n.startswith(("KAGGLE", "CODABENCH", "HARNESS_"))]:
            del os.environ[name]
        os.environ |= {"HOME": str(folder), "HARNESS_CACHE": str(folder / "cache"), "PYTHONPATH": str(REPOSITORY)}
        os.environ |= {"HARNESS_RETRY_SECONDS": str(RETRY), "HARNESS_CALL_SECONDS": str(CALL), "COLUMNS": "200"}
        for name, server in self.servers.items():
            server.http.handle_error = lambda *args: None  # type: ignore[method-assign]
            os.environ |= server.environment()
            self._make_project(folder / name, name)
        self._share_client()

    @staticmethod
    def _make_project(project: Path, platform: str) -> None:
        project.mkdir()
        make_shapes(project, per_class=2)
        toml = project / "competitions" / "shapes" / "competition.toml"
        text = toml.read_text().replace("metric =", f'platform = "{platform}"\nmetric =')
        toml.write_text(text + "\n[codabench]\nphase = 9\n")
        lines = [f"{i},{'circle' if i % 2 else 'square'}\n" for i in range(6)]
        (project / "ready.csv").write_text("id,label\n" + "".join(lines))

    def _share_client(self) -> None:
        """One process of the kaggle client for all commands in here: it takes seconds to start, and knows nothing of before."""
        from harness.remote import kaggle_client

        child = kaggle_client.Child("harness.remote.kaggle_child")
        kaggle_client.Child = lambda module: child  # type: ignore[assignment,misc]
        self.child = child

    def close(self) -> None:
        self.child.kill()
        for server in self.servers.values():
            server.close()
        if self.servers["kaggle"].stray:
            raise UserError(f"calls went out to {self.servers['kaggle'].stray}")

    def run(self, case: Case) -> Result:
        """The whole story of a case."""
        server, project = self.servers[case.platform], self.folder / case.platform
        out, started = Path(tempfile.mkdtemp(dir=self.folder)), time.monotonic()
        os.environ["HARNESS_GRACE_SECONDS"] = str(LONG_GRACE if case.late else GRACE)
        server.begin(case)
        os.chdir(project)
        new = ["--comp", "shapes", "--data", "data", "--wait", "0.2", "--file", "ready.csv", "--out", str(out)]
        said, command = [], command_in_a_process if case.real else command_in_here
        for number in range(1 + case.again):
            if number == case.lasts:
                server.mend()
            said.append(command(new))
            if case.forget and number == 0:
                said.append(ledger_text(out))
                for path in (out / "submissions").glob("ledger.sqlite*"):
                    path.unlink()
        server.mend()
        for _ in range(MOST_RESUMES):
            if not unfinished(out):
                break
            time.sleep(GRACE)
            said.append(command(["--resume", "--queued", "--wait", "0.2", "--out", str(out)]))
        result = judged(case, server, out, "\n".join(said))
        shutil.rmtree(out)
        return replace(result, seconds=round(time.monotonic() - started, 2))


def command_in_here(arguments: list[str]) -> str:
    """All that the command prints, with a traceback if it ends in one."""
    from harness.submit.__main__ import app as submit

    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            submit(arguments)
        except SystemExit:
            pass
        except Exception:
            traceback.print_exc()
    return stdout.getvalue() + "\n" + stderr.getvalue()


def command_in_a_process(arguments: list[str]) -> str:
    """The same, as a user starts it."""
    words = [sys.executable, "-m", "harness.submit", *arguments]
    done = subprocess.run(words, capture_output=True, timeout=120, check=False)  # bytes: \r must stay
    return f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"


def entries(out: Path) -> list[Any]:
    from harness.ledger import open_ledger

    return open_ledger(out).entries()


def unfinished(out: Path) -> bool:
    """Whether --resume or --queued has something to do."""
    from harness.ledger import State
    from harness.ledger.entry import OPEN

    return any(entry.state in (*OPEN, State.QUEUED) for entry in entries(out))


def ledger_text(out: Path) -> str:
    """All texts in the ledger's tables."""
    path = out / "submissions" / "ledger.sqlite"
    if not path.is_file():
        return ""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for name in tables for row in connection.execute(f'SELECT * FROM "{name}"')]
    return "\n".join(value for row in rows for value in row if isinstance(value, str))


# --- judging ------------------------------------------------------------------------------------------------------------


def judged(case: Case, server: Ordered, out: Path, said: str) -> Result:
    """What is wrong at the end of a case."""
    from harness.ledger import State
    from harness.ledger.entry import SPENT

    found, sent = entries(out), len(server.submissions)
    states, text = [entry.state for entry in found], said + "\n" + ledger_text(out)
    raw = b"".join(p.read_bytes() for p in (out / "submissions").glob("ledger.sqlite*")).decode("latin-1")
    forgotten = sent and not case.forget and not any(state in SPENT for state in states)
    claimed = not sent and any(state in (State.PENDING, State.COMPLETE) for state in states)
    scored_nothing = sent and len(server.hollow) == sent and State.COMPLETE in states
    wrong = {
        "double": sent > 1,
        "lost": bool(forgotten or claimed or scored_nothing),
        "leaked": any(piece in text or piece in raw for piece in secret_pieces(case.platform)),
        "control": bool(CONTROL.search(text) or FORGED_LINE.search(text)),
        "traceback": "Traceback (most recent call last)" in said,
    }
    kinds = [kind for kind in KINDS if wrong[kind]]
    broken = list(server.broken)
    return Result(case.name, case.platform, case.step, kinds, unfinished(out), sent, list(map(str, states)), broken)


def secret_pieces(platform: str, length: int = 12) -> set[str]:
    """Every stretch of that many characters of a secret, in any writing: half a secret is one too."""
    key = KEYS[platform]
    whole = {TOKEN, SIGNATURE, key, quote(key, safe=""), quote_plus(key), quote(key), html.escape(key)}
    whole |= {json.dumps(key)[1:-1], json.dumps(json.dumps(key))[3:-3]}
    whole |= {base64.b64encode(text.encode()).decode() for text in (key, TOKEN)}
    pair = base64.b64encode(f"{USER}:{key}".encode()).decode()
    whole.add(pair[4 * (len(USER) // 3 + 1) :])  # what comes before says no more than the name
    return {text[i : i + length] for text in whole for i in range(len(text) - length + 1)}


# --- all of it ----------------------------------------------------------------------------------------------------------


def run_share(cases: list[Case]) -> list[Result]:
    """A worker's share, on a stage of its own."""
    here, results = Path.cwd(), []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        stage = Stage(Path(folder))
        try:
            for number, case in enumerate(cases, start=1):
                results.append(stage.run(case))
                if number % 100 == 0:
                    say(f"{number} of {len(cases)} cases of this worker")
        finally:
            os.chdir(here)
            stage.close()
    return results


def chosen(only: str, most: int | None) -> list[Case]:
    """The cases of the platforms asked for, or so many of them, drawn the same each time."""
    found = [case for platform in KEYS if only in ("", platform) for case in all_cases(platform)]
    if len({case.name for case in found}) != len(found):
        raise AssertionError("two cases have the same name")
    return found if most is None or most >= len(found) else random.Random(0).sample(found, most)


def table(results: list[Result]) -> list[dict[str, Any]]:
    """A line for each platform and step, in the order of the protocol, and one of all."""
    order = {p: [*READS[p], *WRITES[p], "list"] for p in KEYS}

    def place(row: tuple[str, str]) -> tuple[str, int, str]:
        steps = order[row[0]]
        return row[0], steps.index(row[1]) if row[1] in steps else len(steps), row[1]

    lines = []
    for row in [*sorted({(r.platform, r.step) for r in results}, key=place), ("all", "")]:
        mine = [r for r in results if row[0] == "all" or (r.platform, r.step) == row]
        counts = {kind: sum(kind in r.kinds for r in mine) for kind in KINDS}
        line = {"platform": row[0], "step": row[1], "cases": len(mine)}
        lines.append(line | counts | {"open": sum(r.open for r in mine)})
    return lines


def print_table(lines: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Faults of a platform, and what came of them", title_justify="left")
    for header in lines[0]:
        shown.add_column(header, justify="left" if header in ("platform", "step") else "right")
    for line in lines:
        shown.add_row(*(str(value) for value in line.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(shown)


@app.command()
@user_command
def main(
    cases: Annotated[int | None, typer.Option(min=1, help="Run so many, drawn the same each time.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all results there.", metavar="FILE")] = None,
    only: Annotated[str, typer.Option(help="kaggle or codabench.")] = "",
    match: Annotated[str, typer.Option(help="Only cases whose name holds this.", metavar="TEXT")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Run the fault matrix of submitting; exit code 1 if any case fails."""
    if only not in ("", *KEYS):
        raise UserError(f"--only {only}: is none of {', '.join(KEYS)}")
    wanted, started = [case for case in chosen(only, cases) if match in case.name], time.monotonic()
    if not wanted:
        raise UserError(f"--match {match}: no case is called so")
    random.Random(1).shuffle(wanted)  # so that the shares take about as long
    shares = [share for share in (wanted[i::workers] for i in range(workers)) if share]
    with ProcessPoolExecutor(len(shares), mp_context=multiprocessing.get_context("spawn")) as pool:
        results = sorted((r for share in pool.map(run_share, shares) for r in share), key=lambda r: r.name)
    lines, failed = table(results), [r for r in results if r.kinds]
    print_table(lines)
    for result in failed:
        print(
            f"{result.name}: {', '.join(result.kinds)} (server {result.sent}; ledger {', '.join(result.states) or '-'})"
        )
    print(f"{len(results)} cases, {len(failed)} failed, {time.monotonic() - started:.0f} s")
    for result in results:
        if result.broken:
            print(f"the server of {result.name} broke:\n{result.broken[0]}", file=sys.stderr)
    if json_file:
        told = {"cases": len(results), "table": lines, "results": [vars(r) for r in results]}
        json_file.write_text(json.dumps(told, indent=2) + "\n")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
