"""A bundle of a run: built, tried as the platform would, held against the harness's own answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.untrusted_text import counted
from harness.competition import Competition
from harness.competition.recipe import BOOSTING
from harness.data.cache import Dataset
from harness.oof.ensemble.blend import scores_now
from harness.oof.forecast.track_record import Past
from harness.runs import Run, RunFolder
from harness.submit.arguments import BundleOptions
from harness.submit.bundle.answers import Answering
from harness.submit.bundle.backends import Opened
from harness.submit.bundle.trial import Trial
from harness.submit.prepare.blend import asked_threshold, score_at_threshold
from harness.submit.prepare.prepared import Prepared, intent_of

_TRIED = 128  # images of the trial


@dataclass(frozen=True)
class Bundled:
    """A run's bundle that was built and tried.

    Attributes
    ----------
    path : of the zip; lines : how the trial went
    opened : the networks that it was made of; dataset : decoded as they want it, given : as it was opened
    """

    run: Run
    path: Path
    answering: Answering
    trial: Trial
    lines: list[str]
    opened: Opened
    dataset: Dataset
    given: Dataset


def prepare_bundle(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    options: BundleOptions,
    threshold: str | None,
    message: str | None,
    past: Sequence[Past],
) -> tuple[Prepared, list[str]]:
    """Build submissions/<slug>/<run>.zip of a run, try it as the platform would, and hold its answers against our own.

    Returns what would be sent, and lines on how the trial went.

    Raises
    ------
    UserError
        If there is not just one run, a limit is passed, the trial fails, or answers differ where nothing is level.
    """
    bundled = bundle_run(competition, dataset, runs, out, options, threshold)
    return prepared_of(bundled, bundled.path, competition, threshold, message, past), bundled.lines


def prepared_of(
    bundled: Bundled,
    path: Path,
    competition: Competition,
    threshold: str | None,
    message: str | None,
    past: Sequence[Past],
) -> Prepared:
    """What would be sent of a bundle, as the file at `path`."""
    from harness.oof.forecast.runs import forecast_runs

    run, answering = bundled.run, bundled.answering
    scores = answering.scores
    main = scores["metrics"][scores["metric"]]
    plain = answering.threshold is None
    told = main if plain else score_at_threshold(threshold, scores)
    forecast = forecast_runs(competition, [run], bundled.given, past).found
    said = message or f"{run.name}: OOF {scores['metric']} {main['pooled']:.5f}"
    intent = intent_of(competition, path, 0, run.name, (run.name,), said, told, forecast if plain else None)
    printed = bundled.trial.printed
    warnings = [f"it prints to stdout: '{printed}'"] if printed else []
    if competition.hook("to_submission"):
        warnings.append(
            f"competition.py's to_submission writes files alone: the bundle answers by [submission] value = '{competition.submission.value}'"
        )
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    return Prepared(intent, bundled.given.source, oof, forecast, answering.threshold, {}, warnings)


def bundle_run(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    options: BundleOptions,
    threshold: str | None,
) -> Bundled:
    """Build submissions/<slug>/<run>.zip of a run, and try it.

    Raises
    ------
    UserError
        As `prepare_bundle`.
    """
    from harness.submit.bundle.build import check_bundled

    _refuse_rows_at_once(competition, dataset, options.asked)
    if len(runs) != 1:
        raise UserError(f"{options.asked}: holds the folds of one run, not of {len(runs)}")
    if runs[0].environment.get("columns") or runs[0].recipe.model.name == BOOSTING:
        raise UserError(
            f"{options.asked}: run '{runs[0].name}' takes columns beside the images, and a bundle is given images alone. Send a file or a notebook, or "
            "bundle a run without them: --set data.columns=false"
        )
    run, path = runs[0], out / "submissions" / competition.slug / f"{runs[0].name}.zip"
    check_bundled(run)
    scores = scores_now(run, competition)
    answering = Answering(competition, run, scores, asked_threshold(threshold, scores, competition))
    path.parent.mkdir(parents=True, exist_ok=True)
    return _built_and_tried(answering, dataset, path, options)


def _refuse_rows_at_once(competition: Competition, dataset: Dataset, asked: str) -> None:
    """A bundle answers image by image; some competitions' answers are of several images, or of all."""
    told = f"{asked}: its model.py answers image by image, and"
    if competition.is_clustering:
        raise UserError(
            f"{told} the clusters of '{competition.slug}' are of all rows at once. Send the file: leave {asked} out"
        )
    rows = competition.submission.rows
    if rows is not None or (dataset.test is not None and dataset.test.rows is not None):
        named = f"[submission] rows = '{rows}'" if rows is not None else "by competition.py"
        raise UserError(
            f"{told} a row of the submission is the mean of several images here ({named}). Send the file: leave {asked} out; where the "
            "platform wants one answer per image, leave `rows` out of competition.toml"
        )


