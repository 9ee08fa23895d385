"""The folds of a run put together: OOF and test probabilities, scores, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.competition import Competition
from harness.competition.metrics import row_pieces
from harness.competition.tasks import Task
from harness.cv.pseudo_labels import pseudo_gain
from harness.cv.scores import score_run
from harness.data.cache import Dataset
from harness.runs import FoldResult, Folds, RunFolder
from harness.runs.probability_tables import is_large, new_table
from harness.runs.run import proba_column, target_table


def finish_run(folder: RunFolder, competition: Competition, dataset: Dataset, folds: Folds) -> None:
    """Put the folds that stand together: oof.parquet, test.parquet, history.jsonl, report.html, scores.json and, last, the manifest."""
    if folder.recipe().clusters:
        from harness.cv.clustering.pipeline import finish_clusters

        finish_clusters(folder, competition, dataset, folds)
        return
    from harness.cv.report.page import write_report

    results = [folder.load_fold(fold) for fold in folder.done(folds.k)]
    proba = folder.path / "proba"
    oof = pool_oof(results, len(dataset.train), len(competition.classes), proba / "oof.npy")
    how, task = folder.recipe().predict.across_folds, competition.kind
    test = combine_folds([r.test_proba for r in results], how, proba / "test.npy", task)
    labels = dataset.train.labels
    assert labels is not None  # training rows always have labels
    columns = [proba_column(c) for c in competition.classes]
    history = [line for result in results for line in result.history]
    targets = target_table(competition.kind, competition.classes, labels)
    folder.save_tables(
        _table({"id": dataset.train.ids, **targets, "fold": folds.fold}, columns, oof),
        _table({"id": dataset.test.ids}, columns, test) if dataset.test else None,
        history,
    )
    scores = score_run(competition, labels, oof, folds, [r.fold for r in results])
    rows = folds.scored_rows([r.fold for r in results])
    scores["pseudo"] = pseudo_gain(competition, folder.recipe(), folder.path, labels, oof, rows, scores["decision"])
    scores["seconds"] = {str(r.fold): round(r.seconds, 2) for r in results}
    write_report(folder, competition, dataset, folds, oof, test, history, scores)
    folder.finish(scores)


def pool_oof(results: list[FoldResult], n: int, n_classes: int, path: Path) -> np.ndarray:
    """Out-of-fold probabilities float32 (n, C), each row by the model that did not see it; NaN where none has.

    path : of the file that a large table is put into, float16
    """
    large = is_large(n, n_classes)
    oof = new_table(path, (n, n_classes)) if large else np.empty((n, n_classes), dtype=np.float32)
    if len(results) < 2 or sum(len(r.valid_index) for r in results) < n:
        oof[:] = np.nan
    for result in results:
        for piece in row_pieces(len(result.valid_index), n_classes):
            oof[result.valid_index[piece]] = result.valid_proba[piece]
    return oof


def combine_folds(proba: list[np.ndarray], how: str, path: Path, task: Task) -> np.ndarray:
    """Test probabilities float32 (n_test, C) of the folds' models together.

    how : "mean" of probabilities, or "vote" (see `Task.vote`)
    path : of the file that a large table is put into, float16
    """
    shape = proba[0].shape
    combined = new_table(path, shape) if is_large(*shape) else np.empty(shape, dtype=np.float32)
    for piece in row_pieces(*shape):
        parts = [np.asarray(p[piece], dtype=np.float32) for p in proba]
        combined[piece] = task.vote(parts) if how == "vote" else np.mean(parts, axis=0, dtype=np.float64)
    return combined


def _table(columns: dict[str, np.ndarray], names: list[str], proba: np.ndarray) -> Any:
    import pandas as pd

    if isinstance(proba, np.memmap):  # a large table lies in its own file
        return pd.DataFrame(columns)
    return pd.DataFrame(columns | {name: proba[:, i] for i, name in enumerate(names)})
