"""The submission file: a blend's test probabilities, aligned by id to what the platform asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.competition import Competition, Samples
from harness.competition.metrics import argmax_rows
from harness.competition.scoring.ranking import top_classes
from harness.competition.scoring.registry import find_metric
from harness.competition.tasks.answering import clipped_to, moved
from harness.competition.tasks.task import middle_cuts
from harness.cv.scores import is_custom
from harness.data.cache import Dataset
from harness.data.rows.sample_submission import (
    Form,
    read_asked,
    read_submission_header,
    read_submission_ids,
    sample_separator,
)
from harness.oof.ensemble.blend import Blend
from harness.runs.align import align_rows
from harness.runs.probability_tables import rows_of_table


def wanted_ids(competition: Competition, dataset: Dataset) -> np.ndarray:
    """Ids (n,) str in the order of the sample submission, of one in long format the images'; without one, the test ids in the data's order."""
    if dataset.submission is not None:
        return read_submission_ids(
            competition, dataset.submission, competition.submission.sample or "sample submission"
        )
    if dataset.test is None:
        raise UserError(
            f"the test of '{competition.slug}' is hidden: there are no rows to write or to check a file against. To send code: "
            f"{code_option(competition)}"
        )
    return dataset.test.answered


def code_option(competition: Competition) -> str:
    """The option by which a competition with a hidden test gets code: of Kaggle a notebook, elsewhere a bundle."""
    return "--code" if competition.platform == "kaggle" else "--bundle"


def wanted_form(competition: Competition, dataset: Dataset) -> Form:
    """Columns, separator and rows of the sample submission, where there is one.

    Raises
    ------
    UserError
        If it is not as [submission] says, or not there where it alone says which rows are asked for.
    """
    if dataset.submission is None:
        if competition.submission.long is not None:
            raise UserError(
                f"{competition.submission.sample}: is not there, and submission.long needs it: it says which rows are asked for. Download it."
            )
        return Form()
    shown = competition.submission.sample or "sample submission"
    header = read_submission_header(competition, dataset.submission, shown)
    asked = read_asked(competition, dataset.submission, shown)
    return Form(header, sample_separator(dataset.submission), asked, competition.submission.id)


def write_submission(
    competition: Competition,
    blend: Blend,
    ids: np.ndarray,
    path: Path,
    threshold: float | None = None,
    form: Form = Form(),
    test: Samples | None = None,
) -> None:
    """Write the CSV of the rows `ids`, in their order; with a threshold the second class is said from it on.

    Answers are by the task's decision, and probabilities scaled by it, found on all OOF rows of the blend, where it has one.

    form : of the platform's sample submission, where there is one; what `to_submission` returns keeps its columns

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
    proba = sent_outputs(competition, blend, proba, threshold)
    hook = competition.hook("to_submission")
    table = hook(ids, proba, competition.classes) if hook else submission_table(competition, ids, proba)
    form = Form(separator=form.separator) if hook else form
    with complete_file(path) as temporary:
        temporary.write_text(form.text(table), encoding="utf-8", newline="")


