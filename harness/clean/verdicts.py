"""Verdicts on training rows: the file that a person may change, and what it does to the rows.

clean.csv has the columns id, verdict, action, group, evidence, a line for each row that is not plainly clean. The action
counts: keep (nothing happens), group (rows of the same group share a fold), exclude (never trained on; its OOF is reported
apart) or relabel (its label becomes the class that the evidence names first: "to CLASS; ...").
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError, nearest
from harness.base.files import complete_file
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


def write_verdicts(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Write clean.csv."""
    with complete_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(dataclasses.astuple(v) for v in verdicts)


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
        raise UserError(f"{path}: cannot be read as CSV ({error}). Save it as CSV in UTF-8.") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise UserError(
            f"{path}: its columns are {','.join(lines[0]) if lines else 'none'}; wanted {','.join(COLUMNS)}."
        )
    verdicts = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            raise UserError(
                f"{path}: line {number} has {len(line)} values, wanted {len(COLUMNS)} ({','.join(COLUMNS)})."
            )
        verdict = Verdict(*line)
        if verdict.action not in ACTIONS:
            raise UserError(
                f"{path}: line {number} (id '{verdict.id}'): action '{verdict.action}' is unknown"
                f"{nearest(verdict.action, ACTIONS)}; known: {', '.join(ACTIONS)}."
            )
        verdicts.append(verdict)
    return verdicts


def apply_verdicts(path: Path, samples: Samples, classes: Sequence[str]) -> Cleaning:
    """What clean.csv makes of the training rows; nothing is deleted.

    Raises
    ------
    UserError
        If it names a row that is not there, a row twice, or a class that is none.
    """
    verdicts = [v for v in read_verdicts(path) if v.verdict != "broken"]  # those are no rows
    ids = np.array([v.id for v in verdicts], dtype=np.str_)
    unique, count = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise UserError(f"{path}: id '{unique[count > 1][0]}' stands {count.max()} times. Give each row one line.")
    rows = align_rows(samples.ids, ids, f"{path}: made for other data? Training rows") if len(ids) else np.zeros(0, int)
    action = np.array([v.action for v in verdicts], dtype=np.str_)
    kept = np.ones(len(samples), dtype=bool)
    kept[rows[action == "exclude"]] = False
    labels = _relabelled(path, samples, rows, verdicts, classes)
    groups = _grouped(samples.groups, rows, verdicts)
    return Cleaning(
        samples=dataclasses.replace(samples, labels=labels, groups=groups),
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
            name = verdict.evidence.removeprefix("to ").partition(";")[0].strip()
            if name not in classes:
                raise UserError(
                    f"{path}: id '{verdict.id}': to relabel it, its evidence must begin with 'to CLASS;', not "
                    f"'{verdict.evidence[:40]}'{nearest(name, classes)}. Classes: {', '.join(classes)}."
                )
            labels[row] = list(classes).index(name)
    return labels


def _grouped(groups: np.ndarray, rows: np.ndarray, verdicts: list[Verdict]) -> np.ndarray:
    """Rows of one family share a group, and so do all rows of the groups (patients) that a family joins."""
    from harness.clean.duplicates import families

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
    if kept.all() and same_groups and np.array_equal(labels, samples.labels):
        return ""
    digest = hashlib.sha256("\n".join(samples.ids).encode())
    for array in (kept.astype(np.uint8), labels.astype("<i8"), np.unique(groups, return_inverse=True)[1].astype("<i8")):
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]
