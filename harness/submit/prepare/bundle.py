"""A bundle of a run: built, tried as the platform would, held against the harness's own labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition
from harness.competition.recipe import BOOSTING
from harness.data.cache import Dataset
from harness.oof.forecast.track_record import Past
from harness.runs import Run, RunFolder
from harness.submit.arguments import BundleOptions
from harness.submit.bundle.backends import Opened
from harness.submit.bundle.trial import Trial
from harness.submit.prepare.prepared import Prepared, intent_of

_TRIED = 128  # images of the trial


def prepare_bundle(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    options: BundleOptions,
    message: str | None,
    past: Sequence[Past],
) -> tuple[Prepared, list[str]]:
    """Build submissions/<slug>/<run>.zip of a run, try it as the platform would, and hold its labels against our own.

    Returns what would be sent, and lines on how the trial went.

    Raises
    ------
    UserError
        If there is not just one run, a limit is passed, the trial fails, or labels differ where classes are not level.
    """
    from harness.oof.forecast.runs import forecast_runs

    if competition.task not in ("single", "binary"):
        raise UserError(
            f"--bundle: its model.py predicts one of several classes; task = '{competition.task}' is {competition.kind.what}. Send a file, or "
            "a notebook (--notebook)"
        )
    if len(runs) != 1:
        raise UserError(f"--bundle: holds the folds of one run, not of {len(runs)}")
    if runs[0].environment.get("columns") or runs[0].recipe.model.name == BOOSTING:
        raise UserError(
            f"--bundle: run '{runs[0].name}' takes columns beside the images, and a bundle is given images alone. Send a file or a notebook, or "
            "bundle a run without them: --set data.columns=false"
        )
    run, path = runs[0], out / "submissions" / competition.slug / f"{runs[0].name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    trial, tried = _built_and_tried(competition, dataset, run, path, options)
    main = run.scores["metrics"][run.scores["metric"]]
    forecast = forecast_runs(competition, runs, dataset, past).found
    said = message or f"{run.name}: OOF {run.scores['metric']} {main['pooled']:.5f}"
    intent = intent_of(competition, path, 0, run.name, (run.name,), said, main, forecast)
    warnings = [f"it prints to stdout: '{trial.printed}'"] if trial.printed else []
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    return Prepared(intent, dataset.source, oof, forecast, None, {}, warnings), tried


def _built_and_tried(
    competition: Competition, dataset: Dataset, run: Run, path: Path, options: BundleOptions
) -> tuple[Trial, list[str]]:
    from harness.submit.bundle.backends import BACKENDS
    from harness.submit.bundle.build import build_bundle, predict_opened
    from harness.submit.bundle.trial import try_bundle

    if options.backend not in BACKENDS:
        raise UserError(f"--backend {options.backend}: unknown; known: {', '.join(BACKENDS)}")
    backend = BACKENDS[options.backend]
    dataset = _as_decoded_for(run, competition, dataset)
    opened = build_bundle(competition, run, dataset, path, options.half, options.backend)
    _compare_with_stored(run, opened, dataset)
    size = path.stat().st_size / 2**20
    if options.size_mib is not None and size > options.size_mib:
        cure = "" if options.half else "; --half makes it about half as large"
        raise UserError(f"{path}: {size:.1f} MiB, more than the limit of {options.size_mib:g} MiB{cure}")
    samples = dataset.test or dataset.train
    pixels = np.stack([samples.images[row] for row in range(min(len(samples), _TRIED))])
    seconds = options.seconds
    trial = try_bundle(path, pixels, len(competition.classes), seconds, options.memory_gib, backend.lacks)
    ours = predict_opened(opened, pixels, run.recipe.predict.across_folds == "vote", run)
    _refuse_differences(path, trial.labels, ours, samples.ids, options.half)
    return trial, [
        f"trial:    {len(pixels)} images, the same labels as the harness ({trial.isolated}, without {', '.join(backend.lacks)}); "
        f"{trial.load:.1f} s to load, {1000 * trial.seconds_per_image:.1f} ms an image, {trial.peak_gib:.2f} GiB: "
        f"{trial.images_within(seconds):,} images in {seconds:.0f} s on a machine like this",
        f"bundle:   {size:.1f} MiB, needs {', '.join(backend.needs)}",
    ]


def _as_decoded_for(run: Run, competition: Competition, dataset: Dataset) -> Dataset:
    """The data as they were decoded for a run: at the competition's size, brought to it in the run's way."""
    from harness.data.resize import open_resized, resize

    resize(dataset, run.recipe.data)  # nothing, where it stands
    return open_resized(competition, dataset.cache, run.recipe.data.model_copy(update={"size": None}))[1]


_ROWS_PER_FOLD, _FIRM, _APART = 24, 0.3, 0.05


def _compare_with_stored(run: Run, opened: Opened, dataset: Dataset) -> None:
    """The weights must say what the run's stored predictions say: each fold's, of rows that it was judged on.

    Raises
    ------
    UserError
        If they do not (weights and predictions are of two trainings, or one is damaged).
    """
    from harness.submit.bundle.build import predict_opened

    for fold in range(run.folds.k):
        rows = run.folds.valid_rows(fold)[:_ROWS_PER_FOLD]
        states = {n: s for n, s in opened.states.items() if n == f"fold-{fold}" or n.startswith(f"fold-{fold}-")}
        pixels = np.stack([dataset.train.images[row] for row in rows])
        said, stored = predict_opened(dataclasses.replace(opened, states=states), pixels, vote=False), run.oof[rows]
        two = np.partition(stored, -2, axis=1)
        firm = (said.argmax(axis=1) != stored.argmax(axis=1)) & (two[:, -1] - two[:, -2] > _FIRM)
        if not np.isfinite(said).all() or firm.any() or np.abs(said - stored).mean() > _APART:
            raise UserError(
                f"run '{run.name}': fold {fold}'s weights do not predict what the run has stored (mean difference "
                f"{np.abs(said - stored).mean():.3f} over {len(rows)} rows); no bundle is made of them. {RunFolder(run.path).cure()}"
            )


def _refuse_differences(path: Path, said: np.ndarray, ours: np.ndarray, ids: np.ndarray, half: bool) -> None:
    """Labels may differ where two classes are level for us; nowhere else."""
    differs = np.flatnonzero(said != ours.argmax(axis=1))
    two = np.partition(ours, -2, axis=1)
    firm = differs[two[differs, -1] - two[differs, -2] > (0.02 if half else 1e-3)]
    if len(firm):
        raise UserError(
            f"{path}: predicts {said[firm[0]]} for image '{ids[firm[0]]}', the harness {ours[firm[0]].argmax()} "
            f"({len(firm)} of {len(said)} differ); it is not sent"
        )
