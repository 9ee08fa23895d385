"""Readers of a competition's and a recipe's TOML."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz.changes import toml_lines
from benchmarks.fuzz.parts import (
    TOML_WORDS,
    Reader,
    Seed,
)


def readers() -> list[Reader]:
    """Of this kind."""
    return [
        Reader("competition", _competition_tomls, _read_competition, TOML_WORDS),
        Reader("recipe", _recipe_tomls, _read_recipe, TOML_WORDS),
    ]


_COMPETITION_TOML = """\
title = "Fuzz"
platform = "kaggle"
url = "https://example.org"
dataset = "owner/name"
metric = "accuracy"
also = ["macro_f1", "log_loss"]
classes = ["cat", "dog", "owl"]
symmetries = ["hflip"]

[data]
format = "image_csv"
size = [4, 4]
channels = 1
train = "train"
merge = ["val"]
test = "test"
optional = ["test"]
labels = "labels.csv"
label = "label"
id = "id"
group = "(\\\\d+)_"
archive = "fuzz.zip"

[submission]
id = "id"
value = "probability"
sample = "sample.csv"

[leaderboard]
public_share = 0.5
private_share = 0.5
counted = 100

[codabench]
phase = 3
site = "https://example.org"

[sets.other.data]
format = "npz"
size = [4, 4]
[sets.other.submission]
id = "x"
"""


def _competition_tomls() -> list[Seed]:
    return [Seed("competition.toml", _COMPETITION_TOML.encode(), toml_lines)]


def _read_competition(path: Path) -> None:
    from harness.competition import find_competition
    from harness.competition.recipe import DataChoice

    competition = find_competition(path.parent)
    for name in competition.sets:
        competition.using(DataChoice(set=name)).leaderboard.rows(10)
    competition.model_dump(mode="json")


_RECIPE_TOML = """\
description = "one"
answers_to = "two"
seed = 3

[data]
size = [8, 8]

[model]
name = "cnn"
[model.args]
stages = [[4]]
batch_norm = true

[augment]
fill = "reflect"
rotation = 180.0
shift = 0.08
horizontal_flip = 0.5
randaugment = { operations = 2, magnitude = 0.4 }
erasing_area = [0.02, 0.12]

[train]
epochs = 2
batch_size = 16
optimizer = "adamw"
lr = 0.01
schedule = "one_cycle"
warmup = 0.1
precision = "fp32"

[cv]
folds = 3
seed = 1

[predict]
tta = ["identity", "hflip"]
weights = [1.0, 2.0]
across_folds = "vote"

[tune]
"train.lr" = { low = 0.001, high = 0.1, log = true }
"train.optimizer" = { choices = ["adamw", "sgd"] }
"""


def _recipe_tomls() -> list[Seed]:
    clusters = '[model]\nname = "cnn"\npretrained = false\n[clusters]\n[text]\n[pseudo]\nrun = "x"\nthreshold = 0.9\n'
    return [
        Seed("recipes/one.toml", _RECIPE_TOML.encode(), toml_lines),
        Seed("recipes/two.toml", clusters.encode(), toml_lines),
    ]


def _read_recipe(path: Path) -> None:
    from harness.competition import load_recipe

    recipe = load_recipe(path.parent.parent, path.stem)
    recipe.digest()
    recipe.model_dump(mode="json")
