"""The sequence of a submission: every step is in the ledger before the next one begins, so that a kill loses nothing.

    intent      written before anything goes out; the same file or the same labels are not sent twice
    uploaded    the file is there; nothing is spent yet
    unknown     written before the final call, since after it nobody knows until the platform has answered
    pending     the platform gave a reference, or lists the tag
    complete    with a score; or error, with the platform's reason; or refused, with nothing spent

After any end but a clear success, a 4xx too, the platform's list is asked for the tag before anything is said or done: a no may follow
work that was done. Where the list does not know it for a grace period, a no is a no; where it cannot be had, the entry is unclear. Only
--resume, and only after a grace period in which the submission did not turn up, makes the final call again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from harness.base.command import carried
from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.base.storage.atomic_files import write_text
from harness.ledger import Entry, Ledger, Notebook, State
from harness.remote.errors import Refused, Unclear, Unreachable
from harness.remote.patience import grace_seconds, retry_seconds
from harness.submit.platform import Listed, Platform

Say = Callable[[str], None]


def send(ledger: Ledger, platform: Platform, number: int, say: Say, why_not: Callable[[], str] = lambda: "") -> Entry:
    """Send an entry whose intent stands, or go on where it was left; returns it as it stands then.

    why_not : asked before a final call is made again: why it has to wait; "" = it may go

    Raises
    ------
    UserError
        If the platform refuses, or cannot be reached before anything was spent (what to do next is said).
    """
    entry = ledger.entry(number)
    if entry.ref:
        return entry
    check_unchanged(ledger, entry)
    if entry.state == State.UNKNOWN:
        if (
            _search(ledger, platform, entry, say) != "absent"
        ):  # which takes the whole grace period, by a clock that does not jump
            return ledger.entry(number)
        _refuse_other_content(entry)
        missing, waits = f"entry {number}: not listed {grace_seconds():.0f} s after the final call", why_not()
        if waits:
            say(f"{missing}; it is not sent again now: {waits}")
            return ledger.entry(number)
        say(f"{missing}: it was not taken, so it is sent again")
    _upload_and_submit(ledger, platform, entry, say)
    return ledger.entry(number)


def _upload_and_submit(ledger: Ledger, platform: Platform, entry: Entry, say: Say) -> None:
    """After a doubtful call whatever goes wrong leaves the doubt in the ledger: the first may yet turn up."""
    doubt, path = entry.state == State.UNKNOWN, Path(entry.intent.file)
    try:
        say(f"sends {path.name} to {platform.name}")
        uploaded = entry.intent.file if _is_notebook(entry) else platform.upload(path, entry.intent.tag)
        event = ledger.record(entry.id, State.UNKNOWN if doubt else State.UPLOADED, after=entry.event)
        event = ledger.record(entry.id, State.UNKNOWN, detail="the final call begins", after=event)
        if not _is_notebook(entry):
            write_text(receipt_of(path), f"{entry.intent.tag}\n")
        ref = platform.submit(uploaded, entry.intent.message)
    except Refused as error:
        ledger.record(entry.id, State.UNKNOWN if doubt else State.REFUSED, detail=redact(str(error)))
        spent = "An earlier call may have been taken" if doubt else "Nothing was spent"
        raise UserError(f"{error}\n  {spent}; entry {entry.id} of the ledger says so.") from error
    except Unreachable as error:
        ledger.record(entry.id, State.UNKNOWN if doubt else State.INTENT, detail=redact(str(error.args[0])))
        spent = "Nothing was spent by this call." if doubt else "Nothing was spent."
        raise UserError(
            f"{error.args[0]}\n  {spent} Entry {entry.id} waits in the ledger: python -m harness.submit --resume{carried('--out')}"
        ) from error
    except Unclear as error:
        ledger.record(entry.id, State.UNKNOWN, detail=redact(str(error)))
        how = "was answered with a no" if error.said_no else "ended without a clear answer"
        say(
            f"the final call {how} ({redact(str(error))}); looks for it in the platform's list before anything is concluded"
        )
        if _search(ledger, platform, entry, say) == "absent" and error.said_no and not doubt:
            _conclude_not_sent(ledger, entry, error)
        return
    ledger.record(entry.id, State.PENDING, ref=ref)


def receipt_of(path: Path) -> Path:
    """The file beside a sent one that says so, whatever becomes of the ledger: written before the final call."""
    return path.with_name(f"{path.name}.sent")


def _conclude_not_sent(ledger: Ledger, entry: Entry, error: Unclear) -> None:
    """The platform said no, and for the whole grace period its list did not say otherwise: nothing was spent.

    Raises
    ------
    UserError
        Says so.
    """
    waits = error.later
    ledger.record(entry.id, State.INTENT if waits else State.REFUSED, detail=redact(str(error)))
    after = f"it is not in the platform's list {grace_seconds():.0f} s later, so nothing was spent"
    if waits:
        raise UserError(
            f"{redact(str(error))}\n  {after}. Entry {entry.id} waits: python -m harness.submit --resume{carried('--out')}"
        )
    raise UserError(f"{redact(str(error))}\n  {after}; entry {entry.id} of the ledger says so.")


def _search(ledger: Ledger, platform: Platform, entry: Entry, say: Say) -> Literal["found", "absent", "no answer"]:
    """Ask the list for the tag until the grace period has passed; records what is found.

    "absent" is said only of a list that could be had.
    """
    tries = 5
    for number in range(tries):
        try:
            found = platform.find(entry.intent.tag)
        except (Unreachable, Refused) as error:
            say(f"the list cannot be had, so that nobody can tell: {error.args[0]}")
            return "no answer"
        if found:
            say(f"found as {found.ref}")
            record_listed(ledger, entry.id, found)
            return "found"
        if number < tries - 1:
            time.sleep(grace_seconds() / (tries - 1))
    return "absent"


def record_listed(ledger: Ledger, number: int, found: Listed) -> None:
    """Write how a submission stands, where that is news."""
    entry = ledger.entry(number)
    known = (entry.state, entry.ref, entry.public, entry.private)
    told = known != (found.state, found.ref, found.public, found.private)
    if told or found.detail not in ("", entry.detail):
        ledger.record(
            number, found.state, ref=found.ref, public=found.public, private=found.private, detail=found.detail
        )


def poll(ledger: Ledger, platform: Platform, number: int, seconds: float, say: Say) -> Entry:
    """Ask until there is a score or an error, or the time is up; what is known stands in the ledger."""
    ends, pause = time.monotonic() + seconds, retry_seconds()
    while True:
        entry = ledger.entry(number)
        if entry.state != State.PENDING or not entry.ref:
            return entry
        try:
            record_listed(ledger, number, platform.look(entry.ref))
        except (Unreachable, Refused) as error:
            say(f"cannot ask how {entry.ref} stands: {error.args[0]}")
        if ledger.entry(number).state != State.PENDING or time.monotonic() + pause > ends:
            return ledger.entry(number)
        time.sleep(pause)
        pause = min(pause * 1.5, 30.0)


def check_unchanged(ledger: Ledger, entry: Entry) -> None:
    """The file must be what the entry was written for; where it is not and nothing can have been spent, the entry ends.

    After a doubtful call it can still be looked for; that it is not sent again is seen to in `send`.

    Raises
    ------
    UserError
        If it is not.
    """
    what = _what_happened(entry)
    if what and entry.state in (State.INTENT, State.UPLOADED, State.QUEUED):
        ledger.record(entry.id, State.REFUSED, detail=f"the file {what}")
        raise UserError(
            f"entry {entry.id}: {entry.intent.file} {what}; nothing was spent. Send it as a new submission instead."
        )


def _refuse_other_content(entry: Entry) -> None:
    what = _what_happened(entry)
    if what:
        raise UserError(
            f"entry {entry.id}: the platform does not list it, but {entry.intent.file} {what}, so it is not sent again. "
            "Put the file back, or send another as a new submission."
        )


def _what_happened(entry: Entry) -> str:
    """To the file since the entry was written; "" where it is as it was. A version of a notebook does not change."""
    if _is_notebook(entry):
        return ""
    try:
        same = hashlib.sha256(Path(entry.intent.file).read_bytes()).hexdigest() == entry.intent.sha256
    except OSError:
        return "is not there any more"
    return "" if same else "has changed since the entry was written"


def _is_notebook(entry: Entry) -> bool:
    return Notebook.parse(entry.intent.file) is not None
