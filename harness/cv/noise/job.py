"""The noise suite: local noisy test sets. Each fold's model predicts its own validation rows under every corruption.

noise.json holds the score by corruption and severity; noise.html shows it. A model that only fits the images of its own
camera falls here, long before a leaderboard shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.base.storage.manifest import faults, manifest_beside, sealed_file
from harness.base.untrusted_text import counted
from harness.competition import Competition, Recipe
from harness.competition.metrics import intervals
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.fold_job import FoldJob
from harness.cv.jobs.prepare import pick_devices
from harness.cv.noise.suite import Suite, noise_path, suite_stands
from harness.cv.options import Options, Watcher
from harness.cv.scores import competition_metrics
from harness.data.cache import Dataset
from harness.runs import Run, RunFolder

if TYPE_CHECKING:
    import torch

    from harness.cv.jobs.fold_job import FoldTraining
    from harness.data.files.frame import Frame
    from harness.train.prediction.predict import Predictor

SEED = 0
"""The suite's own seed: every run on the data sees the same rows, corrupted in the same way."""


@dataclass(frozen=True)
class NoiseJob:
    """Predict a fold's validation rows under every corruption, by the weights that stand; nothing, where that stands.

    Attributes
    ----------
    of : the fold, as it was trained
    rows : how many rows of the data set the suite takes; 0 = all
    """

    of: FoldJob
    rows: int

    @property
    def path(self) -> Path:
        """Where its predictions lie."""
        return noise_path(self.of.run, self.of.fold, self.rows)

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Predict the fold's rows under every corruption and save them; nothing, where they stand."""
        from harness.cv.jobs.fold_job import FoldTraining
        from harness.runs.notes.progress import NOISE, ProgressFile

        if not suite_stands(self.path):
            with ProgressFile(self.of.run, self.of.fold, NOISE, progress, self.of.together) as told:
                training = FoldTraining.open(self.of, RunFolder(self.of.run), told.progress)
                _predict_corrupted(self, training, told.progress)


def suite_rows(kept: np.ndarray, rows: int, labels: np.ndarray) -> np.ndarray:
    """The rows (int64, sorted) that the suite takes of those that are scored, every class among them where there is room for all.

    kept : bool (n,); rows : how many, 0 = all; labels : (n, ...), as `Samples` has them
    """
    order = np.random.default_rng(SEED).permutation(len(kept))
    order = order[kept[order]]
    if not 0 < rows < len(order):
        return np.sort(order)
    first = _first_of_each(labels[order])
    late, spare = first[first >= rows], np.setdiff1d(np.arange(rows), first)
    if 0 < len(late) <= len(spare):  # a metric of ranks has no value where a class has no row
        order[spare[-len(late) :]] = order[late]
    return np.sort(order[:rows])


def _first_of_each(labels: np.ndarray) -> np.ndarray:
    """Where each class, or each label's presence and absence, comes first, int64 sorted; of numbers nothing."""
    if labels.ndim == 1:
        return np.sort(np.unique(labels, return_index=True)[1])
    if not np.isin(labels, (0, 1)).all():
        return np.zeros(0, np.int64)
    return np.unique(np.concatenate([np.unique(column, return_index=True)[1] for column in labels.T]))


def suite_corruptions(channels: int) -> list[str]:
    """Names of the corruptions that change images of so many channels."""
    from harness.train.corruptions import COLOURED, CORRUPTIONS

    return [name for name in CORRUPTIONS if channels == 3 or name not in COLOURED]


def noise_suite(
    competition: Competition, run: Run, dataset: Dataset, options: Options, rows: int, watcher: Watcher
) -> dict[str, Any]:
    """Hold a finished run against the noise suite: noise.json and noise.html in its folder; what stands is kept.

    rows : how many of the data's rows; 0 = all

    Returns
    -------
    What noise.json holds (see `score_noise`)
    """
    folder, plan = RunFolder(run.path), run.environment
    folds = [f["fold"] for f in run.scores["folds"]]
    workers = min(options.workers or plan["workers"], plan["workers"], len(folds))
    devices = plan["devices"] if options.device == "auto" else pick_devices(options.device)
    jobs = [
        NoiseJob(
            FoldJob(
                folder.path,
                competition.folder,
                dataset.cache,
                fold,
                devices[i % len(devices)],
                plan["threads"][fold],
                together=tuple(folds),
            ),
            rows,
        )
        for i, fold in enumerate(folds)
    ]
    missing = [job for job in jobs if not suite_stands(job.path)]
    if missing:
        check_scored(competition, run, np.intersect1d(_rows_of(dataset, run.folds.kept, rows), _trained_rows(run)))
        watcher.say("noise suite: every corruption in five severities, by the models that stand")
        watcher.begin("predicted under noise")
        watcher.expect(len(missing))
        run_jobs(missing, min(workers, len(missing)), watcher.progress, lanes=[job.of.device for job in missing])
    with watcher.waiting("scoring the noise suite, writing its page"):
        return finish_noise(competition, run, dataset, rows)


