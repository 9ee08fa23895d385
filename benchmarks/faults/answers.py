"""What a server may answer instead: statuses, connections that fail, other shapes, foreign text, secrets that it echoes."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import quote

KINDS = ("double", "lost", "leaked", "control", "traceback")
GRACE, LONG_GRACE, RETRY, CALL = 0.1, 3.0, 0.02, 1.0

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
