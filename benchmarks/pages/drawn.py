"""Pages of much, drawn without training: runs of 42,000 rows, 50 of them side by side, thousands of verdicts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from harness.board.overview import read_overview
from harness.board.page import write_board
from harness.board.reading import Reader
from harness.clean.page import write_page as write_clean
from harness.clean.verdicts import Verdict
from harness.competition import Competition, Samples, find_competition
from harness.competition.metrics import Metric
from harness.competition.scoring.registry import find_metric
from harness.competition.tasks import TASKS
from harness.cv.noise.job import SEED
from harness.cv.noise.pictures import noise_pictures
from harness.cv.noise.report import write_noise_page
from harness.cv.noise.suite import Suite
from harness.cv.report.page import write_report
from harness.cv.scores import score_run
from harness.data.cache import Dataset
from harness.leaderboard.page import write_page as write_leaderboard
from harness.oof.compare.pairwise import compare_pairs, recalls
from harness.oof.compare.runs import Paired, write_comparison
from harness.oof.errors.by_task import report_of
from harness.oof.errors.report import write_errors_page
from harness.oof.predictions import Predictions
from harness.runs import Folds, Run, RunFolder
from harness.train.corruptions import CORRUPTIONS
from tests.board.drawn import draw_run

ROWS, RUNS, FOLDS = 42_000, 50, 5
SLUG = "digit-recognizer"


def draw_pages(out: Path, rows: int = ROWS, runs: int = RUNS) -> dict[str, Path]:
    """Write every page below a folder; what they are, and where they lie."""
    contest, home = find_competition(SLUG), out / "oof" / SLUG
    small, large = pictures(rows, 28, 1), pictures(rows, 224, 3)
    pages = {
        "run": _run(home / "quick-00000000", contest, small),
        "errors, 10 classes of 28 px": _errors(home / "quick-00000001", contest, _classes(rows, 10), small),
        "errors, 120 classes of 224 px": _errors(home / "quick-00000002", contest, _classes(rows, 120), large),
        "errors, 20 labels of 224 px": _errors(home / "quick-00000003", contest, _labels(rows, 20), large),
        "errors, 3 numbers of 224 px": _errors(home / "quick-00000004", contest, _numbers(rows, 3), large),
        "noise, images of 224 px": _noise(home / "quick-00000000", contest, large),
        f"comparison of {runs}": _comparison(home, contest, rows, runs),
        f"cleaning, {rows:,} verdicts": _clean(home / "clean", small),
        f"board of {runs} runs": _board(out, runs),
        f"leaderboard of {runs}": _leaderboard(out / "submissions" / "leaderboard.html", runs),
    }
    return pages


def pictures(rows: int, side: int, channels: int) -> np.ndarray:
    """uint8 (rows, side, side, channels) that compress as photographs do: shapes and a little noise; of many rows the same few again."""
    rng, few = np.random.default_rng(0), 256
    coarse = rng.integers(0, 256, (few, 7, 7, channels)).astype(np.float32)
    fine = np.repeat(np.repeat(coarse, side // 7, axis=1), side // 7, axis=2) + rng.normal(
        0, 6, (few, side, side, channels)
    )
    made = fine.clip(0, 255).astype(np.uint8)
    return _Again(made, rows)  # type: ignore[return-value]


class _Again:
    """As many images as there are rows, over a few; an array as far as pages ask."""

    def __init__(self, few: np.ndarray, rows: int) -> None:
        self.few, self.shape = few, (rows, *few.shape[1:])
        self.ndim, self.dtype = few.ndim, few.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: Any) -> np.ndarray:
        found: np.ndarray = self.few[np.asarray(row) % len(self.few)]
        return found


def _folds(rows: int) -> Folds:
    groups = np.arange(rows) // 2
    return Folds(np.array([f"image-{i:05d}" for i in range(rows)]), groups, (groups % FOLDS).astype(np.int8))


def _probabilities(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """int64 (rows,), float32 (rows, classes): about nine of ten right."""
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, classes, rows)
    scores = rng.normal(0, 1, (rows, classes)).astype(np.float32)
    scores[np.arange(rows), labels] += 3.5
    scores *= 2
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    return labels, proba / proba.sum(axis=1, keepdims=True)


def _run_of(task: str, names: list[str], labels: np.ndarray, oof: np.ndarray, metric: Metric | None) -> Run:
    folds = _folds(len(labels))
    environment = {"competition": {"classes": names, "task": task}, "data": {"is_sample": False}}
    told = TASKS[task].find_decision(metric, labels, oof, folds.fold) if metric else None
    return Run(Path(), None, {"decision": told}, environment, folds, labels, oof, None, None)  # type: ignore[arg-type]


def _classes(rows: int, classes: int) -> Run:
    return _run_of("single", [f"class {i}" for i in range(classes)], *_probabilities(rows, classes), None)


def _labels(rows: int, names: int) -> Run:
    rng = np.random.default_rng(0)
    truth = (rng.random((rows, names)) < 0.2).astype(np.float32)
    oof = 1 / (1 + np.exp(-(4 * truth - 2 + rng.normal(0, 1.3, truth.shape)))).astype(np.float32)
    metric = find_metric("macro_f1", TASKS["multilabel"].of)
    return _run_of("multilabel", [f"label {i}" for i in range(names)], truth, oof.astype(np.float32), metric)


def _numbers(rows: int, names: int) -> Run:
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 15, (rows, names)).astype(np.float32)
    said = (0.8 * truth + 10 + rng.normal(0, 6, truth.shape)).astype(np.float32)
    return _run_of("regression", [f"number {i}" for i in range(names)], truth, said, None)


def _samples(run: Run, images: np.ndarray) -> Samples:
    return Samples(run.folds.ids, images, run.labels)


def _dataset(samples: Samples) -> Dataset:
    return Dataset(samples, None, None, "drawn", False, "f00d" * 4, Path())


def _errors(folder: Path, contest: Competition, run: Run, images: np.ndarray) -> Path:
    path = folder / "errors.html"
    report = report_of(dataclasses.replace(run, path=folder))
    write_errors_page(path, contest, report, _dataset(_samples(run, images)))
    return path


def _run(folder: Path, contest: Competition, images: np.ndarray) -> Path:
    rows = len(images)
    labels, oof = _probabilities(rows, len(contest.classes))
    folds = _folds(rows)
    about = {
        "optimistic": "",
        "doubtful_views": [],
        "device_name": "drawn",
        "parameters": 123_456,
        "competition": {"slug": SLUG, "metric": contest.metric, "classes": list(contest.classes)},
    }
    draw_run(folder, **about)
    scores = score_run(contest, labels, oof, folds, list(range(FOLDS)))
    scores["seconds"] = dict.fromkeys(map(str, range(FOLDS)), 100.0)
    history = [
        {"fold": f, "seed": 0, "epoch": e, "loss": 2 / e, "valid_loss": 2.2 / e, "valid_score": 1 - 1 / (e + 1)}
        for f in range(FOLDS)
        for e in range(1, 101)
    ]
    dataset = _dataset(Samples(folds.ids, images, labels))
    write_report(RunFolder(folder), contest, dataset, folds, oof, oof[:100], history, scores)
    return folder / "report.html"


def _noise(folder: Path, contest: Competition, images: np.ndarray) -> Path:
    run = dataclasses.replace(_classes(100, 10), path=folder)
    names = [f"corruption_{i}" for i in range(15)]
    scores = {
        "metric": "accuracy",
        "greater_is_better": True,
        "rows": 1000,
        "clean": {"score": 0.9, "low": 0.88, "high": 0.92},
        "corruptions": {name: [0.9 - 0.01 * s * (i % 5 + 1) for s in range(5)] for i, name in enumerate(names)},
        "mean": 0.8,
        "camera": 0.7,
        "worst": {"corruption": names[4], "severity": 5, "score": 0.7},
        "doubtful": [],
        "classes": {
            name: {"clean": 0.9, "noisy": 0.8, "worst": names[0], "worst_recall": 0.5} for name in contest.classes
        },
    }
    path = folder / "noise.html"
    suite = Suite(tuple(CORRUPTIONS), np.arange(100), np.tile(run.oof, (len(CORRUPTIONS), 5, 1, 1)), *[np.zeros(0)] * 2)
    write_noise_page(path, contest, run, scores, noise_pictures(run, suite, images, SEED))
    return path


def _comparison(home: Path, contest: Competition, rows: int, runs: int) -> Path:
    names = [f"quick-{number:08x}" for number in range(100, 100 + runs)]
    lines = []
    for number, name in enumerate(names):
        draw_run(home / name, epochs=3 + number % 7)
        told = {"pooled": 0.9 + number / 1000, "mean": 0.9, "std": 0.01, "low": 0.89, "high": 0.97}
        of = {"rows": "same", "differ": "", "complete": True, "k": FOLDS, "trained": list(range(FOLDS))}
        about = {"name": f"try {number}", "note": "a note of some words", "tags": ["night"]}
        said = {"run": name, "recipe": "quick", "answers_to": "", "about": about, "seconds": 100, "camera": 0.8}
        lines.append(of | said | {"sample": False, "metrics": dict.fromkeys((contest.metric, *contest.also), told)})
    few = names[:12]
    oof = np.stack([_probabilities(rows, len(contest.classes), seed)[1] for seed in range(len(few))])
    labels = _probabilities(rows, len(contest.classes))[0]
    predictions = Predictions(tuple(few), labels, _folds(rows), oof, None, None)
    metric = find_metric(contest.metric)
    curve = (list(map(float, range(1, 101))), [2 / e for e in range(1, 101)])
    paired = Paired(
        task=TASKS["single"],
        names=tuple(few),
        pairs=compare_pairs(predictions, metric),
        recalls=recalls(predictions, len(contest.classes)),
        curves=dict.fromkeys(few, curve),
        valid_curves=dict.fromkeys(few, curve),
    )
    path = home / "compare.html"
    write_comparison(path, contest, lines, [contest.metric, *contest.also], paired)
    return path


def _clean(folder: Path, images: np.ndarray) -> Path:
    rows, labels = len(images), np.arange(len(images)) % 10
    kinds = ["near duplicate", "exact duplicate", "label error", "foreign"]
    lines = [
        Verdict(f"image-{i:05d}", kinds[i // 10 % 4], "keep", f"family-{i // 5}" if i // 10 % 4 < 2 else "", f"evidence {i}")
        for i in range(rows)
    ]  # fmt: skip
    samples = Samples(np.array([f"image-{i:05d}" for i in range(rows)]), images, labels)
    path = folder / "clean.html"
    classes = [str(i) for i in range(10)]
    write_clean(path, "Digits: clean", "drawn", [], lines, samples, classes, folder / "clean.csv")
    return path


def _board(out: Path, runs: int) -> Path:
    for number in range(runs):
        draw_run(out / "oof" / "cells" / f"quick-{number:08x}", 0.9 + number / 1000, epochs=3 + number % 3)
    return write_board(read_overview(out, Reader()))


def _leaderboard(path: Path, runs: int) -> Path:
    told = {"score": 0.98, "low": 0.97, "high": 0.99}
    lines = []
    for i in range(runs):
        numbers = {"cv": 0.9 + i / 1000, "public": 0.91 + i / 2000, "private": 0.905, "gap": 0.01, "rank": 100 + i}
        about = {"entry": i, "competition": "cells", "sent": "2026-11-26T10:00:00", "run": f"quick-{i:08x}"}
        lines.append(about | numbers | {"state": "complete", "forecast": told, "teams": 1234, "medal": "bronze", "members": []})  # fmt: skip
    write_leaderboard(path, "Leaderboard", lines, {})
    return path
