"""The submission file: a blend's test probabilities, aligned by id to what the platform asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition, Samples
from harness.competition.metrics import argmax_rows
from harness.competition.scoring.ranking import top_classes
from harness.competition.scoring.registry import find_metric
from harness.competition.tasks.threshold import moved
from harness.cv.scores import is_custom
from harness.data.cache import Dataset
from harness.data.rows.sample_submission import read_submission_header, read_submission_ids
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
    return dataset.test.answered


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
    test: Samples | None = None,
) -> None:
    """Write the CSV of the rows `ids`, in their order; with a threshold the second class is said from it on.

    Answers are by the task's decision, and probabilities scaled by it, found on all OOF rows of the blend, where it has one.

    header : the columns in the platform's order, where there is a sample submission

    Raises
    ------
    UserError
        If the blend lacks an id, or the file cannot be written.
    """
    where, outputs = f"test predictions of {blend.name}", told_outputs(competition, blend)
    if test is not None and test.rows is not None:
        by_image = rows_of_table(outputs, align_rows(blend.test_ids, test.ids, where))
        names, proba = averaged(test.rows, np.asarray(by_image))
        proba = proba[align_rows(names, ids, where)]
    else:
        proba = rows_of_table(outputs, align_rows(blend.test_ids, ids, where))
    proba = decided(competition, blend, proba if threshold is None else moved(proba, threshold))
    proba = clipped(competition, proba)
    hook = competition.hook("to_submission")
    table = hook(ids, proba, competition.classes) if hook else submission_table(competition, ids, proba)
    if not hook and header:
        table = table[list(header)]
    with complete_file(path) as temporary:
        table.to_csv(temporary, index=False)


def averaged(rows: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names of the rows that images share, and the mean of their images' outputs float (rows, C)."""
    names, of_image = np.unique(rows, return_inverse=True)
    total = np.zeros((len(names), outputs.shape[1]))
    np.add.at(total, of_image, outputs)
    return names, total / np.bincount(of_image)[:, None]


ANSWERS = ("class", "index", "labels", "onehot")
"""Values of [submission] that are answers, so that a decision counts; the others are the outputs themselves."""


def told_outputs(competition: Competition, blend: Blend) -> np.ndarray:
    """Test outputs (n_test, C) as they are sent: probabilities scaled by the decision; where answers are sent, as they are."""
    answers = competition.submission.value in ANSWERS and not competition.hook("to_submission")
    return blend.test if answers else blend.scaled_test(competition.kind)


def clipped(competition: Competition, outputs: np.ndarray) -> np.ndarray:
    """Outputs as they are, but probabilities that the log loss counts as a least one (its `eps`) are that, and their row sums to one.

    The platform's own clipping (Kaggle's at 1e-15) then changes nothing: it scores what OOF was scored by.
    """
    if competition.submission.value != "probability" or is_custom(competition.metric):
        return outputs
    judged = find_metric(competition.metric, competition.kind.of).of_probabilities
    if judged is None or not judged.eps:
        return outputs
    out = np.array(outputs)
    most = 1.0 if competition.kind.is_one_class else 1 - judged.eps
    rows = ((out < judged.eps) | (out > most)).any(axis=1)
    some = np.clip(out[rows].astype(np.float64), judged.eps, most)
    out[rows] = some / some.sum(axis=1, keepdims=True) if competition.kind.is_one_class else some
    return out


def decided(competition: Competition, blend: Blend, outputs: np.ndarray) -> np.ndarray:
    """Outputs whose simple answer is what the task's decision makes of them, where answers are sent; else as they are."""
    task, told = competition.kind, blend.scores.get("decision")
    if competition.submission.value not in ANSWERS or not task.decides:
        return outputs
    return task.decide(outputs, told["values"]) if told and "values" in told else task.plain(outputs)


def submission_table(competition: Competition, ids: np.ndarray, outputs: np.ndarray) -> Any:
    """Rows (id, prediction) as competition.toml's [submission] describes them; outputs float (n, C)."""
    import pandas as pd

    spec, names = competition.submission, np.array(competition.classes)
    columns = spec.columns(competition.classes)
    values: list[np.ndarray | list[str]]
    if spec.value == "probability" and spec.one_probability:
        values = [outputs[:, -1]]
    elif spec.value in ("probability", "number"):
        values = list(outputs.T)
    elif spec.value == "onehot":
        values = list(_zero_or_one(competition, outputs).T)
    elif spec.value == "labels":
        values = [_named(competition, outputs, names)]
    elif spec.value == "ranked":
        values = [[spec.separator.join(names[row]) for row in top_classes(outputs, spec.k)]]
    elif spec.value == "confident":
        best = argmax_rows(outputs)
        sure = np.asarray(outputs)[np.arange(len(best)), best]
        values = [[f"{name}{spec.separator}{p:.6f}" for name, p in zip(names[best], sure, strict=True)]]
    else:
        index = argmax_rows(outputs)
        values = [index if spec.value == "index" else names[index]]
    return pd.DataFrame({spec.id: ids} | dict(zip(columns, values, strict=True)))


def _zero_or_one(competition: Competition, outputs: np.ndarray) -> np.ndarray:
    if not competition.kind.is_one_class:
        return (np.asarray(outputs) >= 0.5).astype(np.int64)
    return np.eye(outputs.shape[1], dtype=np.int64)[argmax_rows(outputs)]


def _named(competition: Competition, outputs: np.ndarray, names: np.ndarray) -> list[str]:
    """Names of each row's labels in one cell; where there is none, as submission.empty says."""
    spec, said = competition.submission, np.asarray(outputs) >= 0.5
    if spec.empty == "likeliest":
        none = np.flatnonzero(~said.any(axis=1))
        said[none, np.asarray(outputs)[none].argmax(axis=1)] = True
    return [spec.separator.join(names[row]) for row in said]
