"""From a checked file to its score: ask the platform how we stand, write the intent, send, follow up, look at the board."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.base.storage.atomic_files import complete_file, explain_disk_errors
from harness.base.storage.manifest import sha256_of
from harness.competition import Competition, find_competition
from harness.cv.scores import competition_metrics
from harness.ledger import Entry, Intent, Ledger, Notebook, State
from harness.ledger.entry import OPEN, SPENT
from harness.remote.errors import Nameless, Refused, Unreachable
from harness.submit.arguments import SendOptions
from harness.submit.code.package import CODE
from harness.submit.outcome import entry_lines, entry_summary
from harness.submit.platform import Platform, find_platform
from harness.submit.preflight import labels_hash
from harness.submit.prepare.prepared import Prepared
from harness.submit.recorded import competition_of
from harness.submit.sending import Say, check_unchanged, poll, receipt_of, send


@dataclass(frozen=True)
class Shown:
    """Entries as they stand, in lines for people and for --json."""

    entries: list[Entry]
    lines: list[str]
    summaries: list[dict[str, Any]]


def send_new(
    ledger: Ledger, out: Path, competition: Competition, prepared: Prepared, how: SendOptions, say: Say
) -> Shown:
    """Send a checked file; without credentials, network or quota it is kept in the ledger.

    Raises
    ------
    UserError
        If the platform would not take it, the same was sent before, or nothing could be sent.
    """
    platform = find_platform(competition, prepared.intent.platform)
    with _alone(out):
        if not how.force:
            _refuse_forgotten(ledger, prepared.intent, out)
        prepared = _kept(prepared, out)
        try:
            why = _why_not_now(ledger, platform, prepared.intent, how.reserve, say)
            if not why and not how.force:
                _refuse_listed(ledger, platform, prepared.intent)
        except Unreachable as error:
            why = str(error.args[0])
        except Refused as error:
            raise UserError(f"{error}\n  Nothing was sent.") from error
        if why:
            number = ledger.add_once(prepared.intent, how.force, State.QUEUED, redact(why))
            return _shown(ledger, [number], None, competition)
        number = ledger.add_once(prepared.intent, how.force)
        send(ledger, platform, number, say)
        return _scored(ledger, platform, competition, number, how.wait, say)


def follow_up(ledger: Ledger, out: Path, comp: str | None, how: SendOptions, say: Say) -> Shown:
    """Go on with what was begun (`how.resume`), send what was kept (`how.queued`).

    comp : a competition's slug or folder, whose entries alone are followed up, and which is used as it is there; None: all entries, each
        with the competition in the folder that the ledger names

    Raises
    ------
    UserError
        If there is no such competition, or another process is sending.
    """
    given = find_competition(comp) if comp else None
    slug = given.slug if given else None
    states = (OPEN if how.resume else ()) + ((State.QUEUED,) if how.queued else ())
    entries: list[Entry] = []
    lines: list[str] = []
    summaries: list[dict[str, Any]] = []
    if not any(entry.state in states for entry in ledger.entries(slug)):
        what = "was kept for later" if how.queued else "is unfinished"
        return Shown([], [f"nothing to do: nothing {what} in {ledger.where}"], [])
    with _alone(out):
        waiting = [entry for entry in ledger.entries(slug) if entry.state in states]
        for entry in waiting:
            shown = _again(ledger, entry, given, how, say)
            entries, lines, summaries = entries + shown.entries, lines + shown.lines, summaries + shown.summaries
    return Shown(entries, lines, summaries)


def _again(ledger: Ledger, entry: Entry, competition: Competition | None, how: SendOptions, say: Say) -> Shown:
    """An entry, gone on with; whatever keeps it from that is said, and keeps no other one back."""
    try:
        competition = competition or competition_of(entry.intent)
        platform = find_platform(competition, entry.intent.platform)
        why_not = functools.partial(_why_not_now, ledger, platform, entry.intent, how.reserve, say)
        if entry.state in (State.QUEUED, State.INTENT, State.UPLOADED) and (why := why_not()):
            say(f"entry {entry.id}: still not: {why}")
            return _shown(ledger, [entry.id], None, competition)
        if entry.state == State.QUEUED:
            check_unchanged(ledger, entry)
            if _was_sent_since(ledger, entry):
                ledger.record(entry.id, State.REFUSED, detail="the same was sent meanwhile")
                return _shown(ledger, [entry.id], None, competition)
            ledger.record(entry.id, State.INTENT, detail="sent from the queue", after=entry.event)
        send(ledger, platform, entry.id, say, why_not)
        return _scored(ledger, platform, competition, entry.id, how.wait, say)
    except (UserError, Refused, Unreachable) as error:
        say(f"entry {entry.id}: {error.args[0]}")
        return _shown(ledger, [entry.id], None, competition)


def _was_sent_since(ledger: Ledger, waiting: Entry) -> bool:
    """Whether a later entry says the same, at the same place."""
    mine = (waiting.intent.platform, waiting.intent.labels)
    others = [e for e in ledger.entries(waiting.intent.competition) if e.id > waiting.id]
    return any(
        (e.intent.platform, e.intent.labels) == mine and e.state not in (State.REFUSED, State.QUEUED) for e in others
    )


def _scored(ledger: Ledger, platform: Platform, competition: Competition, number: int, wait: float, say: Say) -> Shown:
    """An entry that was sent, after a wait for its score and a look at the board."""
    entry = poll(ledger, platform, number, wait, say)
    board = _look_at_board(ledger, platform, entry.intent, say) if entry.public is not None else None
    return _shown(ledger, [number], board, competition)


def _why_not_now(ledger: Ledger, platform: Platform, intent: Intent, reserve: int, say: Say) -> str:
    """Why it has to wait for another day; "" where it may go, and what to know of it is said. What no waiting mends is an error.

    Raises
    ------
    UserError
        With everything that is wrong at once.
    """
    standing = platform.standing()
    problems = [*standing.problems]
    if standing.notebooks_only and not (Notebook.parse(intent.file) or intent.file.endswith(CODE)):
        problems.append("it takes notebooks, not files: --code, or --notebook OWNER/NAME@VERSION")
    if problems:
        raise UserError("\n  ".join([f"{platform.name} would not take it; nothing was sent:", *problems]))
    if standing.left_today is not None and standing.left_today <= reserve:
        kept = f" and --reserve keeps {reserve}" if reserve else ""
        there = [entry for entry in ledger.entries(intent.competition) if entry.intent.platform == intent.platform]
        mine = sum(entry.state in SPENT and entry.created[:10] == _today() for entry in there)
        return f"{standing.left_today} submissions are left today (UTC){kept}; the ledger knows of {mine} of today"
    for told in standing.notes:
        say(f"note: {told}")
    return ""


def _look_at_board(ledger: Ledger, platform: Platform, intent: Intent, say: Say) -> list[dict[str, Any]] | None:
    try:
        rows = platform.leaderboard()
    except (Unreachable, Refused) as error:
        say(f"the leaderboard cannot be seen: {error.args[0]}")
        return None
    ledger.add_snapshot(intent.competition, intent.platform, rows)
    return rows


def _shown(
    ledger: Ledger, numbers: Sequence[int], board: list[dict[str, Any]] | None, competition: Competition | None
) -> Shown:
    greater = competition is None or competition_metrics(competition)[0].greater_is_better
    entries = [ledger.entry(number) for number in numbers]
    lines = [line for entry in entries for line in entry_lines(entry, board, greater)]
    return Shown(entries, lines, [entry_summary(entry, board, greater) for entry in entries])


def _refuse_forgotten(ledger: Ledger, intent: Intent, out: Path) -> None:
    """A ledger that was lost must not let the same be sent again: copies of what was sent lie beside it.

    Raises
    ------
    UserError
        If there is a copy of a file that says the same, and the ledger knows nothing of it.
    """
    folder = out / "submissions" / intent.competition / "sent"
    known = {entry.intent.sha256 for entry in ledger.entries(intent.competition)}
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if not receipt_of(path).is_file():
            continue  # it lay ready; nothing went out
        digest = sha256_of(path)
        if digest in known:
            continue  # the ledger says what became of it
        if digest == intent.sha256 or (path.suffix == ".csv" and labels_hash(path) == intent.labels):
            raise UserError(
                f"'{intent.run}' says the same as {path}, which was sent; {ledger.where} knows nothing of it: was the "
                "ledger lost? Put it back, or spend a submission all the same with --force."
            )


def _refuse_listed(ledger: Ledger, platform: Platform, intent: Intent) -> None:
    """The platform's own list is asked too, where the ledger knows nothing of the file.

    Raises
    ------
    UserError
        If it lists a submission of this very file.
    """
    if any(entry.intent.sha256 == intent.sha256 for entry in ledger.entries(intent.competition)):
        return
    try:
        found = platform.find(intent.sha256[:12])
    except Nameless:
        return  # nothing of ours is on its way: a line without a description is somebody's who gave none
    if found is not None:
        raise UserError(
            f"{platform.name} lists this very file already, as {found.ref} ({found.state}); {ledger.where} knows nothing of it: was the "
            "ledger lost? Put it back, or spend a submission all the same with --force."
        )


def _kept(prepared: Prepared, out: Path) -> Prepared:
    """The same with a file of its own, which no later dry run writes over: submissions/<slug>/sent/<name>-<sha>.<ending>."""
    intent = prepared.intent
    if Notebook.parse(intent.file):
        return prepared  # it lies on the platform
    path = Path(intent.file)
    folder = (out / "submissions" / intent.competition / "sent").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    mine = folder / f"{path.stem}-{intent.sha256[:12]}{path.suffix}"
    with complete_file(mine) as temporary:
        shutil.copyfile(path, temporary)
    return dataclasses.replace(prepared, intent=dataclasses.replace(intent, file=str(mine)))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep two processes from following up the same entry; the lock goes with the process."""
    import filelock

    folder = out / "submissions"
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise UserError(f"{folder}: another process is sending now. Wait for it; nothing was sent.") from error
    try:
        yield
    finally:
        lock.release()


def _today() -> str:
    import time

    return time.strftime("%Y-%m-%d", time.gmtime())
