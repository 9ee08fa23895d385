"""The clusters of a run: of the test images where there are any, else of the images themselves, out of fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.oof.ensemble.blend import Blend
from harness.runs import Run
from harness.runs.cure import finish
from harness.submit.prepare.prepared import Prepared, intent_of, refuse_problems
from harness.submit.submission import wanted_form, wanted_ids, write_submission


def prepare_clusters(
    competition: Competition, dataset: Dataset, runs: Sequence[Run], out: Path, message: str | None
) -> Prepared:
    """Write submissions/<slug>/<run>.csv with an image and its cluster in each row, and check it; nothing is forecast.

    Raises
    ------
    UserError
        If there is not just one run, it is partial, or it says nothing of the test images.
    """
    if len(runs) != 1:
        raise UserError(
            f"--run: clusters of {len(runs)} runs cannot be blended; harness.oof ensemble finds their consensus"
        )
    run = runs[0]
    if not run.complete:
        raise UserError(f"run '{run.name}' is partial. {finish(run.path)}")
    named = competition.model_copy(update={"classes": tuple(run.classes)})
    blend, ids = _blend(run, dataset), _wanted(named, dataset)
    path = out / "submissions" / competition.slug / f"{run.name}.csv"
    write_submission(named, blend, ids, path, form=wanted_form(named, dataset))
    refuse_problems(path, named, ids, dataset)
    main = run.scores["metrics"][run.scores["metric"]]
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    said = message or f"{run.name}: {run.scores['metric']} {main['pooled']:.5f}"
    intent = intent_of(named, path, len(ids), run.name, (run.name,), said, main, None)
    intent = dataclasses.replace(intent, metric=run.scores["metric"])  # without labels not the competition's
    return Prepared(intent, dataset.source, oof, None, None, _shares(named, blend), [])


def _wanted(competition: Competition, dataset: Dataset) -> np.ndarray:
    if dataset.test is None and dataset.submission is None:
        return dataset.train.ids
    return wanted_ids(competition, dataset)


def _blend(run: Run, dataset: Dataset) -> Blend:
    """The run's predictions in the form that submissions are written from."""
    of_test = dataset.test is not None
    if of_test and run.test is None:
        raise UserError(
            f"run '{run.name}' reads captions, which the test images have not: take one that looks at images"
        )
    test_ids, test = (run.test_ids, run.test) if of_test else (run.folds.ids, run.oof)
    assert test_ids is not None and test is not None
    return Blend(
        name=run.name,
        members=(run.name,),
        oof=run.oof,
        kept=run.folds.kept,
        test_ids=test_ids,
        test=test,
        scores=run.scores,
    )


def _shares(competition: Competition, blend: Blend) -> dict[str, dict[str, float]]:
    k = len(competition.classes)
    oof = np.bincount(blend.oof[blend.kept].argmax(axis=1), minlength=k) / blend.kept.sum()
    test = np.bincount(blend.test.argmax(axis=1), minlength=k) / len(blend.test)
    return {name: {"oof": float(oof[i]), "test": float(test[i])} for i, name in enumerate(competition.classes)}