def _rows_of(dataset: Dataset, kept: np.ndarray, rows: int) -> np.ndarray:
    """As `suite_rows`, by the labels as the data have them, so that every run on the data sees the same."""
    assert dataset.train.labels is not None  # training rows always have labels
    return suite_rows(kept, rows, dataset.train.labels)


def _trained_rows(run: Run) -> np.ndarray:
    """Rows (int64) of the folds that are trained."""
    return np.flatnonzero(np.isin(run.folds.fold, [fold["fold"] for fold in run.scores["folds"]]))


def check_scored(competition: Competition, run: Run, rows: np.ndarray) -> None:
    """Refuse rows (int64, of the noise suite) on which the metric has no value, as one of ranks has none on a single class.

    Raises
    ------
    UserError
        Names the metric and the cure.
    """
    metric = competition_metrics(competition)[0]
    said = competition.kind.judged_by(metric, run.oof[rows], run.folds.fold[rows], run.scores.get("decision"))
    if not len(rows) or np.isnan(metric(run.labels[rows], said)):
        raise UserError(
            f"--noise: {metric.name} has no value on the {counted(len(rows), 'row')} of the noise suite: they lack a class. Take more: "
            "--noise-rows 0 takes all that the trained folds have."
        )


def _predict_corrupted(job: NoiseJob, training: FoldTraining, progress: Callable[[int, int, int], None]) -> None:
    """Write what the fold's model says of its rows of the suite, and what the images look like."""
    import torch

    from harness.competition import find_competition
    from harness.data.resize import frame_of
    from harness.runs.probabilities import check_probabilities
    from harness.train.corruptions import SEVERITIES
    from harness.train.inputs.image_statistics import STATISTICS, describe_images
    from harness.train.inputs.pixels import open_images
    from harness.train.prediction.predict import Predictor

    data, dataset = training.whole_networks(), training.opening.dataset
    originals = _at_own_size(find_competition(job.of.competition), job.of.cache, training.recipe)
    frame = frame_of(training.opening.competition.data)
    pictures = open_images(originals, data.images.device)
    names = suite_corruptions(data.images.shape[3])
    valid = np.intersect1d(_rows_of(dataset, training.kept, job.rows), training.valid_rows.cpu().numpy())
    index = torch.from_numpy(valid).to(data.images.index_device)
    networks = [data.load(state) for state in training.saved_states()]
    predictors = [Predictor(network, data.layout) for network in networks]
    cells = (len(names), len(SEVERITIES), len(valid))
    dtype = training.opening.competition.kind.stored_as
    proba: np.ndarray = np.zeros((*cells, networks[0].n_classes), dtype=dtype)
    statistics = np.zeros((*cells, len(STATISTICS)), dtype=np.float32)
    total = len(names) * len(SEVERITIES)
    for number, name in enumerate(names if len(valid) else []):  # few rows, many folds: one may have none
        for level in SEVERITIES:
            corrupted = _Corrupted(pictures, name, level, frame, valid)
            inputs = data.inputs(corrupted)
            said = _mean_of(predictors, inputs, index, training)
            ids = dataset.train.ids[valid]
            check_probabilities(
                said,
                ids,
                f"fold {job.of.fold}, corruption '{name}' {level}",
                "Take --set train.precision=fp32.",
                training.opening.competition.kind,
            )
            proba[number, level - 1] = said
            statistics[number, level - 1] = corrupted.statistics
            progress(job.of.fold, number * len(SEVERITIES) + level, total)
    Suite(tuple(names), valid, proba, statistics, describe_images(originals, valid)).save(job.path)


def _at_own_size(competition: Competition, cache: Path, recipe: Recipe) -> Any:
    """The training images that corruptions are made on: at the data's own size, whatever the recipe takes."""
    from harness.data.resize import open_resized

    return open_resized(competition, cache, recipe.data.model_copy(update={"size": None}))[1].train.images


def _mean_of(predictors: list[Predictor], inputs: Any, rows: torch.Tensor, training: FoldTraining) -> np.ndarray:
    """Probabilities (len(rows), C), mean over the networks of the seeds."""
    from harness.train.prediction.predict import predict

    parts = [predict(predictor, inputs, rows, training.recipe.predict).numpy() for predictor in predictors]
    return np.mean(parts, axis=0)


class _Corrupted:
    """`Images` whose rows come out corrupted: at the data's own size, as a camera would, then at the recipe's.

    statistics : float32 (len(rows), S) of the corrupted images of `rows` (sorted), filled in as they are taken
    """

    def __init__(self, images: Any, name: str, severity: int, frame: Frame, rows: np.ndarray) -> None:
        from harness.train.inputs.image_statistics import STATISTICS

        self.images, self.name, self.severity, self.frame, self.rows = images, name, severity, frame, rows
        self.statistics = np.full((len(rows), len(STATISTICS)), np.nan, dtype=np.float32)
        self.shape = (images.shape[0], frame.height, frame.width, images.shape[3])
        self.device, self.index_device, self.waits = images.device, images.index_device, images.waits

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        import torch

        from harness.data.resize import resize_pixels
        from harness.train.corruptions import corrupt
        from harness.train.inputs.image_statistics import image_statistics

        numbers = rows.cpu().numpy()
        pixels = corrupt(self.images.take(rows), numbers, self.name, self.severity, SEED)
        self.statistics[np.searchsorted(self.rows, numbers)] = image_statistics(pixels).cpu().numpy()
        if tuple(pixels.shape[1:3]) == (self.frame.height, self.frame.width):
            return pixels
        return torch.from_numpy(resize_pixels(pixels.cpu().numpy(), self.frame)).to(self.device)


