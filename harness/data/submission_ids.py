"""The ids that a platform asks for: read from its sample submission and held against the test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.base.errors import UserError, nearest
from harness.competition import Competition
from harness.data.archives import FileTree


def check_submission_ids(competition: Competition, test_ids: np.ndarray, path: Path, tree: FileTree) -> None:
    """Refuse a sample submission whose ids are not the test's."""
    wanted = read_submission_ids(competition, path, tree.show(competition.submission.sample or path.name))
    missing = np.setdiff1d(wanted, test_ids)
    surplus = np.setdiff1d(test_ids, wanted)
    if len(missing) or len(surplus):
        examples = [
            f"'{x[0]}' {what}" for x, what in ((missing, "has no test image"), (surplus, "is not asked for")) if len(x)
        ]
        raise UserError(
            f"{tree.show(competition.submission.sample or '')}: its {len(wanted):,} ids are not those of the "
            f"{len(test_ids):,} test images: {len(missing):,} missing, {len(surplus):,} too many; e.g. id "
            f"{' and id '.join(examples)}. Download both files again: one of them is cut off or of another version."
        )


def read_submission_ids(competition: Competition, path: Path, shown: str) -> np.ndarray:
    """Ids (n,) str of a sample submission, in its order.

    Raises
    ------
    UserError
        If it has no id column or an id twice.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{shown}: cannot be read as CSV ({error}). Download it again.") from error
    column = competition.submission.id
    if column not in table.columns:
        raise UserError(
            f"{shown}: no column '{column}'{nearest(column, table.columns)}; it has {', '.join(table.columns)}."
        )
    ids = table[column].to_numpy(dtype=np.str_)
    unique, count = np.unique(ids, return_counts=True)
    if len(unique) < len(ids):
        raise UserError(f"{shown}: id '{unique[count > 1][0]}' stands {count.max()} times. Download it again.")
    return ids
