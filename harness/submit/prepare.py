"""What would be sent: a blend of runs or a ready file, written, checked, forecast and described."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.files import complete_file
from harness.clean.verdicts import apply_verdicts, clean_folder
from harness.competition import Competition
from harness.competition.threshold import moved
from harness.cv.prepare import git_commit
from harness.data.cache import Dataset
from harness.ledger import Intent
from harness.oof.ensemble import Blend, best_runs, check_same_data, mean_of_probabilities
from harness.runs import Run, load_run
from harness.submit.platform import place_of
from harness.submit.preflight import check_submission, labels_hash, read_ready_file
from harness.submit.submission import wanted_ids, write_submission

if TYPE_CHECKING:
    from harness.oof.forecast import Forecast
    from harness.oof.history import Past


@dataclass(frozen=True)
class Prepared:
    """A checked file and what is known of it.

    Attributes
    ----------
    intent : what the ledger gets
    data : where the data came from
    oof : {"pooled", "low", "high"}; None for a file from elsewhere
    forecast : None for a file from elsewhere
    threshold : decision threshold, None where the larger probability decides
    shares : {class: {"oof", "test"}}; empty for a file from elsewhere
    warnings : what is odd but no reason to refuse
    """

    intent: Intent
    data: str
    oof: dict[str, float] | None
    forecast: Forecast | None
    threshold: float | None
    shares: dict[str, dict[str, float]]
    warnings: list[str]

    def summary(self) -> dict[str, Any]:
        """For --json."""
        i = self.intent
        return {
            "competition": i.competition,
            "platform": i.platform,
            "members": list(i.members),
            "data": self.data,
            "file": i.file,
            "rows": i.rows,
            "sha256": i.sha256,
            "message": i.message,
            "metric": i.metric,
            "oof": self.oof,
            "threshold": self.threshold,
            "shares": self.shares,
            "warnings": self.warnings,
            "forecast": self.forecast.summary() if self.forecast else None,
        }


def prepare_blend(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    threshold: str | None,
    message: str | None,
    past: Sequence[Past],
) -> Prepared:
    """Blend runs, write submissions/<slug>/<name>.csv aligned by id, check and forecast it.

    Raises
    ------
    UserError
        If the runs do not fit, or the file does not pass its checks (all that is wrong at once).
    """
    from harness.oof.forecast_runs import forecast_runs  # it imports torch, which a ready file can do without

    blend = mean_of_probabilities(runs, competition)
    path, ids = out / "submissions" / competition.slug / f"{blend.name}.csv", wanted_ids(competition, dataset)
    decision = _threshold(threshold, blend, competition)
    write_submission(competition, blend, ids, path, decision)
    _refuse_problems(path, competition, ids, dataset)
    forecast = forecast_runs(competition, runs, dataset, past).found
    main = blend.scores["metrics"][blend.scores["metric"]]
    said = message or f"{blend.name}: OOF {blend.scores['metric']} {main['pooled']:.5f}"
    shares = _shares(blend, competition.classes, decision)
    told = main if decision is None else _at_threshold(threshold, blend)
    intent = _intent(
        competition, path, ids, blend.name, blend.members, said, told, forecast if decision is None else None
    )
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    return Prepared(intent, dataset.source, oof, forecast, decision, shares, _drift(shares, len(ids)))


def prepare_file(competition: Competition, dataset: Dataset, file: Path, out: Path, message: str | None) -> Prepared:
    """Check a ready file; its rows are put into the platform's order in a copy below submissions/<slug>/.

    Raises
    ------
    UserError
        If it cannot be read or does not pass its checks.
    """
    ids, path = wanted_ids(competition, dataset), out / "submissions" / competition.slug / f"file-{file.stem}.csv"
    table = read_ready_file(file, competition, ids)
    with complete_file(path) as temporary:
        table.to_csv(temporary, index=False)
    _refuse_problems(path, competition, ids, dataset)
    intent = _intent(competition, path, ids, path.stem, (), message or f"file {file.name}", None, None)
    return Prepared(intent, dataset.source, None, None, None, {}, [])


def prepare_bundle(
    competition: Competition,
    dataset: Dataset,
    runs: Sequence[Run],
    out: Path,
    half: bool,
    seconds: float,
    message: str | None,
    past: Sequence[Past],
) -> tuple[Prepared, list[str]]:
    """Build submissions/<slug>/<run>.zip of a run, try it as the platform would, and hold its labels against our own.

    Returns what would be sent, and lines on how the trial went.

    Raises
    ------
    UserError
        If there is not just one run, the trial fails, or the labels differ where classes are not level.
    """
    from harness.oof.forecast_runs import forecast_runs
    from harness.submit.bundle.build import NEEDS, build_bundle, predict_opened
    from harness.submit.bundle.trial import try_bundle

    if len(runs) != 1:
        raise UserError(f"--bundle: holds the folds of one run, not of {len(runs)}")
    run, path = runs[0], out / "submissions" / competition.slug / f"{runs[0].name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = build_bundle(competition, run, dataset, path, half)
    samples = dataset.test or dataset.train
    pixels = np.stack([samples.images[row] for row in range(min(len(samples), _TRIED))])
    trial = try_bundle(path, pixels, len(competition.classes), seconds, None)
    ours = predict_opened(opened, pixels, run.recipe.predict.across_folds == "vote")
    differs = np.flatnonzero(trial.labels != ours.argmax(axis=1))
    two = np.partition(ours, -2, axis=1)
    firm = differs[two[differs, -1] - two[differs, -2] > (0.02 if half else 1e-3)]
    if len(firm):
        raise UserError(
            f"{path}: says {trial.labels[firm[0]]} for picture '{samples.ids[firm[0]]}', the harness says "
            f"{ours[firm[0]].argmax()} ({len(firm)} of {len(pixels)} differ); it is not sent"
        )
    main = run.scores["metrics"][run.scores["metric"]]
    forecast = forecast_runs(competition, runs, dataset, past).found
    said = message or f"{run.name}: OOF {run.scores['metric']} {main['pooled']:.5f}"
    intent = _intent(competition, path, np.zeros(0), run.name, (run.name,), said, main, forecast)
    warnings = [f"it prints to stdout: '{trial.printed}'"] if trial.printed else []
    lines = [
        f"trial:    {len(pixels)} pictures, labels as the harness says ({trial.isolated}); {trial.load:.1f} s to load, "
        f"{1000 * trial.seconds_per_image:.1f} ms a picture, {trial.peak_gib:.2f} GiB: {trial.images_within(seconds):,} "
        f"pictures in {seconds:.0f} s on a machine like this",
        f"bundle:   {path.stat().st_size / 2**20:.1f} MiB, needs {', '.join(NEEDS)}",
    ]
    oof = {k: main[k] for k in ("pooled", "low", "high")}
    return Prepared(intent, dataset.source, oof, forecast, None, {}, warnings), lines


_TRIED = 128  # pictures of the trial


def chosen_runs(
    competition: Competition, dataset: Dataset, named: Sequence[Run], best: int, out: Path
) -> Sequence[Run]:
    """The named runs, or the best by OOF among the finished runs on this data.

    Raises
    ------
    UserError
        If a named run is of other data, or there is no run.
    """
    if named:
        for run in named:
            check_same_data(run, dataset)
        return named
    verdicts = clean_folder(out, competition, dataset.is_sample) / "clean.csv"
    cleaned = apply_verdicts(verdicts, dataset.train, competition.classes).digest if verdicts.is_file() else ""
    fitting = best_runs(out, competition, dataset.fingerprint, cleaned)
    if not fitting:
        by = f" by the verdicts of {verdicts}" if cleaned else ""
        raise UserError(
            f"no finished run of '{competition.slug}' on this data{by} in {out / 'oof' / competition.slug}. Train one: "
            f"python -m harness.cv {competition.slug}{' --sample' if dataset.is_sample else ''}"
        )
    return [load_run(path) for path in fitting[:best]]


def _refuse_problems(path: Path, competition: Competition, ids: np.ndarray, dataset: Dataset) -> None:
    problems = check_submission(path, competition, ids, dataset.submission)
    if problems:
        raise UserError("\n  ".join([f"{path} does not pass its checks; it is not sent:", *problems]))


def _intent(
    competition: Competition,
    path: Path,
    ids: np.ndarray,
    name: str,
    members: Sequence[str],
    said: str,
    main: dict[str, Any] | None,
    forecast: Forecast | None,
) -> Intent:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tag = f"[{digest[:12]}-{secrets.token_hex(3)}]"  # told apart from the same file sent again by force
    return Intent(
        competition=competition.slug,
        platform=place_of(competition),
        run=name,
        members=tuple(members),
        file=str(path.resolve()),
        sha256=digest,
        labels=digest if path.suffix == ".zip" else labels_hash(path),
        rows=len(ids),
        message=f"{said} {tag}",
        tag=tag,
        metric=competition.metric,
        cv=main["pooled"] if main else None,
        cv_low=main["low"] if main else None,
        cv_high=main["high"] if main else None,
        forecast=forecast.summary() if forecast else None,
        git_commit=git_commit(),
    )


def _threshold(asked: str | None, blend: Blend, competition: Competition) -> float | None:
    """The decision threshold that was asked for; None where the larger probability decides."""
    if asked is None:
        return None
    if len(competition.classes) != 2:
        raise UserError(f"--threshold {asked}: is for two classes; '{competition.slug}' has {len(competition.classes)}")
    if asked == "oof":
        found = blend.scores["threshold"]
        if found is None:
            raise UserError(f"--threshold oof: metric '{competition.metric}' needs none, or too few folds were trained")
        return found["value"]
    try:
        value = float(asked)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise UserError(f"--threshold {asked}: give a probability between 0 and 1, or 'oof'")
    return value


def _at_threshold(asked: str | None, blend: Blend) -> dict[str, Any] | None:
    """The score that the ledger holds against the leaderboard's: cross-fitted for 'oof', not known for one's own number."""
    if asked != "oof":
        return None
    return blend.scores["threshold"]["scores"].get(blend.scores["metric"])


def _shares(blend: Blend, classes: tuple[str, ...], threshold: float | None) -> dict[str, dict[str, float]]:
    def shares(proba: np.ndarray) -> np.ndarray:
        proba = proba if threshold is None else moved(proba, threshold)
        return np.bincount(proba.argmax(axis=1), minlength=len(classes)) / len(proba)

    oof, test = shares(blend.oof[blend.kept]), shares(blend.test)
    return {name: {"oof": float(oof[i]), "test": float(test[i])} for i, name in enumerate(classes)}


def _drift(shares: dict[str, dict[str, float]], n: int) -> list[str]:
    """Classes that are predicted far more or less often in the test than on OOF: beyond chance and by two points."""
    found = []
    for name, share in shares.items():
        chance = np.sqrt(max(share["oof"] * (1 - share["oof"]), 1e-4) / n)
        if abs(share["test"] - share["oof"]) > max(4 * chance, 0.02):
            found.append(
                f"'{name}' is predicted for {100 * share['test']:.1f} % of the test, {100 * share['oof']:.1f} % of OOF: "
                "the test has other shares, or the model sees it otherwise"
            )
    return found
