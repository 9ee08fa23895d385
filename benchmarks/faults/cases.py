"""Every case: which fault at which step, before or after the work, and what is done then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.faults.answers import Case, Fault, Order, foreign_faults, foreign_texts, plain_faults

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