def averaged(rows: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names of the rows that images share, and the mean of their images' outputs float (rows, C)."""
    names, of_image = np.unique(rows, return_inverse=True)
    total = np.zeros((len(names), outputs.shape[1]))
    np.add.at(total, of_image, outputs)
    return names, total / np.bincount(of_image)[:, None]


ANSWERS = ("class", "index", "labels", "onehot")
"""Values of [submission] that are answers, so that a decision counts; the others are the outputs themselves."""


def sends_answers(competition: Competition) -> bool:
    """Whether answers are sent, so that probabilities are not scaled before."""
    return competition.submission.value in ANSWERS and not competition.hook("to_submission")


def told_outputs(competition: Competition, blend: Blend) -> np.ndarray:
    """Test outputs (n_test, C) as they are sent: probabilities scaled by the decision; where answers are sent, as they are."""
    return blend.test if sends_answers(competition) else blend.scaled_test(competition.kind)


def sent_outputs(competition: Competition, blend: Blend, outputs: np.ndarray, threshold: float | None) -> np.ndarray:
    """`told_outputs` of some rows as the file has them: decided where answers are sent, clipped where the metric clips."""
    moving = outputs if threshold is None else moved(outputs, threshold)
    return clipped(competition, decided(competition, blend, moving))


def clipped(competition: Competition, outputs: np.ndarray) -> np.ndarray:
    """Outputs as they are, but probabilities that the log loss counts as a least one (its `eps`) are that, and their row sums to one.

    The platform's own clipping (Kaggle's at 1e-15) then changes nothing: it scores what OOF was scored by.
    """
    eps = least_probability(competition)
    return clipped_to(outputs, eps, competition.kind.is_one_class) if eps else outputs


def least_probability(competition: Competition) -> float:
    """What the log loss counts smaller probabilities as, where they are sent and it judges; else 0."""
    if competition.submission.value != "probability" or is_custom(competition.metric):
        return 0.0
    judged = find_metric(competition.metric, competition.kind.of).of_probabilities
    return judged.eps if judged else 0.0


def decided(competition: Competition, blend: Blend, outputs: np.ndarray) -> np.ndarray:
    """Outputs whose simple answer is what the task's decision makes of them, where answers are sent; else as they are."""
    decision = sent_decision(competition, blend.scores)
    return outputs if decision is None else competition.kind.decide(outputs, decision)


def sent_decision(competition: Competition, scores: dict[str, Any]) -> list[float] | None:
    """The thresholds or cuts by which answers are sent; None where the simple answer is the answer, or outputs are sent."""
    task, told = competition.kind, scores.get("decision")
    if competition.submission.value not in ANSWERS or not task.decides:
        return None
    if told and "values" in told:
        found: list[float] = told["values"]
        return found
    return middle_cuts(len(competition.classes)) if task.ordered else None


def submission_table(competition: Competition, ids: np.ndarray, outputs: np.ndarray) -> Any:
    """Rows (id, prediction) as competition.toml's [submission] describes them; outputs float (n, C)."""
    import pandas as pd

    spec, answers = competition.submission, answer_numbers(competition, outputs)
    if spec.value != "confident":
        return answered_table(competition, ids, answers)
    names = np.array(competition.classes)[answers]
    sure = np.asarray(outputs)[np.arange(len(answers)), answers]
    told = [f"{name}{spec.separator}{p:.6f}" for name, p in zip(names, sure, strict=True)]
    return pd.DataFrame({spec.id: ids, spec.columns(competition.classes)[0]: told})


def answered_table(competition: Competition, ids: np.ndarray, answers: np.ndarray) -> Any:
    """The same of `answer_numbers`, which a bundle's model gives too; not of value = "confident", which holds probabilities beside."""
    import pandas as pd

    spec, names = competition.submission, np.array(competition.classes)
    columns = spec.answer_columns(competition.classes)
    values: list[np.ndarray | list[str]]
    if spec.value == "labels":
        values = [[spec.separator.join(names[row]) for row in answers.astype(bool)]]
    elif spec.value == "ranked":
        values = [[spec.separator.join(names[row]) for row in answers]]
    elif spec.value == "class":
        values = [names[answers]]
    else:
        values = list(answers.T) if answers.ndim == 2 else [answers]
    return pd.DataFrame({spec.id: ids} | dict(zip(columns, values, strict=True)))


def answer_numbers(competition: Competition, outputs: np.ndarray) -> np.ndarray:
    """What [submission] asks for of `sent_outputs` (n, C), in numbers; what `predict` of a bundle gives.

    Returns
    -------
    class, index, confident: class numbers int64 (n,); ranked: int64 (n, k), likeliest first; labels, onehot: 0 or 1, int64 (n, C);
    probability, number: the outputs (n, C), or (n,) of one number, or where one column holds the last class's
    """
    spec = competition.submission
    if spec.value in ("probability", "number"):
        alone = spec.one_probability or (spec.value == "number" and outputs.shape[1] == 1)
        return outputs[:, -1] if alone else np.asarray(outputs)
    if spec.value == "ranked":
        return top_classes(outputs, spec.k)
    if spec.value == "labels" or not competition.kind.is_one_class:
        return _zero_or_one(np.asarray(outputs), spec.value == "labels" and spec.empty == "likeliest")
    best = argmax_rows(outputs)
    return np.eye(outputs.shape[1], dtype=np.int64)[best] if spec.value == "onehot" else best


def _zero_or_one(outputs: np.ndarray, likeliest: bool) -> np.ndarray:
    """1 where a label is given, int64 (n, C); where none is, for the likeliest one if asked for."""
    said = outputs >= 0.5
    if likeliest:
        none = np.flatnonzero(~said.any(axis=1))
        said[none, outputs[none].argmax(axis=1)] = True
    return said.astype(np.int64)
