"""python -m benchmarks.train_speed: training images per second over a whole 5-fold CV, the harness against its peers.

Three networks: `report`, what the digit-recognizer team trained (recipe improved_cnn: two convolutions, batch norm,
dropout, dense 128); `quick`, ours (five convolutions); `color`, what the CIFAR-10 team trained (32-64-64, batch norm,
dense 64) on 32x32 colour images. `benchmarks.peers` says what each contender does and what all share. Each is timed in a
fresh process of its own, held to the same cores, around all five folds: training and validation prediction, without
imports, decoding of the data and the split into folds. Contenders take turns (A B C D, A B C D, ...), so that a machine that slows down
slows them all; a ratio is taken within a round, and the table shows medians over the rounds. Images per second = images
that took part in a step, all folds and epochs together / seconds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import describe_machine, load_before, print_machine, spread
from benchmarks.common import say as _say
from benchmarks.peers import ROOT, Job
from harness.base.command import DataOption, JsonOption, data_root, new_app, user_command
from harness.base.errors import UserError
from harness.base.storage.atomic_files import read_json, write_json
from harness.competition import find_competition, load_recipe
from harness.cv.jobs.prepare import usable_cores
from harness.data.dataset import Dataset, load_dataset

BASELINE = "plain"
TITLES = {"plain": "plain PyTorch loop", "fastai": "fastai", "lightning": "Lightning", "harness": "harness"}
MODULES = {"fastai": ("fastai",), "lightning": ("lightning", "pytorch_lightning")}
INSTALL = {"fastai": "fastai", "lightning": "pytorch-lightning"}
TEST_ROWS = 100
NETWORKS = {"report": "improved_cnn", "quick": "quick", "color": "cnn_bn"}
"""Recipes; `color` is one of a competition that is written for the benchmark."""
DIGITS = ROOT / "competitions" / "digit-recognizer"

COLOR_TOML = """\
title = "Colours"
metric = "accuracy"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[data]
format = "image_folder"
size = [32, 32]
"""
COLOR_RECIPE = """\
[model]
name = "cnn"
[model.args]
stages = [[32], [64], [64]]
batch_norm = true
dense = [64]

[augment]
rotation = 15.0
shift = 0.1
shear = 0.2
zoom = 0.2
horizontal_flip = 0.5

[train]
batch_size = 128
lr = 0.001
"""

app = new_app()


@dataclass(frozen=True)
class Rounds:
    """What was measured: one dict (seconds, images, accuracy, how) per contender and round; why others were not."""

    timed: dict[str, list[dict[str, Any]]]
    absent: dict[str, str]


@app.command()
@user_command
def main(
    network: Annotated[
        list[str] | None, typer.Option(help="report, quick or color; may be repeated. Default: all.")
    ] = None,
    data: DataOption = None,
    rows: Annotated[int, typer.Option(help="Labelled rows, training and validation together.")] = 12_000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training rows of a fold.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender is timed.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores that each contender gets.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Time a 5-fold cross-validation of small CNNs: the harness, a plain PyTorch loop, fastai, Lightning.

    Takes the real digits where <data root>/digit-recognizer/ is there, else the embedded sample. Let nothing else run.
    """
    names = network or list(NETWORKS)
    for name in names:
        if name not in NETWORKS:
            raise UserError(f"--network {name}: unknown; known: {', '.join(NETWORKS)}")
    check_cores(threads)
    check_rows(rows)
    before, report = load_before(), {}
    with tempfile.TemporaryDirectory(prefix="train-speed-") as folder:
        for name in names:
            competition, source = prepare(name, Path(folder), data, rows)
            job = Job(str(competition), NETWORKS[name], str(Path(folder) / "data"), epochs, threads)
            cpu, job = warm_up(Path(folder), job)
            measured = run_rounds(Path(folder), job, rounds)
            report[name] = {"data": source, "contenders": {who: summarise(measured, who) for who in TITLES}}
    settings = {"rows": rows, "folds": 5, "epochs": epochs, "rounds": rounds, "cores": threads}
    machine = describe_machine(cpu, before)
    if as_json:
        print(json.dumps({"machine": machine, "settings": settings, "networks": report}, indent=2))
        return
    for name, found in report.items():
        print_table(f"{name}: {found['data']}", settings, found["contenders"])
    print_machine(machine)


