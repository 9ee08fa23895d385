"""Ensembles: speed and memory of hill climbing, and whether its cross-fitted score is honest.

python -m benchmarks.ensemble [--repetitions 200] [--large]
python -m benchmarks.ensemble --command 10 [--rows 42000]     # `harness.oof ensemble` as a whole, on so many drawn runs

Speed: 50 models x 50,000 rows x 10 classes, 50 rounds, against a loop that calls scikit-learn's metric for every model and
round (three rounds of it are timed and scaled). --large: 50 x 1,000,000 rows x 10 classes as memory-mapped float16 (1 GB on
disk), with the peak memory of a process of its own.
Honesty: 5 good models and 30 of pure noise on 1,000 rows; the cross-fitted and the in-sample score of hill climbing against
its score on 20,000 fresh rows.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import say
from harness import __version__
from harness.competition import Recipe
from harness.competition.metrics import METRICS
from harness.competition.recipe import CvSpec, ModelSpec
from harness.competition.scoring.registry import find_metric
from harness.oof.ensemble.cross_fit import cross_fit
from harness.oof.ensemble.hill_climbing import hill_climb
from harness.oof.ensemble.methods import METHODS
from harness.oof.predictions import Predictions
from harness.runs import FoldResult, Folds, RunFolder


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repetitions", type=int, default=200)
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--command", type=int, default=0, metavar="RUNS")
    arguments.add_argument("--rows", type=int, default=42_000)
    arguments.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.worker:
        _climb_file(Path(given.worker[0]), given.worker[1])
        return
    if given.command:
        whole_command(given.command, given.rows)
        return
    speed(50, 50_000)
    if given.large:
        large(50, 1_000_000)
    honesty(given.repetitions)


def models(n_models: int, n: int, seed: int = 0, n_classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """proba float32 (M, n, C) of models of unlike strength, labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    proba = np.empty((n_models, n, n_classes), dtype=np.float32)
    for number in range(n_models):
        logits = rng.normal(size=(n, n_classes)).astype(np.float32)
        logits[np.arange(n), labels] += 2 + 2 * number / max(n_models - 1, 1)
        e = np.exp(logits)
        proba[number] = e / e.sum(axis=1, keepdims=True)
    return proba, labels


def speed(n_models: int, n: int, rounds: int = 50) -> None:
    """Seconds of both metrics, and of the loop that everybody writes."""
    from sklearn.metrics import accuracy_score, log_loss

    proba, labels = models(n_models, n)
    peers = {"log_loss": log_loss, "accuracy": lambda y, p: accuracy_score(y, p.argmax(axis=1))}
    for name, peer in peers.items():
        started = time.perf_counter()
        hill_climb(proba, labels, find_metric(name), rounds=rounds)
        ours = time.perf_counter() - started
        total = np.zeros_like(proba[0])
        started = time.perf_counter()
        for number in range(1, 4):
            scores = [peer(labels, (total + model) / number) for model in proba]
            total += proba[int(np.argmax(scores))]
        theirs = (time.perf_counter() - started) / 3 * rounds
        print(
            f"{n_models} x {n:,}, {rounds} rounds, {name}: {ours:.2f} s; metric loop {theirs:.1f} s: {theirs / ours:.0f}x"
        )


