"""A package of code becomes a version of a notebook that has run well: data set, push, run, output checked. Nothing is spent by it.

Every step is in a journal beside the package, so that --resume goes on from any kill, and nothing is pushed twice.
"""

from __future__ import annotations

import csv
import json
import math
import re
import secrets
import shutil
from pathlib import Path

from harness.base.progress import LineWatcher
from harness.base.untrusted_text import plain
from harness.data.files.csv_tables import separator
from harness.kernels.job import as_name
from harness.kernels.journal import Journal, Session
from harness.kernels.kaggle.account import Account
from harness.kernels.kaggle.data_set import ensure_data_set
from harness.kernels.kaggle.notebook import Notebook
from harness.kernels.pushing import Pushing
from harness.ledger import Notebook as Version
from harness.remote.errors import Refused, Unreachable
from harness.submit.code.notebook import REPORT, code_cells
from harness.submit.code.package import Package, open_package

_RESUME = "python -m harness.submit --resume"
_MARGIN = 1.25
"""The hidden test may be read more slowly, and its images may be larger."""


def pushed_notebook(path: Path, watcher: LineWatcher) -> Version:
    """Push the notebook of a package, wait until it has run, and check what it wrote; or go on where that was left.

    Raises
    ------
    Refused
        If the notebook failed, its file is not what the harness would write, or the hidden test would take too long.
    Unreachable, UserError
        If something is missing that may come; the same may be done again.
    """
    package, account, journal = open_package(path), Account(), Journal(path.with_suffix(".kaggle"))
    pushing = Pushing(account, journal, watcher, _RESUME, _RESUME)
    with journal.alone():
        last = journal.sessions[-1] if journal.sessions else None
        if last is not None and last.step == "pushing":
            last = pushing.settled(last)
        if last is None or last.how not in ("", "done"):
            last = _start(package, last, account, pushing)
        if last.step == "pushed":
            last = _followed(last, pushing)
        if last.how != "done":
            _say_how_it_ended(last)
        _check(package, last, account, journal.folder / "arrived", watcher)
        return Version(account.user, last.name, last.version, package.about.output)


def _start(package: Package, last: Session | None, account: Account, pushing: Pushing) -> Session:
    about, mark = package.about, package.mark
    pushing.say_quota(about.accelerator)
    name = f"harness-{as_name(about.slug, 20)}-{mark[:8]}"
    files = package.unpack(pushing.journal.folder / "data-set")
    title = f"Harness {about.slug[:20]} {mark[:8]}"
    ref = ensure_data_set(account, name, title, mark, files, pushing.watcher.say)
    number, tag = (last.number if last else 0) + 1, f"{mark[:8]}-{secrets.token_hex(4)}"
    notebook = Notebook(
        owner=account.user,
        name=f"{name}-{number}",
        tag=tag,
        cells=code_cells(package, tag),
        accelerator=about.accelerator,
        competitions=about.competitions,
        data_sets=(ref, *about.data_sets),
    )
    left_out = pushing.start(notebook, number)
    if left_out:
        pushing.watcher.say(
            f"warning: Kaggle did not attach {', '.join(left_out)}: accept the competition's rules on its page"
        )
    return pushing.journal.sessions[-1]


def _followed(session: Session, pushing: Pushing) -> Session:
    look = pushing.followed(session)
    if look is None:
        return pushing.gone(session)
    how = {"complete": "done"}.get(look.end, look.end)
    pushing.journal.add("ended", session.number, how=how, said=look.said)
    return pushing.journal.sessions[-1]


def _say_how_it_ended(session: Session) -> None:
    said = plain(session.said, 500) or "no reason was given"
    if session.how == "error":
        raise Refused(f"the notebook failed: {said}; its log: {session.url}")
    raise Unreachable(f"the notebook's session was {session.how}: {said}; it is pushed again by --resume")


def _check(package: Package, session: Session, account: Account, folder: Path, watcher: LineWatcher) -> None:
    """Hold what the notebook wrote against the harness's own answers, and its time against the limit."""
    output = package.about.output
    for _ in range(2):  # what came may not be what was written
        shutil.rmtree(folder, ignore_errors=True)
        names = account.fetch(session.name, folder, f"{re.escape(output)}|{re.escape(REPORT)}")
        if not {output, REPORT} <= set(names):
            raise Unreachable(f"the output of {session.url} holds no {output} (yet)")
        told = _told(folder / REPORT)
        wrong = differences(package, folder / output) or ("" if told else "its report makes no sense")
        if not wrong and told:
            _check_time(package, *told, session, watcher)
            return
    raise Refused(f"{session.url}: {wrong}; it is not submitted")


def _told(path: Path) -> tuple[float, float] | None:
    """Seconds an image and to load, as the notebook measured them."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = float(told["predict"]) / max(int(told["rows"]), 1), float(told["load"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if all(map(math.isfinite, found)) else None


def _check_time(package: Package, an_image: float, load: float, session: Session, watcher: LineWatcher) -> None:
    about = package.about
    fit = int((about.seconds / _MARGIN - load) / max(an_image, 1e-9))
    watcher.say(
        f"there: {1000 * an_image:.1f} ms an image; {fit:,} images fit into {about.seconds:,.0f} s with a margin of {_MARGIN - 1:.0%}"
    )
    if about.hidden_rows is not None and about.hidden_rows > fit:
        raise Refused(
            f"{session.url}: {about.hidden_rows:,} images of the hidden test would take {load + about.hidden_rows * an_image:,.0f} s, "
            f"and with the margin more than the limit of {about.seconds:,.0f} s; it is not submitted. Fewer views (predict.tta), fewer folds, "
            "or the true --limit and --hidden-rows"
        )


def differences(package: Package, path: Path) -> str:
    """What is wrong with the file that a notebook wrote, in words; "" where it says what the harness says."""
    try:
        found = _rows(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read ({type(error).__name__})"
    expected = _rows(package.read("expected.csv").decode())
    ids = json.loads(package.read("ids.json"))
    if not found or found[0] != expected[0]:
        return (
            f"{path.name} begins with {plain(','.join(found[0]) if found else '', 200)}, wanted {','.join(expected[0])}"
        )
    place = expected[0].index(ids["column"])
    if [row[place] for row in found[1:] if len(row) == len(found[0])] != ids["ids"]:
        return f"{path.name} has other rows than the sample submission ({len(found) - 1:,} of {len(ids['ids']):,})"
    by_id = {row[place]: row for row in found[1:]}
    about = package.about
    for own in expected[1:]:
        for name, ours, theirs in zip(expected[0], own, by_id[own[place]], strict=True):
            if not _same(ours, theirs, about.numeric.get(name), about.margin):
                return f"{path.name} has '{plain(theirs, 80)}' for {plain(own[place], 80)} in {name}, the harness '{plain(ours, 80)}'"
    return ""


def _same(ours: str, theirs: str, unit: float | None, margin: float) -> bool:
    if unit is None:
        return ours == theirs
    try:
        return abs(float(ours) - float(theirs)) <= margin * unit
    except ValueError:
        return False


def _rows(text: str) -> list[list[str]]:
    return [row for row in csv.reader(text.splitlines(), delimiter=separator(text)) if row]
