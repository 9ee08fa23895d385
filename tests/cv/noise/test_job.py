"""The noise suite: which rows it takes, what its scores are made of, and that a second call computes nothing anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.cv.noise.job import check_scored, load_noise, score_noise, suite_corruptions, suite_rows
from harness.cv.noise.suite import Suite
from harness.cv.scores import competition_metrics
from harness.runs import Folds, Run, load_run
from tests.conftest import FOLDER_TOML, make_shapes

CV = ("shapes", "--data", "data", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1")


def test_the_suite_takes_the_same_kept_rows_for_every_run():
    kept, labels = np.ones(500, bool), np.arange(500) % 3
    kept[::7] = False
    rows = suite_rows(kept, 100, labels)
    assert len(rows) == 100 and kept[rows].all() and (np.diff(rows) > 0).all()
    assert np.array_equal(rows, suite_rows(kept, 100, labels))
    assert set(rows) <= set(suite_rows(kept, 200, labels))  # more rows are more of the same
    assert np.array_equal(suite_rows(kept, 0, labels), np.flatnonzero(kept))


@pytest.mark.parametrize("rare", range(0, 500, 50))
def test_a_rare_class_is_in_the_suite_and_nothing_else_changes(rare: int):
    kept, labels = np.ones(500, bool), np.zeros(500, int)
    plain = set(suite_rows(kept, 20, labels))
    labels[rare] = 1
    for strata in (labels, np.stack([labels, 1 - labels], axis=1).astype(np.float32)):
        rows = set(suite_rows(kept, 20, strata))
        assert rare in rows and len(rows) == 20 and len(rows - plain) == (rare not in plain)
    assert set(suite_rows(kept, 20, labels[:, None] * 7.5)) == plain  # of numbers there are no classes
    assert set(suite_rows(kept, 20, np.arange(500))) == plain  # of more classes than rows it cannot have all


def test_grey_pictures_have_no_colours_to_corrupt():
    assert set(suite_corruptions(3)) - set(suite_corruptions(1)) == {"hue", "saturation"}


def test_grades_are_recalled_by_the_decided_answers_with_and_without_corruption(tmp_path: Path):
    folder = tmp_path / "competitions" / "shapes"
    folder.mkdir(parents=True)
    text = FOLDER_TOML.replace('"circle", "square"', '"none", "mild", "severe"').replace("accuracy", "quadratic_kappa")
    (folder / "competition.toml").write_text(text.replace("[data]", 'task = "ordinal"\n[data]', 1))
    competition, rng, n = find_competition(folder), np.random.default_rng(0), 300
    metric, labels, fold = (
        competition_metrics(competition)[0],
        rng.integers(0, 3, n),
        (np.arange(n) % 2).astype(np.int8),
    )
    outputs = np.full((n, 3), [0.5, 0.3, 0.2]) + 0.15 * np.eye(3)[labels] + rng.uniform(0, 0.1, (n, 3))
    oof = (outputs / outputs.sum(axis=1, keepdims=True)).astype(
        np.float32
    )  # the likeliest grade is nearly always the first
    decision = competition.kind.find_decision(metric, labels, oof, fold)
    run = Run(
        None,
        None,
        {"decision": decision},
        {},
        Folds(np.arange(n).astype(str), np.arange(n), fold),
        labels,
        oof,
        None,
        None,
    )
    rows = np.arange(n)
    suite = Suite(("camera",), rows, np.tile(oof, (1, 5, 1, 1)), np.zeros((1, 5, n, 2)), np.zeros((n, 2)))
    classes = score_noise(competition, run, suite)["classes"]
    assert (oof.argmax(axis=1) == labels).mean() < 0.6 < np.mean([found["clean"] for found in classes.values()])
    for found in classes.values():  # nothing is corrupted, so that no class falls
        assert found["clean"] == found["noisy"]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run of two folds on which the suite was run."""
    project = tmp_path_factory.mktemp("noisy")
    make_shapes(project)
    return project


def test_noise_is_scored_shown_and_kept(noisy: Path, run_command):
    done = run_command("harness.cv", *CV, "--noise", "--noise-rows", "30", "--set", "train.epochs=8", cwd=noisy)
    assert done.returncode == 0, done.stderr
    assert "camera" in done.stdout and "noise suite, 30 rows, accuracy" in done.stdout
    run = next((noisy / "oof" / "shapes").glob("tiny-*"))
    scores = json.loads((run / "noise.json").read_text())
    assert set(scores["corruptions"]) == set(suite_corruptions(1)) and scores["rows"] == 30
    assert scores["mean"] == pytest.approx(np.mean(list(scores["corruptions"].values())))
    worst = scores["worst"]
    assert worst["score"] == min(min(v) for v in scores["corruptions"].values())
    assert scores["corruptions"][worst["corruption"]][worst["severity"] - 1] == worst["score"]
    assert scores["doubtful"] == ["flips"]  # shapes declares no symmetry
    page = (run / "noise.html").read_text()
    assert "Which classes fall" in page and f"{scores['mean']:.4f}" in page
    pictured = 2 * (1 + 5 * len(scores["corruptions"]))  # a row of each class
    assert (
        page.count("<li data-shot=") == page.count('src="data:image/png') == pictured
        and "no corruption: circle" in page
    )
    before = {p: p.stat().st_mtime_ns for p in (run / "noise").iterdir()}
    again = run_command("harness.cv", *CV, "--noise", "--noise-rows", "30", "--set", "train.epochs=8", cwd=noisy)
    assert again.returncode == 0 and "nothing is trained" in again.stderr
    assert {p: p.stat().st_mtime_ns for p in (run / "noise").iterdir()} == before


