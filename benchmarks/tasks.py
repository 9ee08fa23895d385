"""python -m benchmarks.tasks: several labels and ordered grades on real digits, against the loop that a competitor writes.

The 1,797 real digits of scikit-learn (Alpaydin and Kaynak 1998). `pairs`: two digits side by side, both are labels; `grades`: a digit's
half as an ordered grade. Both contenders have the same network (the harness's `cnn` of the recipe below), the same folds, epochs,
batches and learning rate. The plain loop: tensors in memory, Adam, binary cross-entropy or cross-entropy, answers by one half or the
largest probability. Scores are of out-of-fold rows: macro ROC AUC of the labels, quadratic kappa of the grades.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from sklearn.datasets import load_digits
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score

RECIPE = """\
[model]
name = "cnn"
[model.args]
stages = [[16], [32]]
batch_norm = true
dense = [64]
[train]
epochs = {epochs}
batch_size = 32
lr = 0.003
schedule = "one_cycle"
[cv]
folds = 5
"""


def make(root: Path, name: str, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Write a competition of arrays; returns images (n, H, W) and targets."""
    digits, rng = load_digits(), np.random.default_rng(0)
    images, labels = (digits.images * 15.9).astype(np.uint8), digits.target
    if name == "pairs":
        pairs = rng.integers(0, len(labels), (1_500, 2))
        images = np.concatenate([images[pairs[:, 0]], images[pairs[:, 1]]], axis=2)
        targets = np.zeros((len(pairs), 10), dtype=np.uint8)
        for column in (0, 1):
            targets[np.arange(len(pairs)), labels[pairs[:, column]]] = 1
    else:
        targets = (labels // 2).astype(np.uint8)
    folder, data = root / "competitions" / name, root / "data" / name
    (folder / "recipes").mkdir(parents=True)
    data.mkdir(parents=True)
    task = {"pairs": "multilabel", "grades": "ordinal"}[name]
    metric = {"pairs": "roc_auc", "grades": "quadratic_kappa"}[name]
    also = {"pairs": '["samples_f1"]', "grades": '["accuracy"]'}[name]
    height, width = images.shape[1:]
    (folder / "competition.toml").write_text(
        f'title = "{name}"\ntask = "{task}"\nmetric = "{metric}"\nalso = {also}\n[data]\nformat = "npz"\nsize = [{height}, {width}]\n'
        'channels = 1\ntrain = "train.npz"\nlabel = "labels"\ntest = "test.npz"\noptional = ["test.npz"]\n'
    )
    (folder / "recipes" / "plain.toml").write_text(RECIPE.format(epochs=epochs))
    np.savez(data / "train.npz", images=images, labels=targets)
    return images, targets


def harness(root: Path, name: str, seed: int) -> dict[str, Any]:
    """Run the command; returns what scores.json says, and where the run is."""
    command = [sys.executable, "-m", "harness.cv", name, "--recipe", "plain", "--set", f"seed={seed}", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "HARNESS_CACHE": str(root / "cache")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def plain_loop(images: np.ndarray, targets: np.ndarray, fold: np.ndarray, epochs: int, seed: int) -> np.ndarray:
    """Out-of-fold probabilities float (n, C) by the loop that a competitor writes."""
    import torch
    from torch import nn

    from harness.models.small import cnn

    torch.manual_seed(seed)
    x = torch.from_numpy(images).float().unsqueeze(1) / 255
    several = targets.ndim == 2
    y = torch.from_numpy(targets).float() if several else torch.from_numpy(targets).long()
    n_out = targets.shape[1] if several else int(targets.max()) + 1
    loss_of = nn.BCEWithLogitsLoss() if several else nn.CrossEntropyLoss()
    out = np.zeros((len(images), n_out))
    for number in np.unique(fold):
        train, valid = (
            torch.from_numpy(np.flatnonzero(fold != number)),
            torch.from_numpy(np.flatnonzero(fold == number)),
        )
        network = cnn(*images.shape[1:], 1, n_out, stages=[[16], [32]], batch_norm=True, dense=[64])
        optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
        network.train()
        for _ in range(epochs):
            for rows in train[torch.randperm(len(train))].split(32):
                optimizer.zero_grad()
                loss_of(network(x[rows]), y[rows]).backward()
                optimizer.step()
        network.eval()
        with torch.no_grad():
            logits = network(x[valid])
            out[valid.numpy()] = (logits.sigmoid() if several else logits.softmax(dim=1)).numpy()
    return out


def scores_of(targets: np.ndarray, proba: np.ndarray) -> dict[str, float]:
    """By scikit-learn, with the plain loop's answers."""
    if targets.ndim == 2:
        return {
            "roc_auc": float(roc_auc_score(targets, proba, average="macro")),
            "samples_f1": float(f1_score(targets, proba >= 0.5, average="samples", zero_division=0)),
        }
    said = proba.argmax(axis=1)
    return {
        "quadratic_kappa": float(cohen_kappa_score(targets, said, weights="quadratic")),
        "accuracy": float((said == targets).mean()),
    }


def main(
    epochs: Annotated[int, typer.Option(help="Of both contenders.")] = 12,
    seeds: Annotated[int, typer.Option(help="Repetitions.")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Print a line for each data set, metric and contender: the mean over seeds, and each of them."""
    from harness.runs import load_run

    report: dict[str, Any] = {}
    for name in ("pairs", "grades"):
        with tempfile.TemporaryDirectory(prefix="tasks-") as folder:
            root = Path(folder)
            images, targets = make(root, name, epochs)
            ours: dict[str, list[float]] = {}
            theirs: dict[str, list[float]] = {}
            for seed in range(seeds):
                told = harness(root, name, seed)
                for metric, value in told["metrics"].items():
                    ours.setdefault(metric, []).append(value["pooled"])
                fold = load_run(root / told["path"]).folds.fold
                for metric, value in scores_of(targets, plain_loop(images, targets, fold, epochs, seed)).items():
                    theirs.setdefault(metric, []).append(value)
        report[name] = {"harness": ours, "plain loop": theirs}
        for metric in theirs:
            for who, values in (("harness", ours[metric]), ("plain loop", theirs[metric])):
                each = ", ".join(f"{value:.5f}" for value in values)
                print(f"{name:<8}{metric:<18}{who:<12}{np.mean(values):.5f}   ({each})", flush=True)
    if json_file:
        json_file.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    typer.run(main)
