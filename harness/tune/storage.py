"""Where a study lives, whether it is the one that is meant, trials whose process died, and a look at how many ended how."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.secrets import redact
from harness.base.storage.atomic_files import complete_file
from harness.base.untrusted_text import plain

SCHEMA = 1
"""Of what the harness writes into a study."""

_BEAT = 5.0  # seconds between two signs of life
_DEAD = 60.0  # seconds without one
_NEWBORN = 20.0  # seconds between a trial's first sign and its worker's
_TRIES = 3
_OPENINGS = 5

STATES = ("running", "complete", "pruned", "failed", "waiting")
"""In the order of Optuna's numbers."""

_CREATE, _SET_STATE = 4, 6
_MOST_BYTES = 2**26


def open_storage(url: str | None, folder: Path, say: Callable[[str], None] = lambda text: None) -> Any:
    """Optuna's storage: a journal file in `folder`, or a database URL.

    say : told of what was mended

    Raises
    ------
    UserError
        If the journal is damaged beyond a cut last line, the database is not there, or its driver is missing (without its password).
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.resolve() / "study.journal"
        backend = JournalFileBackend(str(path))  # its lock is a link
        repair_journal(path, backend, say)
        try:
            return JournalStorage(backend)
        except Exception as error:  # whatever Optuna trips over: each line is JSON, but not one that it wrote
            raise UserError(
                f"{path}: the study's journal cannot be read ({type(error).__name__}: {plain(error, 200)}). Put a copy of it back, or "
                "begin another study: --study NAME"
            ) from error
    try:
        return _open_database(url)
    except Exception as error:  # SQLAlchemy's, the driver's, Optuna's own: all of them may quote the URL
        said = redact(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise UserError(
            f"--storage: the database cannot be used: {said}\n  Is the server up, and does the URL read "
            "postgresql+psycopg://user:password@host/name? Without --storage a file is used."
        ) from None


def repair_journal(path: Path, backend: Any, say: Callable[[str], None]) -> None:
    """Cut half lines out, which a full disk or a kill leaves in a journal: what such a line says was never acted on.

    At its end, and before a line that another process has appended to it.

    Raises
    ------
    UserError
        If a line in the middle is no JSON: trials after it would be counted wrongly (names the line).
    """
    from optuna.storages.journal._file import get_lock_file

    if not path.is_file() or not path.stat().st_size:
        return
    with get_lock_file(backend._lock):
        content = path.read_bytes()
        mended = [_whole_line(line) for line in content.split(b"\n")]
        kept = [line for line in mended if line is not None]
        if None in mended[: len(kept)]:  # a whole line follows it
            number = mended.index(None)
            damaged = content.split(b"\n")[number][:80].decode("utf-8", "replace")
            raise UserError(
                f"{path}: line {number + 1} of the study's journal is damaged: '{plain(damaged)}'. Put a copy of it back, or begin "
                "another study: --study NAME"
            )
        whole = b"".join(line + b"\n" for line in kept)
        if whole != content:
            with complete_file(path) as temporary:
                temporary.write_bytes(whole)
            say(f"{path}: a half-written line was cut out; the study goes on with the {len(kept):,} whole ones")


def _whole_line(line: bytes) -> bytes | None:
    """A journal's line, or the whole one that was appended to a half one; None where there is neither."""
    for start in (0, line.rfind(b'{"op_code"')):
        with contextlib.suppress(ValueError, RecursionError):
            told = json.loads(line[max(start, 0) :])
            if isinstance(told, dict) and "op_code" in told:
                return line[max(start, 0) :]
    return None


def _open_database(url: str) -> Any:
    """Optuna makes its tables without a lock: of several that begin on an empty database all but one may fail, once."""
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    for attempt in range(_OPENINGS):
        try:
            return RDBStorage(url)
        except (IntegrityError, ProgrammingError, StorageInternalError):
            time.sleep(random.uniform(0.1, 0.5) * (attempt + 1))
    return RDBStorage(url)


