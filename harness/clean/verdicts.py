"""Verdicts on training rows: the file that a person may change, and what it does to the rows.

clean.csv has the columns id, verdict, action, group, evidence, a line for each row that is not plainly clean. The action
counts: keep (nothing happens), group (rows of the same group share a fold), exclude (never trained on; its OOF is reported
apart) or relabel (its label becomes the class that the evidence names first: "to CLASS; ...").
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import carried
from harness.base.errors import UserError, nearest
from harness.base.storage.atomic_files import write_text
from harness.base.storage.manifest import sha256_of
from harness.base.untrusted_text import listed, plain
from harness.competition import Competition, Samples
from harness.runs.align import align_rows

COLUMNS = ("id", "verdict", "action", "group", "evidence")
ACTIONS = ("keep", "group", "exclude", "relabel")


@dataclass(frozen=True)
class Verdict:
    """What is said of a training row.

    Attributes
    ----------
    id : of the row
    verdict : what it is, e.g. "near duplicate"
    action : one of `ACTIONS`
    group : name of the family it belongs to, or ""
    evidence : why, in words
    """

    id: str
    verdict: str
    action: str
    group: str
    evidence: str


@dataclass(frozen=True)
class Cleaning:
    """What the verdicts make of the training rows.

    Attributes
    ----------
    samples : with the groups and labels that they then have
    kept : bool (n,), False for excluded rows
    counts : rows by action
    digest : 12 hex digits over ids and actions that count; "" where nothing changes
    """

    samples: Samples
    kept: np.ndarray
    counts: dict[str, int]
    digest: str


def clean_folder(out: Path, competition: Competition, is_sample: bool) -> Path:
    """Where a competition's verdicts lie; those of the sample and of other data sets have folders of their own."""
    parts = ["clean", *(["sample"] if is_sample else []), *([competition.set] if competition.set else [])]
    return out / "oof" / competition.slug / "-".join(parts)


def standing_verdicts(out: Path, competition: Competition, is_sample: bool) -> Path | None:
    """clean.csv, where the training rows were judged; None where they were not.

    A person may change it, line by line; that it is whole is told by clean.json beside it.

    Raises
    ------
    UserError
        If it is missing beside its clean.json, or cut off.
    """
    path = clean_folder(out, competition, is_sample) / "clean.csv"
    about = path.with_name("clean.json")
    cure = f"Judge the rows again: python -m harness.clean {competition.called}{carried('--data', '--out', '--sample')} --overwrite; or go without: --no-clean"
    if not path.is_file():
        if about.is_file():
            raise UserError(f"{path}: is not there, and {about.name} beside it says that it was written. {cure}")
        return None
    told = about_verdicts(path)
    if told and sha256_of(path) not in told.get("as_written", []):
        content = path.read_bytes()
        lines = content.count(b"\n") - 1
        if not content.endswith(b"\n") or lines < told.get("lines", 0) or b"\0" in content:
            raise UserError(
                f"{path}: has {max(lines, 0):,} whole lines of verdicts, of which {told.get('lines', 0):,} were written: it is cut off or "
                f"damaged (to let a row be, set its action to 'keep' and leave its line). {cure}"
            )
    return path