def test_the_score_without_corruption_is_the_oofs_of_the_same_rows(noisy: Path):
    run = load_run(next((noisy / "oof" / "shapes").glob("tiny-*")))
    rows = suite_rows(run.folds.kept, 30, run.labels)
    hits = (run.oof[rows].argmax(axis=1) == run.labels[rows]).mean()
    assert load_noise(run.path)["clean"]["score"] == pytest.approx(hits)


def test_rows_on_which_the_metric_has_no_value_are_refused(noisy: Path):
    competition = find_competition(noisy / "competitions" / "shapes")
    run = load_run(next((noisy / "oof" / "shapes").glob("tiny-*")))
    check_scored(competition, run, np.arange(10))
    of_ranks = competition.model_copy(update={"metric": "roc_auc"})
    with pytest.raises(UserError, match=r"roc_auc has no value on the 5 rows of the noise suite.*--noise-rows 0"):
        check_scored(of_ranks, run, np.flatnonzero(run.labels == 1)[:5])


def test_predictions_are_the_checkpoints_on_the_corrupted_pictures(noisy: Path):
    """One corruption recomputed by hand from the checkpoint, the cache and the corruption's own function."""
    import torch
    from safetensors.torch import load_file

    from harness.data.dataset import load_dataset
    from harness.models import build_network
    from harness.models.network import Network
    from harness.train.corruptions import corrupt

    competition = find_competition(noisy / "competitions" / "shapes")
    dataset = load_dataset(competition, noisy / "data")
    run = load_run(next((noisy / "oof" / "shapes").glob("tiny-*")))
    with np.load(run.path / "noise" / "fold-1-rows-30.npz") as file:
        proba, rows, names = file["proba"], file["rows"], file["names"].tolist()
    assert (run.folds.fold[rows] == 1).all()
    network = Network(build_network(run.recipe.model, competition), [0.0], [1.0], 2)
    state = load_file(run.path / "checkpoints" / "fold-1.safetensors")
    network.load_state_dict({name.removeprefix("seed-0."): tensor for name, tensor in state.items()})
    pixels = corrupt(torch.from_numpy(np.asarray(dataset.train.images[rows])), rows, "blur", 4)
    with torch.inference_mode():
        wanted = network.eval()(pixels.permute(0, 3, 1, 2).float() / 255).softmax(dim=1).numpy()
    np.testing.assert_allclose(proba[names.index("blur"), 3], wanted, atol=2e-3)


def test_what_is_pictured_is_what_the_models_saw_and_said(noisy: Path):
    import torch

    from harness.cv.noise.job import SEED
    from harness.cv.noise.pictures import noise_pictures, pictured_rows
    from harness.cv.noise.suite import Suite, noise_path
    from harness.data.dataset import load_dataset
    from harness.train.corruptions import corrupt

    run = load_run(next((noisy / "oof" / "shapes").glob("tiny-*")))
    images = load_dataset(find_competition(noisy / "competitions" / "shapes"), noisy / "data").train.images
    suite = Suite.load([noise_path(run.path, fold, 30) for fold in (0, 1)])
    pixels, shots = noise_pictures(run, suite, images, SEED)
    places = pictured_rows(run.labels[suite.rows], True)
    assert sorted(run.labels[suite.rows[places]]) == [0, 1]
    assert np.array_equal(pixels[0], images[suite.rows[places[0]]])
    wanted = {"corruption": "blur", "severity": "4", "class": run.classes[run.labels[suite.rows[places[1]]]]}
    number = next(i for i, shot in enumerate(shots) if wanted.items() <= shot.facts.items())
    row = suite.rows[places[1:2]]
    seen = corrupt(torch.from_numpy(np.array(images[row])), row, "blur", 4, SEED).numpy()[0]
    assert np.array_equal(pixels[number], seen)
    said = suite.proba[suite.names.index("blur"), 3, places[1]]
    assert shots[number].confidence == pytest.approx(float(said.max())) and shots[number].id == run.folds.ids[row[0]]
    assert shots[number].facts["predicted"] == run.classes[int(said.argmax())]


def test_training_anew_takes_the_old_suite_away(noisy: Path, run_command):
    done = run_command("harness.cv", *CV, "--fresh", "--set", "train.epochs=8", cwd=noisy)
    assert done.returncode == 0, done.stderr
    run = next((noisy / "oof" / "shapes").glob("tiny-*"))
    assert not (run / "noise.json").exists() and not list((run / "noise").iterdir())


def test_a_fold_of_the_suite_that_is_gone_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from harness.base.storage.manifest import manifest_beside, write_manifest
    from harness.cv.noise.job import load_noise
    from harness.cv.noise.suite import noise_path, suite_paths

    for fold in (0, 1):
        path = noise_path(tmp_path, fold, 100)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        write_manifest(manifest_beside(path), [path.name])
    assert len(suite_paths(tmp_path, [0, 1])) == 2
    assert suite_paths(tmp_path, [0, 1, 2]) is None and "for 2 of 3 folds" in capsys.readouterr().err
    noise_path(tmp_path, 1, 100).unlink()
    with pytest.raises(UserError, match=r"fold-1-rows-100\.npz: is not there. Repeat harness\.cv with --noise"):
        suite_paths(tmp_path, [0, 1])
    write_manifest(manifest_beside(tmp_path / "noise.json"), [])
    (tmp_path / "noise.json.manifest.json").write_text("{}")
    with pytest.raises(UserError, match="Repeat harness.cv with --noise"):
        load_noise(tmp_path)
