"""How good forecasts are: simulated leaderboards from real data, with labels that the forecast does not see.

python -m benchmarks.forecast [--data DIR] [--work DIR] [--only digit-recognizer] [--mixes 30]
python -m benchmarks.forecast --drawn 3 [--work DIR] [--only multilabel]    # the other tasks, see `simulate_drawn`

A fifth of each training set (whole groups) is held out as the test; a quick recipe is trained on the rest, with the noise
suite, by the harness's own command. The test is then scored as it is (eight random halves) and under random mixes of two
or three corruptions with random severities. For a mix the calibration is fitted anew WITHOUT every corruption that the mix
is made of. The forecast sees images and predictions; the truth is taken from the labels afterwards. Beside it stands what
plain OOF, and each estimator alone, would have said. Runs stay in --work, so that a second call only forecasts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import say
from harness.base.command import data_root
from harness.competition import Competition, Samples, find_competition
from harness.cv.scores import competition_metrics
from harness.data.dataset import load_dataset
from harness.oof.forecast.calibration import Cells, known_rows, suite_cells
from harness.oof.forecast.domain_shift import MOST_ROWS
from harness.oof.forecast.estimators import ESTIMATORS
from harness.oof.forecast.forecast import IN_METRIC, Forecast, forecast
from harness.oof.forecast.inputs import ForecastInputs, Looks, forecast_inputs_of
from harness.runs import Run, load_run
from harness.train.inputs.image_statistics import describe_images


@dataclass(frozen=True)
class Play:
    """A competition of the benchmark: recipe, rows at most, overrides."""

    slug: str
    recipe: str
    rows: int
    settings: tuple[str, ...] = ()
    data_set: str = ""


PLAYS = (
    Play("digit-recognizer", "quick", 10_000),
    Play("cifar-10", "quick", 10_000),
    Play("bloodcells", "quick", 10_000),
    Play("pneumonia", "best28", 10_000, ('data.set=""',), "mnist28"),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=None)
    arguments.add_argument("--work", type=Path, default=Path("benchmarks/.forecast"))
    arguments.add_argument("--only", action="append")
    arguments.add_argument("--mixes", type=int, default=30)
    arguments.add_argument("--drawn", type=int, default=0, help="instead: every other task, on so many draws of digits")
    given = arguments.parse_args()
    lines = []
    given.work.mkdir(parents=True, exist_ok=True)
    if given.drawn:
        for task in DRAWN:
            if not given.only or task in given.only:
                lines += [
                    line for seed in range(given.drawn) for line in simulate_drawn(task, seed, given.work.resolve())
                ]
    for play in PLAYS if not given.drawn else ():
        if not given.only or play.slug in given.only:
            lines += simulate(play, data_root(given.data), given.work.resolve(), given.mixes)
    (given.work / "lines.json").write_text(json.dumps(lines, indent=1))
    show(lines)


def simulate(play: Play, root: Path, work: Path, mixes: int) -> list[dict[str, Any]]:
    """Forecast and truth of every simulated leaderboard of a competition."""
    competition, held_out, labels = hold_out(play, root, work / play.slug)
    run = trained(play.recipe, competition, work / play.slug)
    subject = forecast_inputs_of(run)
    assert subject.suite is not None
    metric = competition_metrics(competition)[0]
    cells = suite_cells(known_rows(subject, metric, subject.suite), subject)
    dataset = load_dataset(competition, competition.folder.parent / "data")
    rng = np.random.default_rng(1)
    train_rows = np.sort(rng.permutation(subject.scored)[:MOST_ROWS])
    train = describe_images(dataset.train.images, train_rows)
    lines = []
    plain = predictions(run, competition, held_out, work / play.slug / "plain.npy")
    for number in range(8):
        rows = np.sort(rng.permutation(len(labels))[: len(labels) // 2])
        looks = Looks(train, train_rows, describe_images(held_out, rows), rows)
        lines.append(judge(competition, subject, cells, looks, plain[:, rows], labels[rows], f"half {number}", ()))
    names = [n for n in subject.suite.names if n != "flips" or "vflip" in competition.symmetries]
    for number in range(mixes):
        chosen = tuple(rng.choice(names, rng.integers(2, 4), replace=False))
        levels = rng.integers(1, 6, len(chosen))
        images = mixed(held_out, chosen, levels, number)
        proba = predictions(run, competition, images, work / play.slug / f"mix-{number}.npy")
        some = np.arange(len(images))
        looks = Looks(train, train_rows, describe_images(images, some), some)
        title = " + ".join(f"{n} {level}" for n, level in zip(chosen, levels, strict=True))
        lines.append(judge(competition, subject, cells.without(set(chosen)), looks, proba, labels, title, chosen))
    return lines


def hold_out(
    play: Play, root: Path, folder: Path, side: int = 0, draw: int = 0
) -> tuple[Competition, np.ndarray, np.ndarray]:
    """Write the other four fifths as a competition of its own; returns it, and the held out images and labels.

    side : images that are larger are made so many pixels high and wide; 0: as they are
    draw : which fifth
    """
    from harness.clean.judge import find
    from harness.competition.recipe import CvSpec, DataChoice
    from harness.cv.folds import make_folds
    from harness.data.files.frame import Frame
    from harness.data.resize import resize_pixels

    original = find_competition(play.slug).using(DataChoice(set=play.data_set))
    dataset = load_dataset(original, root)
    samples, kept = dataset.train, np.arange(min(len(dataset.train), play.rows))
    if play.slug == "bloodcells":  # its spoiled rows would make the truth untrue
        wrong = {v.id for v in find(samples, original.classes, dataset.test).verdicts}
        kept = np.array([row for row in kept if samples.ids[row] not in wrong])
    few = Samples(samples.ids[kept], samples.images[kept], samples.labels[kept], groups=samples.groups[kept])
    folds = make_folds(few, original.classes, CvSpec(folds=5, seed=321 + draw))
    train, test = kept[folds.fold != 0], kept[folds.fold == 0]
    pictures = few.images
    if side and max(pictures.shape[1:3]) > side:
        pictures = resize_pixels(pictures, Frame(side, side))
    slug = f"{play.slug}-simulated"
    target = folder / slug
    if not (folder / "data" / slug / "data.npz").is_file():
        (folder / "data" / slug).mkdir(parents=True, exist_ok=True)
        (target / "recipes").mkdir(parents=True, exist_ok=True)
        names = json.dumps(list(original.classes))
        symmetries = json.dumps(list(original.symmetries))
        height, width, channels = pictures.shape[1:]
        (target / "competition.toml").write_text(
            f'title = "{original.title}, simulated"\nmetric = "{original.metric}"\nclasses = {names}\n'
            f'symmetries = {symmetries}\n[data]\nformat = "npz"\nsize = [{height}, {width}]\nchannels = {channels}\n'
            'train = "data.npz"\nlabel = "labels"\ntest = "data.npz"\ntest_images = "test_images"\n'
            '[submission]\nvalue = "index"\n'
        )
        recipe = find_competition(play.slug).folder / "recipes" / f"{play.recipe}.toml"
        (target / "recipes" / f"{play.recipe}.toml").write_text(recipe.read_text().replace('set = "mnist28"', ""))
        np.savez(
            folder / "data" / slug / "data.npz",
            images=pictures[folds.fold != 0],
            labels=samples.labels[train],
            test_images=pictures[folds.fold == 0],
        )
    return find_competition(target), np.ascontiguousarray(pictures[folds.fold == 0]), samples.labels[test]


DRAWN = {
    "multilabel": ("samples_f1", "onehot"),
    "ordinal": ("quadratic_kappa", "index"),
    "regression": ("rmse", "number"),
}
"""Task: its metric, and what is submitted."""

_SMALL = """\
[model]
name = "cnn"
[model.args]
stages = [[16], [32]]
batch_norm = true
dense = [32]
[train]
epochs = {epochs}
batch_size = 32
lr = 0.004
schedule = "one_cycle"
[cv]
folds = 3
"""


def simulate_drawn(task: str, seed: int, work: Path) -> list[dict[str, Any]]:
    """Leaderboards of 200 rows of a competition of scikit-learn's real digits, split anew by each seed.

    Several labels: two digits side by side; grades: a digit's half; numbers: the digit, and how much ink it has. Ten tests as they are,
    twelve under one or two mild corruptions (severities 1 and 2), twelve under two or three of any severity; the last two also by a run
    of one epoch, and every one also as if the noise suite had not been run.
    """
    lines = []
    for epochs in (8, 1):
        home = work / f"{task}-{seed}-{epochs}"
        competition, images, targets = draw(task, seed, home, epochs)
        run = trained("small", competition, home)
        subject, rng = forecast_inputs_of(run), np.random.default_rng([seed, 5])
        assert subject.suite is not None
        cells = suite_cells(known_rows(subject, competition_metrics(competition)[0], subject.suite), subject)
        dataset = load_dataset(competition, competition.folder.parent / "data")
        train_rows = subject.scored
        train = describe_images(dataset.train.images, train_rows)
        names = [n for n in subject.suite.names if n != "flips"]
        for number in range(34):
            tests = "as they are" if number < 10 else "mild" if number < 22 else "any"
            if epochs == 1 and tests == "as they are":
                continue
            count = rng.integers(1, 3) if tests == "mild" else rng.integers(2, 4)
            chosen = () if tests == "as they are" else tuple(rng.choice(names, count, replace=False))
            levels = rng.integers(1, 3 if tests == "mild" else 6, len(chosen))
            rows = np.sort(rng.permutation(len(images))[:200])
            pictures = np.ascontiguousarray(mixed(images[rows], chosen, levels, number))
            outputs = predictions(run, competition, pictures, home / f"test-{number}.npy")
            looks = Looks(train, train_rows, describe_images(pictures, np.arange(200)), np.arange(200))
            title = " + ".join(f"{n} {level}" for n, level in zip(chosen, levels, strict=True))
            for with_suite in (True, False):
                seen = subject if with_suite else replace(subject, suite=None)
                known = cells.without(set(chosen)) if with_suite else None
                line = judge(competition, seen, known, looks, outputs, targets[rows], title, chosen)
                told = tests + ("" if epochs > 1 else ", one epoch") + ("" if with_suite else ", no suite")
                lines.append(line | {"competition": task, "tests": told})
    return lines


def draw(task: str, seed: int, folder: Path, epochs: int) -> tuple[Competition, np.ndarray, np.ndarray]:
    """Write a competition of 700 rows; returns it, and 900 other images and their targets."""
    from sklearn.datasets import load_digits

    digits, rng = load_digits(), np.random.default_rng(seed)
    order = rng.permutation(len(digits.target))
    images, labels = (digits.images[order] * 15.9).astype(np.uint8)[..., None], digits.target[order]
    if task == "multilabel":  # both of a pair are from the same side of the split
        halves = [rng.integers(0, 897, (700, 2)), rng.integers(897, 1797, (900, 2))]
        pairs = np.concatenate(halves)
        images = np.concatenate([images[pairs[:, 0]], images[pairs[:, 1]]], axis=2)
        targets = np.maximum(np.eye(10, dtype=np.float32)[labels[pairs[:, 0]]], np.eye(10)[labels[pairs[:, 1]]])
    else:
        images, labels = np.concatenate([images[:700], images[897:]]), np.concatenate([labels[:700], labels[897:]])
        ink = images.mean(axis=(1, 2, 3)) / 12
        targets = labels // 2 if task == "ordinal" else np.column_stack([labels, ink]).astype(np.float32)
    slug, (metric, value) = f"{task}-{seed}-simulated", DRAWN[task]
    target, data = folder / slug, folder / "data" / slug
    if not (data / "data.npz").is_file():
        (target / "recipes").mkdir(parents=True, exist_ok=True)
        data.mkdir(parents=True, exist_ok=True)
        names = [f"c{number}" for number in range(targets.shape[1] if targets.ndim > 1 else 5)]
        column = "" if value == "onehot" or value == "number" else 'target = "target"\n'
        (target / "competition.toml").write_text(
            f'title = "{slug}"\ntask = "{task}"\nmetric = "{metric}"\nclasses = {json.dumps(names)}\n[data]\nformat = "npz"\n'
            f'size = {list(images.shape[1:3])}\nchannels = 1\ntrain = "data.npz"\nlabel = "labels"\ntest = "data.npz"\n'
            f'test_images = "test_images"\n[submission]\nvalue = "{value}"\n{column}'
        )
        (target / "recipes" / "small.toml").write_text(_SMALL.format(epochs=epochs))
        np.savez(data / "data.npz", images=images[:700], labels=targets[:700], test_images=images[700:900])
    return find_competition(target), images[700:1600], targets[700:1600]


def trained(recipe: str, competition: Competition, folder: Path) -> Run:
    """The run by the harness's own command; nothing is done where it stands."""
    command = [sys.executable, "-m", "harness.cv", str(competition.folder), "--recipe", recipe, "--noise"]
    command += ["--data", str(folder / "data"), "--out", str(folder), "--resume", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return load_run(Path(json.loads(done.stdout)["path"]))


def predictions(run: Run, competition: Competition, images: np.ndarray, path: Path) -> np.ndarray:
    """float32 (k, t, C): what each fold model says of images uint8 (t, H, W, C); kept in a file."""
    if not path.is_file():
        say(f"{competition.slug}: predicts {path.stem}")
        with path.open("wb") as file:
            np.save(file, np.stack([_predict_fold(run, competition, images, fold) for fold in range(run.folds.k)]))
    return np.load(path, allow_pickle=False)


def _predict_fold(run: Run, competition: Competition, images: np.ndarray, fold: int) -> np.ndarray:
    import torch

    from harness.cv.jobs.fold_job import FoldJob, FoldTraining
    from harness.data.resize import frame_of, resize_pixels
    from harness.runs import RunFolder
    from harness.train.inputs.pixels import ResidentImages
    from harness.train.prediction.predict import Predictor, predict

    dataset = load_dataset(competition, competition.folder.parent / "data")
    job = FoldJob(run.path, competition.folder, dataset.cache, fold, "cpu", os.cpu_count() or 1)
    training = FoldTraining.open(job, RunFolder(run.path), lambda *args: None)
    whole = training.whole_networks()
    frame = frame_of(training.opening.competition.data)
    same = images.shape[1:3] == (frame.height, frame.width)
    pixels = images if same else resize_pixels(images, frame)
    inputs = whole.inputs(ResidentImages(pixels, torch.device("cpu")))
    rows = torch.arange(len(pixels))
    networks = [whole.load(state) for state in training.saved_states()]
    proba = [
        predict(Predictor(network, whole.layout), inputs, rows, run.recipe.predict).numpy() for network in networks
    ]
    return np.mean(proba, axis=0).astype(np.float32)


def mixed(images: np.ndarray, names: tuple[str, ...], levels: np.ndarray, seed: int) -> np.ndarray:
    """uint8 (t, H, W, C) with the corruptions one after the other."""
    import torch

    from harness.train.corruptions import corrupt

    out = []
    for start in range(0, len(images), 250):
        pixels = torch.from_numpy(images[start : start + 250])
        for name, level in zip(names, levels, strict=True):
            pixels = corrupt(pixels, np.arange(start, start + len(pixels)), name, int(level), 1000 + seed)
        out.append(pixels.numpy())
    return np.concatenate(out)


def judge(
    competition: Competition,
    subject: ForecastInputs,
    cells: Cells | None,
    looks: Looks,
    proba: np.ndarray,
    labels: np.ndarray,
    title: str,
    chosen: tuple[str, ...],
) -> dict[str, Any]:
    """One simulated leaderboard: the forecast, and then the truth."""
    metric = competition_metrics(competition)[0]
    found: Forecast
    subject = replace(subject, test_folds=list(proba))
    found, _ = forecast(competition, subject, looks=looks, cells=cells)
    truth = metric(labels, subject.judged_together(metric))
    single = float(np.mean([metric(labels, subject.judged(metric, p)) for p in proba]))
    return {
        "competition": competition.slug.removesuffix("-simulated"),
        "test": title,
        "tests": "as they are" if not chosen else "mixes",
        "rows": len(labels),
        "truth": truth,
        "single": single,
        "oof": found.oof["score"],
        "sign": 1 if metric.greater_is_better else -1,
        "forecast": found.public.score,
        "low": found.public.low,
        "high": found.public.high,
        "gain": found.gain,
        "rule": found.rule,
        "auc": found.shift["auc"] if found.shift else None,
        "estimators": found.estimators,
        "loud": any("DO NOT TRUST" in note for note in found.notes),
    }


def show(lines: list[dict[str, Any]]) -> None:
    """The table: coverage, median absolute errors in points, by competition and kind."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="90 % forecasts; errors in points of the metric, of a loss in its unit", title_justify="left")
    heads = ("competition", "tests", "n", "covered", "width", "forecast", "plain OOF", *ESTIMATORS)
    for head in heads:
        table.add_column(head, justify="left" if head in ("competition", "tests") else "right")
    names = dict.fromkeys(line["competition"] for line in lines)
    for tests in dict.fromkeys(line["tests"] for line in lines):
        kind = [line for line in lines if line["tests"] == tests]
        for name in [*names, "all"]:
            some = [line for line in kind if name in ("all", line["competition"])]
            if some:
                table.add_row(name, tests, str(len(some)), *_row(some))
    Console(width=None if sys.stdout.isatty() else 170).print(table)
    covered = np.mean([line["low"] <= line["truth"] <= line["high"] for line in lines])
    print(f"all {len(lines)} simulated leaderboards: {100 * covered:.1f} % inside the 90 % interval")


def _row(some: list[dict[str, Any]]) -> list[str]:
    truth = np.array([line["truth"] for line in some])
    oof = np.array([line["oof"] for line in some])
    scale = 100 if some[0]["sign"] > 0 else 1  # points; of a loss its own unit

    def error(said: np.ndarray) -> str:
        return f"{scale * np.median(np.abs(said - truth)):.2f}"

    covered = np.mean([line["low"] <= line["truth"] <= line["high"] for line in some])
    width = np.median([line["high"] - line["low"] for line in some])
    alone = []
    for name in ESTIMATORS:
        had = [line for line in some if name in line["estimators"] and name in (*IN_METRIC, "threshold", "entropy")]
        off = [line["oof"] - line["sign"] * line["estimators"][name] - line["truth"] for line in had]
        alone.append(f"{scale * np.median(np.abs(off)):.2f}" if had else "")
    forecast_error = error(np.array([line["forecast"] for line in some]))
    return [f"{100 * covered:.0f} %", f"{scale * width:.2f}", forecast_error, error(oof), *alone]


if __name__ == "__main__":
    main()