def _built_and_tried(answering: Answering, given: Dataset, path: Path, options: BundleOptions) -> Bundled:
    from harness.submit.bundle.backends import BACKENDS, check_backend
    from harness.submit.bundle.build import build_bundle, predict_opened
    from harness.submit.bundle.trial import try_bundle

    check_backend(options.backend)
    backend, competition, run = BACKENDS[options.backend], answering.competition, answering.run
    dataset = _as_decoded_for(run, competition, given)
    opened = build_bundle(answering, dataset, path, options.half, options.backend)
    _compare_with_stored(run, opened, dataset)
    size = path.stat().st_size / 2**20
    if options.size_mib is not None and size > options.size_mib:
        cure = "" if options.half else "; --half makes it about half as large"
        raise UserError(f"{path}: {size:.1f} MiB, more than the limit of {options.size_mib:g} MiB{cure}")
    samples = dataset.test or dataset.train
    pixels = np.stack([samples.images[row] for row in range(min(len(samples), _TRIED))])
    seconds = options.limit
    trial = try_bundle(path, pixels, answering.form, seconds, options.memory_gib, backend.lacks)
    folds = predict_opened(opened, pixels, run.recipe.train.seeds)
    _refuse_differences(path, trial.answers, folds, answering, samples.ids, options.half)
    lines = [
        f"trial:    {counted(len(pixels), 'image')}, the same answers as the harness ({trial.isolated}, without {', '.join(backend.lacks)}); "
        f"{trial.load:.1f} s to load, {1000 * trial.seconds_per_image:.1f} ms an image, {trial.peak_gib:.2f} GiB: "
        f"{counted(trial.images_within(seconds), 'image')} in {seconds:.0f} s on a machine like this",
        f"bundle:   {size:.1f} MiB, needs {', '.join(backend.needs)}",
    ]
    return Bundled(run, path, answering, trial, lines, opened, dataset, given)


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
        [said] = predict_opened(dataclasses.replace(opened, states=states), pixels, len(states))
        stored, task = np.asarray(run.oof[rows], dtype=np.float64), run.task
        apart = np.abs(said - stored) / task.units(run.labels)
        firm = task.firmly_apart(said, stored, _FIRM, run.labels)
        if not np.isfinite(said).all() or firm.any() or apart.mean() > _APART:
            raise UserError(
                f"run '{run.name}': fold {fold}'s weights do not predict what the run has stored (mean difference "
                f"{apart.mean():.3f} over {counted(len(rows), 'row')}); no bundle is made of them. {RunFolder(run.path).cure()}"
            )


def _refuse_differences(
    path: Path, said: np.ndarray, folds: list[np.ndarray], answering: Answering, ids: np.ndarray, half: bool
) -> None:
    """Answers may differ where it is level for us which one is right; nowhere else."""
    apart = answering.apart(said, folds, 0.02 if half else 1e-3)
    if len(apart):
        first, ours = apart[0], answering.of(folds)
        raise UserError(
            f"{path}: predicts {said[first]} for image '{ids[first]}', the harness {ours[first]} ({len(apart)} of {len(said)} differ); it is "
            "not sent"
        )
