"""The submission file: a blend's test probabilities, aligned by id to what the platform asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition
from harness.competition.metrics import argmax_rows
from harness.competition.threshold import moved
from harness.data.cache import Dataset
from harness.data.submission_ids import read_submission_header, read_submission_ids
from harness.oof.ensemble.blend import Blend
from harness.runs.align import align_rows
from harness.runs.probability_tables import rows_of_table


def wanted_ids(competition: Competition, dataset: Dataset) -> np.ndarray:
    """Ids (n,) str in the order of the sample submission; without one, the test ids in the data's order."""
    if dataset.submission is not None:
        return read_submission_ids(
            competition, dataset.submission, competition.submission.sample or "sample submission"
        )
    if dataset.test is None:
        raise UserError(
            f"the test of '{competition.slug}' is hidden: there are no rows to write or to check a file against. Where the "
            "platform takes code: --bundle"
        )
    return dataset.test.ids


def wanted_header(competition: Competition, dataset: Dataset) -> list[str]:
    """The columns in the order of the sample submission; [] where there is none."""
    if dataset.submission is None:
        return []
    shown = competition.submission.sample or "sample submission"
    return read_submission_header(competition, dataset.submission, shown)


def write_submission(
    competition: Competition,
    blend: Blend,
    ids: np.ndarray,
    path: Path,
    threshold: float | None = None,
    header: Sequence[str] = (),
) -> None:
    """Write the CSV of the rows `ids`, in their order; with a threshold the second class is said from it on.

    header : the columns in the platform's order, where there is a sample submission

    Raises
    ------
    UserError
        If the blend lacks an id, or the file cannot be written.
    """
    rows = align_rows(blend.test_ids, ids, f"test predictions of {blend.name}")
    proba = rows_of_table(blend.test, rows)
    proba = proba if threshold is None else moved(proba, threshold)
    hook = competition.hook("to_submission")
    table = hook(ids, proba, competition.classes) if hook else submission_table(competition, ids, proba)
    if not hook and header:
        table = table[list(header)]
    with complete_file(path) as temporary:
        table.to_csv(temporary, index=False)


def submission_table(competition: Competition, ids: np.ndarray, proba: np.ndarray) -> Any:
    """Rows (id, prediction) as competition.toml's [submission] describes them; proba float (n, C)."""
    import pandas as pd

    spec = competition.submission
    if spec.one_probability:
        return pd.DataFrame({spec.id: ids, spec.target: proba[:, 1]})
    if spec.value == "probability":
        return pd.DataFrame({spec.id: ids} | {c: proba[:, i] for i, c in enumerate(competition.classes)})
    index = argmax_rows(proba)
    values = index if spec.value == "index" else np.array(competition.classes)[index]
    return pd.DataFrame({spec.id: ids, spec.target: values})