def identity(content: dict[str, Any]) -> str:
    """8 hex digits of what a study is about."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def check_identity(study: Any, about: dict[str, Any], where: str) -> None:
    """Refuse a study of another space, data, folds or harness; a fresh one is told what it is about.

    `where` names its file or database in messages.

    Raises
    ------
    UserError
        Names what differs.
    """
    told = dict(study.user_attrs)
    if not isinstance(told.get("about", {}), dict):
        raise UserError(
            f"{where}: study '{study.study_name}' does not say what it is about. Begin another: --study NAME"
        )
    if "about" not in told:
        study.set_user_attr("about", about)
        study.set_user_attr("schema", SCHEMA)
        return
    if told.get("schema") != SCHEMA:
        raise UserError(
            f"{where}: study '{study.study_name}' was written by another harness (schema {told.get('schema')}, this one writes {SCHEMA}). "
            "Name a new one: --study NAME"
        )
    differs = [key for key in sorted(set(about) | set(told["about"])) if about.get(key) != told["about"].get(key)]
    if differs:
        shown = "; ".join(
            f"{key}: {_short(told['about'].get(key))} there, {_short(about.get(key))} here" for key in differs
        )
        raise UserError(
            f"{where}: study '{study.study_name}' is about something else ({shown}). Its trials cannot be compared with new ones: name "
            "another with --study NAME, or bring this machine to the same harness and data"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


@contextlib.contextmanager
def heartbeat(study: Any, trial: Any) -> Iterator[None]:
    """Write signs of life into a running trial, so that others can tell when its process has died."""
    done, storage, number = threading.Event(), study._storage, trial._trial_id

    def beat() -> None:
        while not done.wait(_BEAT):
            with contextlib.suppress(Exception):  # a beat that is missed is no harm
                storage.set_trial_user_attr(number, "beat", time.time())

    storage.set_trial_user_attr(number, "worker", f"{socket.gethostname()}:{os.getpid()}")
    storage.set_trial_user_attr(number, "beat", time.time())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def requeue_dead_trials(
    study: Any,
    parameters: Callable[[Any], dict[str, Any] | None] = lambda trial: dict(trial.params),
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Mark running trials whose process is gone as failed, and put their parameters in the queue again; returns how many.

    Who marks it first queues it; a storage lets only one do so. A trial whose process has died three times is given up, and said so.

    parameters : what a trial was about to be trained with; None: nothing was drawn yet, another one will do
    """
    import optuna
    from optuna.trial import TrialState

    found = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _is_dead(trial):
            continue
        told = trial.user_attrs if isinstance(trial.user_attrs, dict) else {}
        tries, again = _number(told.get("tries", 0)) + 1, parameters(trial)
        try:
            if tries >= _TRIES:  # while it still may be written to
                study._storage.set_trial_user_attr(trial._trial_id, "mistake", f"its process died {tries} times")
            marked = study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except (RuntimeError, KeyError, optuna.exceptions.UpdateFinishedTrialError):
            continue  # it, or another process, was quicker
        if marked and tries >= _TRIES:
            shown = ", ".join(f"{key} {value}" for key, value in (again or {}).items()) or "none drawn yet"
            say(f"trial {trial.number}: its process died {tries} times; it is given up ({plain(shown, 300)})")
        elif marked and again is not None:
            first = told.get("first", trial.number)
            study.enqueue_trial(again, user_attrs={"again": trial.number, "tries": tries, "first": first})
            found += 1
    return found


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _is_dead(trial: Any) -> bool:
    if not isinstance(trial.user_attrs, dict):
        return True  # no trial of ours
    host, _, pid = str(trial.user_attrs.get("worker", "")).rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _runs(int(pid)):
        return True
    if "beat" in trial.user_attrs:
        beat = trial.user_attrs["beat"]
        return (
            not isinstance(beat, int | float) or abs(time.time() - beat) > _DEAD
        )  # from the future: a clock that jumped
    begun = trial.datetime_start  # it was killed, or hangs, before it said who works on it: that takes a moment
    return begun is None or abs((datetime.datetime.now() - begun).total_seconds()) > _NEWBORN  # both local and naive


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):  # a zombie has no life in it
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def tally(journal: Path) -> dict[str, int]:
    """Trials by STATES, by a look at a journal: Optuna is not needed, nothing is mended, whoever works on it is not disturbed.

    Lines that are none of Optuna's are passed over, and of a journal beyond 64 MiB nothing is told ({}).

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if journal.stat().st_size > _MOST_BYTES:
        return {}
    states: list[int] = []
    for text in journal.read_bytes().splitlines():
        try:
            _take(json.loads(text), states)
        except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
            continue
    return {name: states.count(number) for number, name in enumerate(STATES)}


def _take(line: dict[str, object], states: list[int]) -> None:
    if line["op_code"] == _CREATE:
        states.append(_state(line.get("state", 0)))
    elif line["op_code"] == _SET_STATE:
        trial = line["trial_id"]
        if (
            isinstance(trial, int) and 0 <= trial < len(states) and states[trial] in (0, 4)
        ):  # ended ones stay as they are
            states[trial] = _state(line["state"])


def _state(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < len(STATES) else 0
