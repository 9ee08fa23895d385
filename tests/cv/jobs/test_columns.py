"""Columns beside images through a whole cross-validation: they reach every kind of model, every prediction, and trees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import TINY_RECIPE

TOML = """\
title = "Moles"
metric = "accuracy"
also = ["log_loss"]
classes = ["no", "yes"]
[data]
format = "image_csv"
size = 8
channels = 1
labels = "train.csv"
test_rows = "test.csv"
id = "id"
label = "target"
features = ["size", "site"]
"""
OWN = """\
import torch


def build_model(height, width, channels, n_classes, columns):
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(columns, n_classes)

        def forward(self, x, columns):
            return self.layer(columns) + 0 * x.mean()

    return Own()
"""
N, TEST = 120, 12
CV = ("--data", "data", "--set", "cv.folds=2", "--workers", "1")
LONGER = ("--set", "train.epochs=25", "--set", "train.lr=0.02")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of noise; a number, with gaps, tells the label."""
    root = tmp_path_factory.mktemp("moles")
    rng = np.random.default_rng(0)
    folder, data = root / "competitions" / "moles", root / "data" / "moles"
    (folder / "recipes").mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML)
    (folder / "competition.py").write_text(OWN)
    (folder / "recipes" / "tiny.toml").write_text(TINY_RECIPE)
    for split, first, n in (("train", 0, N), ("test", 500, TEST)):
        (data / split).mkdir(parents=True)
        rows = np.arange(first, first + n)
        for row in rows:
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(data / split / f"{row}.png")
        size = rows % 2 * 6 + rng.normal(0, 1, n)
        table = {
            "id": rows,
            "size": np.where(rows % 10 == 9, np.nan, size),
            "site": np.array(["a", "b", "c"])[rows % 3],
        }
        if split == "train":
            table["target"] = np.array(["no", "yes"])[rows % 2]
        pd.DataFrame(table).to_csv(data / f"{split}.csv", index=False)
    return root


def play(project: Path, run_command, *args: str) -> tuple[dict, Path]:
    done = run_command("harness.cv", "moles", *CV, *args, "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    path = next(Path(v) for v in told.values() if isinstance(v, str) and "oof" in v and (project / v).is_dir())
    return told["metrics"]["accuracy"], project / path


def test_a_network_learns_from_columns_and_does_without_where_told(project: Path, run_command):
    accuracy, run = play(project, run_command, "--recipe", "tiny", *LONGER, "--set", "train.ema=0.9")
    assert accuracy["pooled"] > 0.85
    test = pd.read_parquet(run / "test.parquet")
    rows = test["id"].astype(int) % 10 != 9
    assert (test.iloc[:, 1:].to_numpy().argmax(axis=1) == test["id"].astype(int) % 2)[rows].all()
    without, other = play(project, run_command, "--recipe", "tiny", *LONGER, "--set", "data.columns=false")
    assert without["pooled"] < 0.7 and other != run


@pytest.mark.parametrize(
    "more",
    [
        ("--set", "augment.mixup=0.2"),
        ("--set", "augment.cutmix=0.5", "--set", "predict.tta=['identity', 'hflip']"),
        ("--set", "model.name=custom", "--set", "model.args={}"),
        ("--set", "model.name=timm", "--set", "model.args={backbone='resnet10t'}", "--set", "features={views=1}"),
        ("--set", "train.patience=20"),
        ("--set", "train.swa=0.5"),
        ("--set", "train.seeds=2", "--noise", "--noise-rows", "20"),
    ],
    ids=["mixup", "cutmix", "custom", "frozen", "patience", "swa", "seeds"],
)
def test_whatever_a_recipe_asks_for_carries_them_along(project: Path, run_command, more: tuple[str, ...]):
    accuracy, _ = play(project, run_command, "--recipe", "tiny", *LONGER, *more)
    assert accuracy["pooled"] > 0.85


def test_noise_and_pseudo_labels_carry_them_along(project: Path, run_command):
    _, run = play(project, run_command, "--recipe", "tiny", *LONGER, "--noise", "--noise-rows", "40")
    noise = json.loads((run / "noise.json").read_text())
    assert noise["mean"] > 0.8  # the columns are not spoiled
    pseudo = ("--set", f"pseudo.run={run.name}", "--set", "pseudo.threshold=0.7")
    accuracy, _ = play(project, run_command, "--recipe", "tiny", *LONGER, *pseudo)
    assert accuracy["pooled"] > 0.85


def test_trees_on_columns_are_a_run_like_any_other(project: Path, run_command):
    accuracy, run = play(project, run_command, "--recipe", "columns")
    assert accuracy["pooled"] > 0.85
    frozen = (
        "--set",
        "model.args.backbone=resnet10t",
        "--set",
        "model.args.weights=scratch",
        "--set",
        "features={views=1}",
    )
    both, _ = play(project, run_command, "--recipe", "columns", *frozen)
    assert both["pooled"] > 0.8
    done = run_command("harness.oof", "ensemble", "moles", "--data", "data", cwd=project)
    assert done.returncode == 0, done.stderr
    sent = run_command("harness.submit", "moles", "--run", run.name, "--data", "data", "--dry-run", cwd=project)
    assert sent.returncode == 0, sent.stderr
    bundle = run_command(
        "harness.submit", "moles", "--run", run.name, "--data", "data", "--bundle", "--dry-run", cwd=project
    )
    assert bundle.returncode == 2 and "takes columns beside the images" in bundle.stderr


def test_trees_without_columns_are_refused_with_a_cure(project: Path, run_command):
    done = run_command("harness.cv", "moles", *CV, "--recipe", "columns", "--set", "data.columns=false", cwd=project)
    assert done.returncode == 2 and "has no columns beside its images (data.columns = false)" in done.stderr
    noisy = run_command("harness.cv", "moles", *CV, "--recipe", "columns", "--noise", cwd=project)
    assert noisy.returncode == 2 and "--noise: spoils images" in noisy.stderr
