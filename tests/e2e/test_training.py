"""What a recipe turns, through the command: features of a frozen backbone, early stopping, augmentation by image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from harness.runs import load_run

FOLDS = ("--set", "cv.folds=2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file(timm.create_model("resnet10t", num_classes=10).state_dict(), path)
    return path


def transfer(weights: Path) -> tuple[str, ...]:
    args = f'model={{name="timm", args={{backbone="resnet10t", weights="{weights}", image_size=32, head=[8]}}}}'
    return ("--set", args, "--set", "train.batch_size=16", *FOLDS)


def test_heads_on_stored_features(shapes: Path, run_command, weights: Path):
    options = (
        "shapes",
        "--recipe",
        "tiny",
        *transfer(weights),
        "--set",
        "features.views=2",
        "--set",
        "train.epochs=15",
    )
    done = run_command("harness.cv", *options, "--set", "augment.shift=0.1", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert "features of the frozen backbone: once for all folds" in done.stderr and "trained;" in done.stderr
    assert "features: computed" in done.stderr
    run = load_run(next((shapes / "oof" / "shapes").glob("tiny-*")))
    assert run.complete
    assert run.scores["metrics"]["accuracy"]["pooled"] > 0.6
    again = run_command("harness.cv", *options, "--set", "augment.shift=0.1", "--set", "train.lr=0.02", cwd=shapes)
    assert again.returncode == 0 and "features: computed" not in again.stderr  # another head, the same features


def test_rows_weigh_in_heads_on_stored_features_where_the_recipe_takes_it(shapes: Path, run_command, weights: Path):
    toml, train = shapes / "competitions" / "shapes" / "competition.toml", shapes / "data" / "shapes" / "train"
    added = '"image_folder"\nweight = "sure"\njoin = {file = "sure.csv", id = "path"}'
    toml.write_text(toml.read_text().replace('"image_folder"', added))
    paths = sorted(path.relative_to(train).as_posix() for path in train.glob("*/*.png"))
    rows = "".join(f"{path},{float('circle' in path)}\n" for path in paths)  # squares weigh nothing
    (shapes / "data" / "shapes" / "sure.csv").write_text(f"path,sure\n{rows}")
    options = (
        "shapes",
        "--recipe",
        "tiny",
        *transfer(weights),
        "--set",
        "features.views=2",
        "--set",
        "train.epochs=15",
    )
    done = run_command("harness.cv", *options, cwd=shapes)
    assert done.returncode == 0 and "20 weigh nothing" in done.stderr, done.stderr
    again = run_command("harness.cv", *options, "--set", "train.row_weights=false", cwd=shapes)
    assert again.returncode == 0 and "features: computed" not in again.stderr
    runs = [load_run(path) for path in (shapes / "oof" / "shapes").glob("tiny-*")]
    by_weight, plain = sorted(runs, key=lambda run: not run.recipe.train.row_weights)
    assert (
        by_weight.oof.argmax(axis=1).sum() == 0
    )  # it has learnt of circles only; its score is of all rows all the same
    assert by_weight.scores["metrics"]["accuracy"]["pooled"] == 0.5 < plain.scores["metrics"]["accuracy"]["pooled"]


def test_weights_of_another_content_are_another_run(shapes: Path, run_command, weights: Path, tmp_path: Path):
    copy = tmp_path / "weights.safetensors"
    copy.write_bytes(weights.read_bytes())
    options = (
        "shapes",
        "--recipe",
        "tiny",
        *transfer(copy),
        "--set",
        "train.epochs=1",
        "--set",
        "train.freeze_blocks=1",
    )
    assert run_command("harness.cv", *options, "--folds", "0", cwd=shapes).returncode == 0
    torch.manual_seed(1)
    save_file(timm.create_model("resnet10t", num_classes=10).state_dict(), copy)
    assert run_command("harness.cv", *options, "--folds", "0", cwd=shapes).returncode == 0
    assert len(list((shapes / "oof" / "shapes").glob("tiny-*"))) == 2


def test_early_stopping_on_validation_says_that_the_score_is_optimistic(shapes: Path, run_command):
    options = ("shapes", "--recipe", "tiny", *FOLDS, "--set", "train.epochs=6", "--set", "train.patience=1")
    honest = run_command("harness.cv", *options, cwd=shapes)
    assert honest.returncode == 0 and "optimistic" not in honest.stderr + honest.stdout
    flattering = run_command("harness.cv", *options, "--set", "train.stop_on=validation", "--json", cwd=shapes)
    assert flattering.returncode == 0
    folder = Path(json.loads(flattering.stdout)["path"])
    folder = folder if folder.is_absolute() else shapes / folder
    assert "OOF score is optimistic" in (folder / "report.html").read_text()
    assert "OOF score is optimistic" in json.loads((folder / "environment.json").read_text())["optimistic"]


def test_albumentations_say_what_they_cost(shapes: Path, run_command):
    pytest.importorskip("albumentations")
    pipeline = 'augment.albumentations=[{name="Affine", rotate=[-10, 10], p=0.5}]'
    done = run_command(
        "harness.cv", "shapes", "--recipe", "tiny", *FOLDS, "--folds", "0", "--set", pipeline, cwd=shapes
    )
    assert done.returncode == 0, done.stderr
    assert "ms an image, one by one on the CPU" in done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("augment.hue=0.1", "augment.hue = 0.1: these images are grey"),
        ("train.freeze_layers=9", "train.freeze_layers = 9: the network has only"),
        ("features.views=2", r"[features] needs a backbone"),
        ("predict.weights=[1, 2]", "weights has 2 values for 1 entries of tta"),
        ('model={name="timm", args={backbone="resnet18", weights="w.pth"}}', "must be 'scratch', 'pretrained' or a"),
    ],
)
def test_mistakes_end_with_code_2_and_no_traceback(shapes: Path, run_command, setting: str, said: str):
    done = run_command("harness.cv", "shapes", "--recipe", "tiny", *FOLDS, "--set", setting, cwd=shapes)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_streaming_and_decoding_train_the_same_model(shapes: Path, run_command):
    scores = []
    for flag in ((), ("--stream",)):
        done = run_command("harness.cv", "shapes", "--recipe", "tiny", *FOLDS, "--json", *flag, cwd=shapes)
        assert done.returncode == 0, done.stderr
        scores.append(json.loads(done.stdout)["metrics"]["accuracy"]["pooled"])
    assert scores[0] == scores[1]


def test_preview_writes_a_picture(shapes: Path, run_command):
    options = ("preview", "shapes", "--recipe", "tiny", "--set", "augment.rotation=20", "--rows", "4", "--columns", "3")
    done = run_command("harness.data", *options, cwd=shapes)
    assert done.returncode == 0, done.stderr
    path = shapes / done.stdout.split("preview: ")[1].strip()
    picture = np.asarray(Image.open(path))
    assert picture.shape[0] > 4 * 90 and picture.std() > 10