def prepare(network: str, folder: Path, data: Path | None, rows: int) -> tuple[Path, str]:
    """Write the data root of a network's competition; returns the competition's folder and where the pixels are from."""
    if network == "color":
        write_colors(folder / "competitions" / "colors", folder / "data" / "colors", rows)
        return folder / "competitions" / "colors", f"{rows:,} synthetic images, 32x32 in colour"
    dataset = open_digits(data)
    if not (folder / "data" / DIGITS.name).is_dir():
        write_data_root(dataset, rows, folder / "data" / DIGITS.name)
    kind = "embedded sample" if dataset.is_sample else "real digits"
    return DIGITS, f"{kind}, {rows:,} rows of its {len(dataset.train):,}"


def write_colors(competition: Path, data: Path, rows: int) -> None:
    """A competition of 32x32 images: each class a fixed pattern, shifted and under noise, so that all can learn it."""
    from PIL import Image

    (competition / "recipes").mkdir(parents=True)
    (competition / "competition.toml").write_text(COLOR_TOML)
    (competition / "recipes" / "cnn_bn.toml").write_text(COLOR_RECIPE)
    rng = np.random.default_rng(0)
    patterns = rng.integers(60, 196, (10, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    for row in range(rows + TEST_ROWS):
        folder = data / "train" / str(row % 10) if row < rows else data / "test"
        folder.mkdir(parents=True, exist_ok=True)
        pattern = np.roll(patterns[row % 10], rng.integers(-6, 7, 2), axis=(0, 1))
        pixels = (pattern + rng.normal(0, 60, pattern.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{row}.png", compress_level=1)


def check_cores(threads: int) -> None:
    """Refuse a machine that cannot give every contender the same cores."""
    cores = usable_cores()
    if threads > cores:
        raise UserError(f"--threads {threads}: this machine has {cores} usable cores; take --threads {cores}")
    if threads < cores and not hasattr(os, "sched_setaffinity"):
        raise UserError(
            f"--threads {threads}: {platform.system()} cannot hold a process to {threads} of its {cores} cores, so the "
            f"contenders would get unlike shares; take --threads {cores}"
        )


def check_rows(rows: int) -> None:
    """Refuse fewer rows than make a batch in every fold."""
    recipe = load_recipe(DIGITS, NETWORKS["quick"])
    k, batch = recipe.cv.folds, recipe.train.batch_size
    least = 2 * batch * k // (k - 1)
    if rows < least:
        raise UserError(f"--rows {rows}: too few for two batches of {batch} in each of {k} folds; take {least} or more")


def open_digits(data: Path | None) -> Dataset:
    """The real digits where they are; the embedded sample where none are there and no data root was named."""
    competition, root = find_competition(DIGITS), data_root(data)
    real = (root / competition.slug).is_dir()
    if data is not None and not real:
        raise UserError(
            f"--data {data}: has no folder {competition.slug}; leave --data out to take the embedded sample"
        )
    return load_dataset(competition, root, sample=not real)


def write_data_root(dataset: Dataset, rows: int, folder: Path) -> None:
    """Write `rows` training rows (a seeded draw, repeated where there are fewer) and a small test set as CSVs."""
    import pandas as pd

    assert dataset.train.labels is not None  # training rows always have labels
    chosen = np.resize(np.random.default_rng(0).permutation(len(dataset.train)), rows)
    pixels = dataset.train.images[chosen].reshape(rows, -1)
    table = pd.DataFrame(pixels, columns=[f"pixel{i}" for i in range(pixels.shape[1])])
    folder.mkdir(parents=True)
    table.head(TEST_ROWS).to_csv(folder / "test.csv", index=False)
    table.insert(0, "label", dataset.train.labels[chosen])
    table.to_csv(folder / "train.csv", index=False)
    ids = np.arange(1, TEST_ROWS + 1)
    pd.DataFrame({"ImageId": ids, "Label": 0}).to_csv(folder / "sample_submission.csv", index=False)


def warm_up(folder: Path, job: Job) -> tuple[str, Job]:
    """Decode the data, let the harness time its layouts, find the DataLoaders' faster num_workers on one fold.

    Returns
    -------
    The CPU's name, and the job with that num_workers
    """
    first = run_contender(folder, replace(job, epochs=1, folds=(0,)), "harness")
    _say(f"harness: {first['how'].partition(',')[0]} is its fastest layout here")
    speeds = {}
    for workers in (0, job.threads):
        speeds[workers] = _speed(run_contender(folder, replace(job, num_workers=workers, folds=(0,)), BASELINE))
        _say(f"plain loop, one fold, num_workers={workers}: {speeds[workers]:,.0f} images/s")
    return first["cpu"], replace(job, num_workers=max(speeds, key=lambda workers: speeds[workers]))


def run_rounds(folder: Path, job: Job, rounds: int) -> Rounds:
    """Time everyone who is installed, in turns. A peer that fails is not asked again; the plain loop and we must run."""
    absent = {name: f"not installed (pip install {INSTALL[name]})" for name in INSTALL if not _installed(name)}
    timed: dict[str, list[dict[str, Any]]] = {name: [] for name in TITLES if name not in absent}
    for number in range(1, rounds + 1):
        for name in list(timed):
            try:
                result = run_contender(folder, job, name)
            except UserError as error:
                if name not in INSTALL:
                    raise
                absent[name] = f"failed: {error}"
                del timed[name]
                _say(f"round {number}: {TITLES[name]}: {absent[name]}")
                continue
            timed[name].append(result)
            _say(f"round {number}: {TITLES[name]}: {_speed(result):,.0f} images/s in {result['seconds']:.1f} s")
    return Rounds(timed, absent)


def run_contender(folder: Path, job: Job, name: str) -> dict[str, Any]:
    """Carry a job out in a fresh process; timings and decoded rows are kept in `folder` only.

    Raises
    ------
    UserError
        If it fails; ends with the last line it said.
    """
    (folder / "result.json").unlink(missing_ok=True)
    write_json(folder / "job.json", asdict(job))
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache")}
    if job.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    command = [sys.executable, "-m", "benchmarks.peers", str(folder), name]
    ended = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(f"{TITLES[name]} ended with exit code {ended.returncode}: {said[-1] if said else 'no message'}")
    return read_json(folder / "result.json")


def summarise(measured: Rounds, name: str) -> dict[str, Any]:
    """Medians and ranges of a contender over the rounds, or why there are none."""
    if name in measured.absent:
        return {"absent": measured.absent[name]}
    results, baseline = measured.timed[name], measured.timed[BASELINE]
    speeds = [_speed(result) for result in results]
    ratios = [speed / _speed(base) for speed, base in zip(speeds, baseline, strict=True)]
    return {
        "images_per_second": spread(speeds),
        "ratio": spread(ratios),
        "seconds": [round(result["seconds"], 2) for result in results],
        "accuracy": round(median(result["accuracy"] for result in results), 4),
        "how": results[-1]["how"],
    }


def print_table(title: str, settings: dict[str, int], contenders: dict[str, Any]) -> None:
    """The table for people."""
    from rich.console import Console
    from rich.table import Table

    said = ", ".join(f"{name} {value:,}" for name, value in settings.items() if name != "rows")
    table = Table(title=f"{title} ({said})", title_justify="left")
    for header in ("contender", "images/s", "min..max", "ratio to plain", "min..max", "accuracy", "how"):
        table.add_column(header, justify="left" if header in ("contender", "how") else "right")
    for name, line in contenders.items():
        table.add_row(TITLES[name], *_cells(line), style="bold" if name == "harness" else None)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _cells(line: dict[str, Any]) -> list[str]:
    if "absent" in line:
        return ["-"] * 5 + [line["absent"]]
    speed, ratio = line["images_per_second"], line["ratio"]
    return [
        f"{speed['median']:,.0f}",
        f"{speed['min']:,.0f}..{speed['max']:,.0f}",
        f"{ratio['median']:.2f}x",
        f"{ratio['min']:.2f}..{ratio['max']:.2f}",
        f"{line['accuracy']:.1%}",
        line["how"],
    ]


def _speed(result: dict[str, Any]) -> float:
    return result["images"] / result["seconds"]


def _installed(name: str) -> bool:
    return any(importlib.util.find_spec(module) for module in MODULES[name])


if __name__ == "__main__":
    app()