def large(n_models: int, n: int) -> None:
    """From a memory map, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proba.npy"
        proba = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n_models, n, 10))
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 10, n)
        for number in range(n_models):
            say(f"writes model {number + 1} of {n_models}")
            logits = rng.normal(size=(n, 10)).astype(np.float32)
            logits[np.arange(n), labels] += 2 + 2 * number / n_models
            e = np.exp(logits)
            proba[number] = e / e.sum(axis=1, keepdims=True)
        proba.flush()
        del proba
        np.save(Path(folder) / "labels.npy", labels)
        for metric in ("log_loss", "accuracy"):
            command = [sys.executable, "-m", "benchmarks.ensemble", "--worker", str(path), metric]
            subprocess.run(command, check=True)


def whole_command(n_models: int, n: int) -> None:
    """Seconds, core seconds and memory of the command, its imports, pages and all."""
    with tempfile.TemporaryDirectory(prefix="ensemble-") as folder:
        home = Path(folder)
        _write_runs(home, n_models, n)
        started = time.perf_counter()
        command = [sys.executable, "-m", "harness.oof", "ensemble", "drawn", "--out", str(home)]
        subprocess.run(command, check=True, cwd=home)
        wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
    print(f"{n_models} runs x {n:,} x 10: {wall:.1f} s, {spent:.1f} core seconds, peak {peak:.2f} GiB")


def _write_runs(home: Path, n_models: int, n: int) -> None:
    """A competition of ten classes with finished runs that were not trained."""
    contest = home / "competitions" / "drawn"
    contest.mkdir(parents=True)
    (home / "setup.cfg").write_text("")
    names = [f"c{i}" for i in range(10)]
    (contest / "competition.toml").write_text(
        f'title = "Drawn"\nmetric = "log_loss"\nclasses = {names}\n[data]\nformat = "npz"\nsize = [8, 8]\n'
        'channels = 1\ntrain = "data.npz"\ntest = "data.npz"\n[submission]\nvalue = "probability"\n'
    )
    proba, labels = models(n_models, n)
    ids = np.array([f"r{i}" for i in range(n)])
    folds = Folds(ids, np.arange(n), np.random.default_rng(1).permutation(np.arange(n) % 5).astype(np.int8))
    metric = find_metric("log_loss")
    for number, of_one in enumerate(proba):
        run = RunFolder(home / "oof" / "drawn" / f"drawn-{number}")
        recipe = Recipe(name=f"drawn-{number}", model=ModelSpec(name="cnn"), cv=CvSpec(folds=5))
        data = {"fingerprint": "drawn", "source": "drawn", "n_test": 1_000, "clean": "", "is_sample": False}
        about = {"competition": {"classes": names}, "data": data, "folds": {"hash": folds.hash}}
        run.start(recipe, folds, {**about, "harness": __version__, "optimistic": ""})
        for fold in range(folds.k):
            valid = folds.valid_rows(fold)
            run.save_fold(FoldResult(fold, valid, of_one[valid], of_one[:1_000], [], 1.0))
        columns = {f"proba_{name}": of_one[:, i] for i, name in enumerate(names)}
        oof = pd.DataFrame({"id": ids, "label": labels, "fold": folds.fold} | columns)
        test = pd.DataFrame({"id": ids[:1_000]} | {name: column[:1_000] for name, column in columns.items()})
        run.save_tables(oof, test, [{"fold": 0, "epoch": 1, "loss": 0.5}])
        score = {"pooled": float(metric(labels, of_one)), "low": 0.0, "high": 9.0, "greater_is_better": False}
        run.finish(
            {
                "metric": "log_loss",
                "folds": [{"fold": f, "n": n // 5} for f in range(5)],
                "metrics": {"log_loss": score},
                "complete": True,
            }
        )


def _climb_file(path: Path, metric: str) -> None:
    proba = np.load(path, mmap_mode="r", allow_pickle=False)
    labels = np.load(path.with_name("labels.npy"), allow_pickle=False)
    started = time.perf_counter()
    hill_climb(proba, labels, find_metric(metric), rounds=50)
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(proba)} x {proba.shape[1]:,} float16 on disk, {metric}: {seconds:.1f} s, peak {peak:.2f} GiB (its maps too)"
    )


def honesty(repetitions: int, n: int = 1000, fresh: int = 20_000) -> None:
    """Mean difference to the score on fresh rows, with its standard error."""
    metric = METRICS["accuracy"]
    crossed, inside = [], []
    for number in range(repetitions):
        proba, labels = _good_and_noise(n + fresh, number)
        folds = Folds(np.arange(n).astype(str), np.arange(n), (np.arange(n) % 5).astype(np.int8))
        members = tuple(f"m{i}" for i in range(len(proba)))
        predictions = Predictions(members, labels[:n], folds, proba[:, :n], None, None)
        found = {r.method.name: r for r in cross_fit(predictions, metric, ["hill_climbing"])}["hill_climbing"]
        truth = metric(labels[n:], METHODS["hill_climbing"].apply(proba[:, n:], found.fitted))
        crossed.append(found.score - truth)
        inside.append(found.in_sample - truth)
        if number % 20 == 19:
            say(f"{number + 1} of {repetitions}")
    for name, values in (("cross-fitted", crossed), ("in sample", inside)):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        print(f"{name} - fresh rows, {repetitions} repetitions: {np.mean(values):+.5f}, standard error {error:.5f}")
    print(f"standard error of a score of {n:,} rows: {np.sqrt(0.8 * 0.2 / n):.5f}")


def _good_and_noise(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    logits = rng.normal(size=(35, n, 10)).astype(np.float32)
    logits[:5, np.arange(n), labels] += 2.2
    e = np.exp(logits)
    return e / e.sum(axis=2, keepdims=True), labels


if __name__ == "__main__":
    main()
