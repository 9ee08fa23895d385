"""Sampling and logit adjustment through the commands: with whatever else a recipe asks for, repeated, resumed, streamed, in a bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from harness.runs import Run, RunFolder, load_run
from tests.conftest import make_shapes
from tests.submit.inside import tried_inside  # noqa: F401 - a fixture

CV = ("shapes", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2", "--json")
SQRT, ADJUSTED = ("--set", "train.sampling=sqrt"), ("--set", "train.logit_adjustment=1.0")


def make_uneven(project: Path, metric: str = "log_loss") -> None:
    """Shapes, 40 circles and 8 squares, and a weight for each of them."""
    make_shapes(project, per_class=40)
    train, toml = project / "data" / "shapes" / "train", project / "competitions" / "shapes" / "competition.toml"
    for path in sorted((train / "square").glob("*.png"))[8:]:
        path.unlink()
    added = '"image_folder"\nweight = "sure"\njoin = {file = "sure.csv", id = "path"}'
    toml.write_text(toml.read_text().replace('"accuracy"', f'"{metric}"').replace('"image_folder"', added))
    paths = sorted(path.relative_to(train).as_posix() for path in train.glob("*/*.png"))
    pd.DataFrame({"path": paths, "sure": 1 + np.arange(len(paths)) % 3}).to_csv(train.parent / "sure.csv", index=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("uneven")
    make_uneven(root)
    return root


def play(project: Path, run_command, *args: str) -> Run:
    done = run_command("harness.cv", *CV, *args, cwd=project)
    assert done.returncode == 0, done.stderr
    return load_run(project / json.loads(done.stdout)["path"])


def saved(run: Run, fold: int = 0) -> dict[str, np.ndarray]:
    """A fold's weights."""
    return load_file(RunFolder(run.path).checkpoint_path(fold))


@pytest.mark.parametrize(
    ("way", "more"),
    [
        (SQRT, ("--set", "augment.mixup=0.3", "--set", "augment.cutmix=0.3")),
        (ADJUSTED, ("--set", "augment.mixup=0.3", "--set", "train.row_weights=false")),
        ((*SQRT, *ADJUSTED), ("--set", "train.patience=3", "--set", "train.ema=0.9", "--set", "train.seeds=2")),
        (("--set", "train.sampling=balanced"), ("--set", "train.swa=0.5", "--set", "augment.alternating_flip=true")),
        (ADJUSTED, ("--set", "train.loss=focal")),
    ],
    ids=["mixed", "unweighted", "watched", "averaged", "focal"],
)
def test_it_goes_with_whatever_a_recipe_asks_for_and_predicts_by_the_data_s_shares(
    project: Path, run_command, way: tuple[str, ...], more: tuple[str, ...]
):
    run = play(project, run_command, *way, *more, "--set", "train.epochs=12")
    assert run.complete and np.isfinite(run.oof).all()
    assert run.oof[:, 1].mean() < 0.45  # 8 of 48 rows are squares
    weights = saved(run)
    assert weights["seed-0.logit_shift"].shape == (2,)


def test_where_the_metric_counts_classes_alike_predictions_do_too(tmp_path: Path, run_command, project: Path):
    make_uneven(tmp_path, "balanced_accuracy")
    alike, by_data = (play(root, run_command, *ADJUSTED) for root in (tmp_path, project))
    one, other = (saved(run) for run in (alike, by_data))
    assert "seed-0.logit_shift" not in one and "seed-0.logit_shift" in other
    assert all(np.array_equal(one[key], other[key]) for key in one)  # they learn the same
    shift = other["seed-0.logit_shift"].astype(np.float64)
    rows = alike.folds.fold == 0
    moved = np.log(alike.oof[rows]) + shift
    moved = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(by_data.oof[rows], moved, atol=1e-5)


def test_the_seed_decides_it_and_a_fold_that_is_resumed_is_the_same(project: Path, run_command):
    first = play(project, run_command, *SQRT)
    kept = {k: saved(first, k) for k in (0, 1)}
    plain = saved(play(project, run_command), 1)
    for path in (RunFolder(first.path).fold_manifest(1), *RunFolder(first.path).fold_files(1)):
        path.unlink()
    again = play(project, run_command, *SQRT, "--resume")
    assert again.path == first.path
    for fold, weights in kept.items():
        found = saved(again, fold)
        assert weights.keys() == found.keys() and all(np.array_equal(weights[key], found[key]) for key in weights)
    assert any(not np.array_equal(plain[key], kept[1][key]) for key in plain)
    np.testing.assert_array_equal(again.oof, first.oof)