def about_verdicts(path: Path) -> dict[str, Any]:
    """What clean.json says of the clean.csv beside it: {"as_written": its SHA-256, and the one before; "lines"}; {} where it is none."""
    try:
        told = json.loads(path.with_name("clean.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    known = told.get("as_written", [])
    return told | {"as_written": [known] if isinstance(known, str) else known}


def verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """The content of clean.csv."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(dataclasses.astuple(v) for v in verdicts)
    return text.getvalue()


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write clean.csv."""
    write_text(path, verdicts_text(verdicts))


def read_verdicts(path: Path) -> list[Verdict]:
    """Read clean.csv.

    Raises
    ------
    UserError
        If it is not of the form of COLUMNS, or an action is unknown (names the line).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({plain(error)}). Save it as CSV in UTF-8.") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise UserError(
            f"{path}: its columns are {plain(','.join(lines[0]), 200) if lines else 'none'}; wanted {','.join(COLUMNS)}. Correct the first "
            "line, or judge the rows again: python -m harness.clean COMPETITION --overwrite"
        )
    verdicts = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            raise UserError(
                f"{path}: line {number} has {len(line)} values, wanted {len(COLUMNS)} ({','.join(COLUMNS)}). Correct the line, or judge the "
                "rows again: python -m harness.clean COMPETITION --overwrite"
            )
        verdict = Verdict(*line)
        if verdict.action not in ACTIONS:
            raise UserError(
                f"{path}: line {number} (id '{plain(verdict.id, 80)}'): action '{plain(verdict.action, 80)}' is unknown"
                f"{nearest(verdict.action, ACTIONS)}; known: {', '.join(ACTIONS)}."
            )
        verdicts.append(verdict)
    return verdicts


def change_actions(path: Path, actions: Mapping[str, str]) -> int:
    """Give rows of a clean.csv other actions, by their ids, and nothing else; returns how many are changed.

    Raises
    ------
    UserError
        If there is no such file, row or action, or a row to be relabelled has evidence that names no class. Nothing is written then.
    """
    if not path.is_file():
        raise UserError(f"{path}: is not there")
    verdicts = read_verdicts(path)
    unknown = sorted(set(actions) - {v.id for v in verdicts})
    if unknown:
        raise UserError(f"{path}: has no row of id {listed(unknown, 5)}: was it judged anew? Open the page again")
    for verdict in verdicts:
        wanted = actions.get(verdict.id, verdict.action)
        if wanted not in ACTIONS:
            raise UserError(
                f"id '{plain(verdict.id, 80)}': action '{plain(wanted, 80)}' is unknown; known: {', '.join(ACTIONS)}."
            )
        if wanted == "relabel" != verdict.action and not verdict.evidence.startswith("to "):
            raise UserError(
                f"id '{plain(verdict.id, 80)}': to relabel it, its evidence must begin with 'to CLASS;'. Write that into clean.csv"
            )
    changed = [dataclasses.replace(v, action=actions.get(v.id, v.action)) for v in verdicts]
    if changed != verdicts:
        write_verdicts(path, changed)
    return sum(a != b for a, b in zip(verdicts, changed, strict=True))


def apply_verdicts(path: Path, samples: Samples, classes: Sequence[str]) -> Cleaning:
    """What clean.csv makes of the training rows; nothing is deleted.

    Raises
    ------
    UserError
        If it names a row that is not there, a row twice, or a class that is none, or relabels where a row has no one class.
    """
    verdicts = [v for v in read_verdicts(path) if v.verdict != "broken"]  # those are no rows
    ids = np.array([v.id for v in verdicts], dtype=np.str_)
    unique, count = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise UserError(f"{path}: id '{unique[count > 1][0]}' stands {count.max()} times. Give each row one line.")
    rows = (
        align_rows(
            samples.ids,
            ids,
            f"{path}: made for other data, or damaged? Judge the rows again (python -m harness.clean COMPETITION --overwrite), or go without: "
            "--no-clean. Training rows",
        )
        if len(ids)
        else np.zeros(0, int)
    )
    action = np.array([v.action for v in verdicts], dtype=np.str_)
    kept = np.ones(len(samples), dtype=bool)
    kept[rows[action == "exclude"]] = False
    labels = _relabelled(path, samples, rows, verdicts, classes)
    groups = _grouped(samples.groups, rows, verdicts)
    return Cleaning(
        samples=dataclasses.replace(samples, labels=labels, groups=groups, soft=_revoted(samples, labels)),
        kept=kept,
        counts={name: int((action == name).sum()) for name in ACTIONS},
        digest=_digest(samples, kept, labels, groups),
    )


def _relabelled(
    path: Path, samples: Samples, rows: np.ndarray, verdicts: list[Verdict], classes: Sequence[str]
) -> np.ndarray:
    assert samples.labels is not None  # training rows always have labels
    labels = samples.labels.copy()
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.action == "relabel":
            if labels.ndim > 1:
                raise UserError(
                    f"{path}: id '{plain(verdict.id, 80)}': relabel is for one of several classes, and a row here has several labels, or "
                    "numbers. Set its action to keep or exclude, and correct the row in the training table"
                )
            name = verdict.evidence.removeprefix("to ").partition(";")[0].strip()
            if name not in classes:
                raise UserError(
                    f"{path}: id '{verdict.id}': to relabel it, its evidence must begin with 'to CLASS;', not "
                    f"'{verdict.evidence[:40]}'{nearest(name, classes)}. Classes: {listed(classes)}."
                )
            labels[row] = list(classes).index(name)
    return labels


def _revoted(samples: Samples, labels: np.ndarray) -> np.ndarray | None:
    """Votes of annotators, all for the new label where a row is relabelled."""
    if samples.soft is None or samples.labels is None:
        return None
    soft, changed = samples.soft.copy(), np.flatnonzero(labels != samples.labels)
    soft[changed] = np.eye(soft.shape[1], dtype=soft.dtype)[labels[changed]]
    return soft


def _grouped(groups: np.ndarray, rows: np.ndarray, verdicts: list[Verdict]) -> np.ndarray:
    """Rows of one family share a group, and so do all rows of the groups (patients) that a family joins."""
    from harness.clean.copies.duplicates import families

    _, number = np.unique(groups, return_inverse=True)
    joined = [(v.group, number[row]) for v, row in zip(verdicts, rows, strict=True) if v.group and v.action != "keep"]
    first: dict[str, int] = {}
    links = [(first.setdefault(name, of_row), of_row) for name, of_row in joined]
    if not links:
        return groups
    a, b = np.array(links).T
    return families(int(number.max()) + 1, a, b)[number]


def _digest(samples: Samples, kept: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> str:
    """Over what counts, not over wording; "" where nothing changes."""
    same_groups = len(np.unique(np.stack([samples.groups, groups]), axis=1).T) == len(np.unique(groups))
    same_groups = same_groups and len(np.unique(groups)) == len(np.unique(samples.groups))
    if kept.all() and same_groups and samples.labels is not None and np.array_equal(labels, samples.labels):
        return ""
    digest = hashlib.sha256("\n".join(samples.ids).encode())
    for array in (kept.astype(np.uint8), labels.astype("<i8"), np.unique(groups, return_inverse=True)[1].astype("<i8")):
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]