def score_noise(competition: Competition, run: Run, suite: Suite) -> dict[str, Any]:
    """What the folds' predictions together come to.

    Returns
    -------
    {"metric", "rows", "clean": {"score", "low", "high"}, "corruptions": {name: [score of severity 1, ..., 5]}, "mean",
    "worst": {"corruption", "severity", "score"}, "camera": mean over the camera mixes, "classes": {name: {"clean":
    recall, "noisy": mean recall, "worst": corruption with the lowest}}, "doubtful": corruptions that may change a label}
    """
    metric, task = competition_metrics(competition)[0], competition.kind
    names, order, proba = list(suite.names), suite.rows, suite.proba.astype(np.float32)
    labels, clean = run.labels[order], run.oof[order]
    told, fold = run.scores.get("decision"), run.folds.fold[order]

    def judged(said: np.ndarray) -> np.ndarray:  # as the task decides them, each fold's by what the others found
        return task.judged_by(metric, said, fold, told)

    scorer = metric.prepare(labels, judged(clean))
    low, high = intervals([scorer], run.folds.groups[order], [metric])[0]
    said = np.array([[judged(cell) for cell in line] for line in proba])
    scores = {name: [metric(labels, cell) for cell in said[i]] for i, name in enumerate(names)}
    worst = min if metric.greater_is_better else max
    name, severity = worst(((n, s) for n in scores for s in range(5)), key=lambda at: scores[at[0]][at[1]])
    return {
        "metric": metric.name,
        "greater_is_better": metric.greater_is_better,
        "rows": len(order),
        "clean": {"score": scorer(None), "low": low, "high": high},
        "corruptions": scores,
        "mean": float(np.mean(list(scores.values()))),
        "camera": float(np.mean([scores[n] for n in ("camera", "handheld") if n in scores])),
        "worst": {"corruption": name, "severity": severity + 1, "score": scores[name][severity]},
        "classes": _falling_classes(
            competition.classes, names, labels, *((judged(clean), said) if metric.of_answers else (clean, proba))
        )
        if task.is_one_class
        else {},
        "doubtful": doubtful_corruptions(competition, names),
    }


def _falling_classes(
    classes: Sequence[str], names: list[str], labels: np.ndarray, clean: np.ndarray, noisy: np.ndarray
) -> dict[str, Any]:
    """Recall of each class without corruption, under all of them on average, and under the one that hurts it most."""
    hits = noisy.argmax(axis=3) == labels  # (corruptions, severities, rows)
    found = {}
    for number, name in enumerate(classes):
        of_class = labels == number
        if not of_class.any():
            continue
        by_corruption = hits[:, :, of_class].mean(axis=(1, 2))
        found[name] = {
            "clean": float((clean[of_class].argmax(axis=1) == number).mean()),
            "noisy": float(by_corruption.mean()),
            "worst": names[int(by_corruption.argmin())],
            "worst_recall": float(by_corruption.min()),
        }
    return found


def doubtful_corruptions(competition: Competition, names: Sequence[str]) -> list[str]:
    """Corruptions that turn or mirror images further than the competition says is harmless."""
    harmless = {"hflip", "vflip"} <= set(competition.symmetries)
    return [name for name in names if name == "flips" and not harmless]


def finish_noise(competition: Competition, run: Run, dataset: Dataset, rows: int) -> dict[str, Any]:
    """Write noise.json and noise.html of a run whose folds' predictions stand; returns what noise.json holds."""
    from harness.competition import find_competition
    from harness.cv.noise.pictures import noise_pictures
    from harness.cv.noise.report import write_noise_page

    suite = Suite.load([noise_path(run.path, f["fold"], rows) for f in run.scores["folds"]])
    check_scored(competition, run, suite.rows)
    scores = score_noise(competition, run, suite)
    pictures = noise_pictures(
        run, suite, _at_own_size(find_competition(competition.folder), dataset.cache, run.recipe), SEED
    )
    write_noise_page(run.path / "noise.html", competition, run, scores, pictures)
    with sealed_file(run.path / "noise.json") as temporary:
        write_json(temporary, scores)
    return scores


def load_noise(run: Path) -> dict[str, Any] | None:
    """noise.json of a run, or None where the suite was not run."""
    path = run / "noise.json"
    wrong = faults(manifest_beside(path)) if manifest_beside(path).exists() else []
    if wrong:
        raise UserError(f"{run}: {wrong[0]}. Repeat harness.cv with --noise: what the folds predicted is scored again.")
    return read_json(path) if path.is_file() else None