def test_streamed_rows_are_drawn_alike(project: Path, run_command, tmp_path: Path):
    first = play(project, run_command, *SQRT, "--set", "seed=3")
    other = play(project, run_command, *SQRT, "--set", "seed=3", "--stream", "--out", str(tmp_path))
    np.testing.assert_array_equal(first.oof, other.oof)


def test_pseudo_labelled_rows_are_drawn_too(project: Path, run_command):
    source = play(project, run_command, "--set", "train.epochs=6")
    pseudo = ("--set", f"pseudo.run={source.name}", "--set", "pseudo.threshold=0.5")
    assert play(project, run_command, *SQRT, *ADJUSTED, *pseudo).complete


def test_heads_on_stored_features(project: Path, run_command, tmp_path: Path):
    torch.manual_seed(0)
    file = tmp_path / "resnet10t.safetensors"
    save_file(timm.create_model("resnet10t", num_classes=10).state_dict(), file)
    args = f'model={{name="timm", args={{backbone="resnet10t", weights="{file}", image_size=32, head=[8]}}}}'
    run = play(project, run_command, *SQRT, *ADJUSTED, "--set", args, "--set", "features.views=2", "--noise")
    assert saved(run)["seed-0.logit_shift"].shape == (2,)
    noise = json.loads((run.path / "noise.json").read_text())  # by whole networks, made of the saved heads
    assert noise["clean"]["score"] == pytest.approx(run.scores["metrics"]["log_loss"]["pooled"], abs=0.02)


@pytest.mark.usefixtures("tried_inside")
def test_a_bundle_predicts_as_the_run_does(tmp_path: Path, run_command):
    make_uneven(tmp_path, "accuracy")
    model = 'model={name="timm", args={backbone="test_resnet", image_size=32}}'
    run = play(tmp_path, run_command, *ADJUSTED, "--set", "train.sampling=balanced", "--set", model)
    shift = saved(run)["seed-0.logit_shift"]
    assert shift[0] - shift[1] == pytest.approx(np.log(5), abs=0.3)
    for backend in ("torch", "timm"):
        options = ("--bundle", "--dry-run", "--json", "--backend", backend)
        done = run_command("harness.submit", "--comp", "shapes", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "the same answers as the harness" in json.loads(done.stdout)["trial"][0]
        shutil.rmtree(tmp_path / "submissions")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("train.sampling=squares",), "should be 'uniform', 'balanced' or 'sqrt'"),
        (("train.logit_adjustment=-1",), "greater than or equal to 0"),
        (("train.sampling=sqrt", "train.class_weights=balanced"), "class_weights and sampling both make up for"),
        (("train.logit_adjustment=1", "train.class_weights=balanced"), "class_weights and logit_adjustment both"),
        (("train.sampling=sqrt", "model.name=boosting", "model.args={}"), "learns from all rows alike. Take it out"),
    ],
)
def test_what_does_not_go_together_is_refused(project: Path, run_command, settings: tuple[str, ...], said: str):
    more = [word for setting in settings for word in ("--set", setting)]
    done = run_command("harness.cv", *CV, *more, cwd=project)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_run_says_what_it_does_and_one_that_does_nothing_hears_what_helps(tmp_path: Path, run_command):
    make_uneven(tmp_path, "macro_f1")
    plain = run_command("harness.cv", *CV[:-1], cwd=tmp_path)
    assert (
        "the largest class has 5 times the rows of the smallest, and macro_f1 counts classes alike: --set train.sampling=sqrt"
        in plain.stderr
    )
    assert "classes:" not in plain.stdout
    done = run_command("harness.cv", *CV[:-1], *SQRT, cwd=tmp_path)
    assert "--set train.sampling=sqrt" not in done.stderr
    assert "classes: train.sampling = 'sqrt': predictions favour rare classes" in done.stdout
    report = tmp_path / done.stdout.split("report: ")[1].split("\n")[0]
    assert "predictions favour rare classes" in report.read_text()
