"""Where a study lives, whether it is the one that is meant, and trials whose process died."""

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.secrets import redact

SCHEMA = 1
"""Of what the harness writes into a study."""

_BEAT = 5.0  # seconds between two signs of life
_DEAD = 60.0  # seconds without one
_TRIES = 3
_OPENINGS = 5


def open_storage(url: str | None, folder: Path) -> Any:
    """Optuna's storage: a journal file in `folder`, or a database URL.

    Raises
    ------
    UserError
        If the database is not there, or its driver is missing (without its password).
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(folder.resolve() / "study.journal")))  # its lock is a link
    try:
        return _open_database(url)
    except Exception as error:  # SQLAlchemy's, the driver's, Optuna's own: all of them may quote the URL
        said = redact(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise UserError(
            f"--storage: the database cannot be used: {said}\n  Is the server up, and does the URL read "
            "postgresql+psycopg://user:password@host/name? Without --storage a file is used."
        ) from None


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


def check_identity(study: Any, about: dict[str, Any]) -> None:
    """Refuse a study of another space, data, folds or harness; a fresh one is told what it is about.

    Raises
    ------
    UserError
        Names what differs.
    """
    told = dict(study.user_attrs)
    if "about" not in told:
        study.set_user_attr("about", about)
        study.set_user_attr("schema", SCHEMA)
        return
    if told.get("schema") != SCHEMA:
        raise UserError(
            f"study '{study.study_name}' was written by another harness (schema {told.get('schema')}, this one writes {SCHEMA}). "
            "Name a new one: --study NAME"
        )
    differs = [key for key in sorted(set(about) | set(told["about"])) if about.get(key) != told["about"].get(key)]
    if differs:
        shown = "; ".join(
            f"{key}: {_short(told['about'].get(key))} there, {_short(about.get(key))} here" for key in differs
        )
        raise UserError(
            f"study '{study.study_name}' is about something else ({shown}). Its trials cannot be compared with new ones: name "
            "another with --study NAME, or bring this machine to the same harness and data"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


@contextlib.contextmanager
def alive(study: Any, trial: Any) -> Iterator[None]:
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


def bury_dead(study: Any) -> int:
    """Mark running trials whose process is gone as failed, and put their parameters in the queue again; returns how many.

    Who marks it first queues it; a storage lets only one do so.
    """
    import optuna
    from optuna.trial import TrialState

    found = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _is_dead(trial):
            continue
        try:
            marked = study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except (RuntimeError, KeyError, optuna.exceptions.UpdateFinishedTrialError):
            continue  # it, or another process, was quicker
        tries = int(trial.user_attrs.get("tries", 0)) + 1
        if marked and tries >= _TRIES:
            study._storage.set_trial_user_attr(trial._trial_id, "mistake", f"its process died {tries} times")
        elif marked:
            study.enqueue_trial(trial.params, user_attrs={"again": trial.number, "tries": tries})
            found += 1
    return found


def _is_dead(trial: Any) -> bool:
    host, _, pid = str(trial.user_attrs.get("worker", "")).rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _runs(int(pid)):
        return True
    if "beat" in trial.user_attrs:
        return time.time() - float(trial.user_attrs["beat"]) > _DEAD
    begun = trial.datetime_start
    return begun is not None and (datetime.datetime.now() - begun).total_seconds() > 5 * _DEAD  # both local and naive


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
