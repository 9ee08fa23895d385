"""A damaged run is seen by whoever reads it, and --resume puts it right: with the same numbers, training only what is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.runs import RunFolder, load_run
from tests.conftest import make_shapes, run_inside


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("healing")
    make_shapes(project, per_class=8)
    done = run_inside("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", cwd=project)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def cv(project: Path, *more: str):
    return run_inside(
        "harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", *more, cwd=project
    )


def run_of(project: Path) -> Path:
    return next((project / "oof" / "shapes").glob("tiny-*"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
FILES = {  # what stands there, and whether its fold must be trained anew
    "recipe.json": False,
    "folds.csv": False,
    "environment.json": False,
    "start.zip": False,
    "oof.parquet": False,
    "test.parquet": False,
    "history.jsonl": False,
    "scores.json": False,
    "manifest.json": False,
    "fold-0.npz": True,
    "fold-1.manifest.json": True,
    "checkpoints/fold-1.safetensors": True,
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_seen_and_healed_with_the_same_numbers(project: Path, trained: Path, name: str):
    damage = list(DAMAGES)[sum(map(ord, name)) % len(DAMAGES)]
    path, whole = run_of(project) / name, load_run(run_of(trained))
    DAMAGES[damage](path)
    told = cv(project)
    unfinished = damage == "deleted" and name in ("manifest.json", "scores.json")  # as a kill leaves it: it is finished
    assert "Traceback" not in told.stderr
    if not unfinished:
        assert told.returncode == 2 and "damaged" in told.stderr and "--resume" in told.stderr, (
            told.stderr + told.stdout
        )
    healed = cv(project, "--resume")
    assert healed.returncode == 0, healed.stderr
    assert ("trained and predicted" in healed.stderr) == FILES[name]
    again = load_run(run_of(project))
    np.testing.assert_array_equal(again.oof, whole.oof)
    np.testing.assert_array_equal(again.test, whole.test)
    assert again.folds.hash == whole.folds.hash and again.scores["metrics"] == whole.scores["metrics"]
    assert RunFolder(again.path).faults() == []


def test_everything_but_the_folds_may_be_lost(project: Path, trained: Path):
    run = run_of(project)
    for path in run.iterdir():
        if path.is_file() and not path.name.startswith("fold-"):
            path.unlink()
    healed = cv(project, "--resume")
    assert healed.returncode == 0, healed.stderr
    assert "trained and predicted" not in healed.stderr  # environment.json lost is no reason to train
    np.testing.assert_array_equal(load_run(run).oof, load_run(run_of(trained)).oof)


def test_folds_that_were_exchanged_are_trained_anew(project: Path, trained: Path):
    run = run_of(project)
    for ending in (".npz", ".manifest.json"):
        one, two, away = run / f"fold-0{ending}", run / f"fold-1{ending}", run / "away"
        one.rename(away)
        two.rename(one)
        away.rename(two)
    healed = cv(project, "--resume")
    assert healed.returncode == 0, healed.stderr
    np.testing.assert_array_equal(load_run(run).oof, load_run(run_of(trained)).oof)


def test_saved_folds_come_back_from_a_run_that_used_them(project: Path):
    (saved,) = (project / "oof" / "shapes" / "folds").glob("*.csv")
    before = saved.read_bytes()
    saved.write_bytes(before[:40])
    done = cv(project)
    assert done.returncode == 0 and "restored from run" in done.stderr, done.stderr
    assert saved.read_bytes() == before


def test_a_damaged_run_is_not_left_out_in_silence(project: Path):
    DAMAGES["cut"](run_of(project) / "scores.json")
    done = run_inside("harness.submit", "--comp", "shapes", "--dry-run", cwd=project)
    assert done.returncode == 2 and "left out: " in done.stderr and "is damaged: scores.json" in done.stderr
    compared = run_inside("harness.oof", "compare", "shapes", cwd=project)
    assert compared.returncode == 2 and "is damaged: scores.json" in compared.stderr


@pytest.mark.parametrize(
    "name", ["train/images.npy", "train/ids.npy", "train/labels.npy", "test/images.npy", "meta.json"]
)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_anew(shapes: Path, name: str, damage: str):
    from harness.competition import find_competition
    from harness.data.dataset import load_dataset

    competition, told = find_competition(shapes / "competitions" / "shapes"), []
    whole = load_dataset(competition, shapes / "data")
    pixels = np.array(whole.train.images)
    DAMAGES[damage](whole.cache / name)
    again = load_dataset(competition, shapes / "data", say=told.append)
    assert told and "decoded anew" in told[0] and name in told[0]
    assert again.fingerprint == whole.fingerprint
    np.testing.assert_array_equal(again.train.images, pixels)


def test_a_cut_sample_submission_in_the_cache_makes_no_short_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    toml = project / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text() + '\n[submission]\nsample = "sample.csv"\n')
    (project / "data" / "shapes" / "sample.csv").write_text("id,label\n" + "".join(f"{i},circle\n" for i in range(6)))
    assert run_inside("harness.data", "shapes", cwd=project).returncode == 0
    (cached,) = (tmp_path / "cache").rglob("submission.csv")
    cached.write_text("\n".join(cached.read_text().splitlines()[:4]) + "\n")
    done = run_inside("harness.submit", "--comp", "shapes", "--dry-run", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 6


NAN_MODEL = """
import torch
def build_model(height, width, channels, n_classes):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(1, n_classes)
        def forward(self, x):
            flat = x.flatten(1)
            spread = flat.std(dim=1, keepdim=True)
            return self.head((flat - flat.mean(dim=1, keepdim=True)).abs().sum(dim=1, keepdim=True) / spread)
    return Net()
"""


def test_a_model_that_gives_nan_is_not_scored(shapes: Path):
    """A constant image has no deviation to divide by: such rows counted as hits of the first class."""
    from PIL import Image

    for i in range(4):
        Image.new("L", (12, 12), 90).save(shapes / "data" / "shapes" / "train" / "circle" / f"{i}.png")
    folder = shapes / "competitions" / "shapes"
    (folder / "competition.py").write_text(NAN_MODEL)
    tiny = (folder / "recipes" / "tiny.toml").read_text()
    settings = tiny[tiny.index("[train]") :]
    (folder / "recipes" / "own.toml").write_text(
        '[model]\nname = "custom"\n' + settings.replace("epochs = 2", "epochs = 1")
    )
    done = run_inside("harness.cv", "shapes", "--recipe", "own", "--workers", "1", cwd=shapes)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "no probabilities" in done.stderr or "loss" in done.stderr, done.stderr
    assert not list(shapes.glob("oof/shapes/*/scores.json"))


def test_nan_predictions_are_named_with_fold_id_and_cure(shapes: Path):
    from harness.base.errors import UserError
    from harness.runs import FoldResult

    done = run_inside(
        "harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--folds", "0", "--workers", "1", cwd=shapes
    )
    assert done.returncode == 0, done.stderr
    folder = RunFolder(run_of(shapes))
    found = folder.load_fold(0)
    proba = found.valid_proba.copy()
    proba[3:5] = np.nan
    with pytest.raises(
        UserError,
        match=r"fold 0, validation rows: 2 of 20 rows .*first id '(circle|square)/\d+\.png'.*train\.precision",
    ):
        folder.save_fold(FoldResult(0, found.valid_index, proba, found.test_proba, [], 1.0))
    assert pd.read_parquet(folder.path / "oof.parquet")["proba_circle"].notna().sum() == 20
