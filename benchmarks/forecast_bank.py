"""Many small leaderboards with held-out labels, kept, so that a change of the forecast is judged in a minute.

python -m benchmarks.forecast_bank [--data DIR] [--work DIR] [--only cifar-10] [--recipes weak,ordinary,overfitted] [--draw N]

The four sets of `benchmarks.forecast`, cut to 5,000 rows of at most 32 pixels; a fifth is held out. Three folds of a small
network by three recipes: weak (2 epochs), ordinary (8, shifted and zoomed), overfitted (30, as the images are). Of each
run 38 tests: eight halves of the held-out fifth, six halves with other shares of the classes, 24 mixes of two or three
corruptions. A forecast never sees what its test was made of: neither the corruptions of a mix, nor other shares of the
classes where it has them. What does not hang on the forecast's rule is computed once and stays in --work:
a second call takes half a minute. A change is to be chosen on digits and CIFAR-10, and judged on blood cells and X-rays.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import say
from benchmarks.forecast import PLAYS, Play, hold_out, mixed, predictions, trained
from harness.base.command import data_root
from harness.competition import Competition
from harness.cv.scores import competition_metrics
from harness.data.dataset import load_dataset
from harness.oof.forecast.calibration import Cells, known_of, known_rows, suite_cells
from harness.oof.forecast.estimators import ESTIMATORS
from harness.oof.forecast.forecast import Measured, forecast, measure
from harness.oof.forecast.inputs import ForecastInputs, Looks, forecast_inputs_of
from harness.oof.forecast.interval import LEVEL
from harness.train.inputs.image_statistics import describe_images

ROWS, SIDE = 5000, 32

RECIPES = {
    "weak": (2, ""),
    "ordinary": (8, '[augment]\nfill = "edge"\nshift = 0.08\nzoom = 0.1\n'),
    "overfitted": (30, ""),
}
"""Epochs and augmentation."""

_RECIPE = """\
[model]
name = "cnn"
[model.args]
stages = [[16], [32], [64]]
batch_norm = true
pool_first = true
head = "flatten"
{augment}[train]
epochs = {epochs}
batch_size = 64
lr = 0.003
schedule = "one_cycle"
[cv]
folds = 3
"""


@dataclass(frozen=True)
class Board:
    """One test of a run: what a forecast sees of it, and the labels (t,), which it does not.

    Attributes
    ----------
    kind : "as they are", "class shares" or "mixes"; made_of : names of the cells that the forecast does without
    proba : float32 (k, t, C), what each fold model says
    """

    kind: str
    title: str
    made_of: tuple[str, ...]
    looks: Looks
    proba: np.ndarray
    labels: np.ndarray
    measured: Measured


@dataclass(frozen=True)
class Shelf:
    """The boards of a set and a recipe; estimators : names of those that were asked."""

    set: str
    recipe: str
    competition: Competition
    subject: ForecastInputs
    cells: Cells
    boards: list[Board]
    estimators: tuple[str, ...] = tuple(ESTIMATORS)


def shelf(play: Play, recipe: str, root: Path, work: Path, draw: int) -> Shelf:
    """Made, or read where it stands and the same estimators were asked."""
    path = work / f"{play.slug}-{recipe}.pickle"
    if path.is_file():
        with path.open("rb") as file:
            stands: Shelf = pickle.load(file)  # noqa: S301
        if stands.estimators == tuple(ESTIMATORS):
            return stands
    competition, images, labels = hold_out(replace(play, rows=ROWS), root, work / play.slug, SIDE, draw)
    epochs, augment = RECIPES[recipe]
    text = _RECIPE.format(epochs=epochs, augment=augment)
    (competition.folder / "recipes" / f"{recipe}.toml").write_text(text)
    run = trained(recipe, competition, work / play.slug)
    subject = forecast_inputs_of(run)
    assert subject.suite is not None
    say(f"{play.slug}, {recipe}: estimators on the noise suite")
    metric, rows = competition_metrics(competition)[0], subject.scored
    cells = suite_cells(known_rows(subject, metric, subject.suite), subject)
    known = known_of(subject, metric, rows)
    train = describe_images(load_dataset(competition, work / play.slug / "data").train.images, rows)
    boards = []
    for kind, title, made_of, pictures, test_rows in tests(images, labels, subject, competition, draw):
        home = work / play.slug / recipe
        home.mkdir(exist_ok=True)
        proba = predictions(run, competition, pictures, home / f"{title}.npy")[:, test_rows]
        looks = Looks(train, rows, describe_images(pictures, test_rows), test_rows)
        measured = measure(known, replace(subject, test_folds=list(proba)), looks)
        boards.append(Board(kind, title, made_of, looks, proba, labels[test_rows], measured))
    made = Shelf(play.slug, recipe, competition, subject, cells, boards)
    with path.open("wb") as file:
        pickle.dump(made, file)
    return made


def tests(
    images: np.ndarray, labels: np.ndarray, subject: ForecastInputs, competition: Competition, draw: int
) -> Iterable[tuple[str, str, tuple[str, ...], np.ndarray, np.ndarray]]:
    """(kind, title, made of, images, rows of them) of every test."""
    rng, half = np.random.default_rng(1 + draw), len(labels) // 2
    for _ in range(8):
        yield "as they are", "plain", (), images, np.sort(rng.permutation(len(labels))[:half])
    for _ in range(6):
        share = np.exp(rng.normal(0, 0.8, labels.max() + 1))[labels]
        rows = np.sort(rng.choice(len(labels), half, p=share / share.sum(), replace=False))
        yield "class shares", "plain", ("class shares",), images, rows
    assert subject.suite is not None
    names = [n for n in subject.suite.names if n != "flips" or "vflip" in competition.symmetries]
    for number in range(24):
        chosen = tuple(rng.choice(names, rng.integers(2, 4), replace=False))
        levels = rng.integers(1, 6, len(chosen))
        title = " + ".join(f"{n} {level}" for n, level in zip(chosen, levels, strict=True))
        yield "mixes", title, chosen, mixed(images, chosen, levels, number), np.arange(len(labels))


def judged(of: Shelf) -> list[dict[str, Any]]:
    """A line of each board: what it is, the forecast, and the truth."""
    metric = competition_metrics(of.competition)[0]
    lines = []
    for board in of.boards:
        subject = replace(of.subject, test_folds=list(board.proba))
        cells = of.cells.without(set(board.made_of))
        found, _ = forecast(of.competition, subject, looks=board.looks, cells=cells, measured=board.measured)
        truth = metric(board.labels, subject.judged_together(metric))
        line = {"set": of.set, "recipe": of.recipe, "tests": board.kind, "title": board.title, "truth": truth}
        line |= {"forecast": found.public.score, "low": found.public.low, "high": found.public.high}
        lines.append(line | {"oof": found.oof["score"], "rule": found.rule})
    return lines


def show(lines: list[dict[str, Any]]) -> None:
    """Tables by set and by recipe, in points: all four metrics are shares."""
    from rich.console import Console
    from rich.table import Table

    for by in ("set", "recipe"):
        table = Table(title="90 % forecasts of the bank", title_justify="left")
        for head in ("tests", by, "n", "covered", "median width", "median error", "plain OOF", "interval score"):
            table.add_column(head, justify="left" if head in ("tests", by) else "right")
        for tests_of in dict.fromkeys(line["tests"] for line in lines):
            for name in [*dict.fromkeys(line[by] for line in lines), "all"]:
                some = [line for line in lines if line["tests"] == tests_of and name in ("all", line[by])]
                table.add_row(tests_of, name, str(len(some)), *_row(some))
        Console(width=None if sys.stdout.isatty() else 120).print(table)


def _row(some: list[dict[str, Any]]) -> list[str]:
    truth, said, low, high, oof = (
        np.array([line[key] for line in some]) for key in ("truth", "forecast", "low", "high", "oof")
    )
    missed = np.clip(low - truth, 0, None) + np.clip(truth - high, 0, None)
    score = np.mean(high - low + 2 / (1 - LEVEL) * missed)  # Gneiting and Raftery 2007: width, and a fine for misses
    figures = (np.median(high - low), np.median(np.abs(said - truth)), np.median(np.abs(oof - truth)), score)
    return [f"{100 * np.mean(missed == 0):.0f} %", *(f"{100 * figure:.2f}" for figure in figures)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=None)
    arguments.add_argument("--work", type=Path, default=Path("benchmarks/.forecast-bank"))
    arguments.add_argument("--only", action="append")
    arguments.add_argument("--recipes", default=",".join(RECIPES))
    arguments.add_argument("--draw", type=int, default=0, help="another fifth, other mixes; for a --work of its own")
    given = arguments.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    lines = []
    for recipe in given.recipes.split(","):
        for play in PLAYS:
            if not given.only or play.slug in given.only:
                lines += judged(shelf(play, recipe, data_root(given.data), given.work.resolve(), given.draw))
    (given.work / "lines.json").write_text(json.dumps(lines, indent=1))
    show(lines)


if __name__ == "__main__":
    from benchmarks.forecast_bank import main as run  # what is pickled is of a module that can be found again

    run()
