"""python -m benchmarks.train_speed: training images per second over a whole 5-fold CV, the harness against its peers.

The small CNN of recipe quick on 28x28 digits; `benchmarks.peers` says what each contender does and what all share. Each
is timed in a fresh process of its own, held to the same cores, around all five folds: training and validation
prediction, without imports and without decoding of the data. Contenders take turns (A B C D, A B C D, ...), so that a
machine that slows down slows them all; a ratio is taken within a round, and the table shows medians over the rounds.
Images per second = images that took part in a step, all folds and epochs together / seconds.
"""

from __future__ import annotations

import importlib.metadata
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

from benchmarks.peers import COMPETITION, RECIPE, ROOT, Job
from harness.base.command import DataOption, JsonOption, data_root, new_app, user_command
from harness.base.errors import UserError
from harness.base.files import read_json, write_json
from harness.competition import find_competition, load_recipe
from harness.cv.prepare import usable_cores
from harness.data.dataset import Dataset, load_dataset

BASELINE = "plain"
TITLES = {"plain": "plain PyTorch loop", "fastai": "fastai", "lightning": "Lightning", "harness": "harness"}
MODULES = {"fastai": ("fastai",), "lightning": ("lightning", "pytorch_lightning")}
INSTALL = {"fastai": "fastai", "lightning": "pytorch-lightning"}
VERSIONED = ("torch", "torchvision", "fastai", "lightning", "pytorch-lightning")
TEST_ROWS = 100

app = new_app()


@dataclass(frozen=True)
class Rounds:
    """What was measured: one dict (seconds, images, accuracy, how) per contender and round; why others were not."""

    timed: dict[str, list[dict[str, Any]]]
    absent: dict[str, str]


@app.command()
@user_command
def main(
    data: DataOption = None,
    rows: Annotated[int, typer.Option(help="Labelled rows, training and validation together.")] = 6000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training rows of a fold.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender is timed.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores that each contender gets.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Time a 5-fold cross-validation of a small CNN: the harness, a plain PyTorch loop, fastai, Lightning.

    Takes the real digits where <data root>/digit-recognizer/ is there, else the embedded sample. Let nothing else run.
    """
    check_cores(threads)
    check_rows(rows)
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    dataset = open_digits(data)
    with tempfile.TemporaryDirectory(prefix="train-speed-") as name:
        folder = Path(name)
        write_data_root(dataset, rows, folder / "data" / COMPETITION.name)
        cpu, job = warm_up(folder, Job(str(folder / "data"), epochs, threads))
        measured = run_rounds(folder, job, rounds)
    report = {
        "machine": describe_machine(cpu, load_before),
        "data": f"{'embedded sample' if dataset.is_sample else 'real digits'}, {rows:,} rows of its {len(dataset.train):,}",
        "settings": {"rows": rows, "folds": 5, "epochs": epochs, "rounds": rounds, "cores": threads},
        "contenders": {name: summarise(measured, name) for name in TITLES},
    }
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print_table(report)


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
    recipe = load_recipe(COMPETITION, RECIPE)
    k, batch = recipe.cv.folds, recipe.train.batch_size
    least = 2 * batch * k // (k - 1)
    if rows < least:
        raise UserError(f"--rows {rows}: too few for two batches of {batch} in each of {k} folds; take {least} or more")


def open_digits(data: Path | None) -> Dataset:
    """The real digits where they are; the embedded sample where none are there and no data root was named."""
    competition, root = find_competition(COMPETITION), data_root(data)
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
    """Carry a job out in a fresh process, on the CPU; timings and decoded rows are kept in `folder` only.

    Raises
    ------
    UserError
        If it fails; ends with the last line it said.
    """
    (folder / "result.json").unlink(missing_ok=True)
    write_json(folder / "job.json", asdict(job))
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
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
        "images_per_second": _range(speeds),
        "ratio": _range(ratios),
        "seconds": [round(result["seconds"], 2) for result in results],
        "accuracy": round(median(result["accuracy"] for result in results), 4),
        "how": results[-1]["how"],
    }


def describe_machine(cpu: str, load_before: float | None) -> dict[str, Any]:
    """CPU, cores, versions, and how busy the machine was before."""
    found = {d.name.lower(): d.version for d in importlib.metadata.distributions() if d.name.lower() in VERSIONED}
    versions = {name: found[name] for name in VERSIONED if name in found}
    return {"cpu": cpu, "cores": usable_cores(), "python": platform.python_version(), "load_before": load_before} | {
        "versions": versions
    }


def print_table(report: dict[str, Any]) -> None:
    """The table for people, with the machine below it."""
    from rich.console import Console
    from rich.table import Table

    settings, machine = report["settings"], report["machine"]
    title = ", ".join(f"{name} {value:,}" for name, value in settings.items())
    table = Table(title=f"Training speed ({title})", title_justify="left")
    for header in ("contender", "images/s", "min..max", "ratio to plain", "min..max", "accuracy", "how"):
        table.add_column(header, justify="left" if header in ("contender", "how") else "right")
    for name, line in report["contenders"].items():
        table.add_row(TITLES[name], *_cells(line), style="bold" if name == "harness" else None)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {versions}")
    print(f"data:    {report['data']}")
    if machine["load_before"] is not None and machine["load_before"] > 0.3:
        print(f"warning: load average {machine['load_before']:.1f} before the start: other jobs took part in this.")


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


def _range(values: list[float]) -> dict[str, float]:
    return {name: round(pick(values), 3) for name, pick in (("median", median), ("min", min), ("max", max))}


def _speed(result: dict[str, Any]) -> float:
    return result["images"] / result["seconds"]


def _installed(name: str) -> bool:
    return any(importlib.util.find_spec(module) for module in MODULES[name])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
