"""A clustering competition as a user plays it: clusters, networks on them, honest beside leaky, consensus, submission."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import REPOSITORY

IMAGE = ("--set", "image.backbone=test_resnet", "--set", "image.weights=scratch", "--set", "image.size=32")
QUICK = ("--set", "train.epochs=2", "--set", "cv.folds=3", "--workers", "1", "--json")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flickr")
    (folder / "competitions").symlink_to(REPOSITORY / "competitions")
    return folder


def cv(run_command, project: Path, recipe: str, *options: str) -> dict:
    args = ("flickr8k", "--sample", "--recipe", recipe, *QUICK, *options)
    done = run_command("harness.cv", *args, cwd=project)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_whole_way(project: Path, run_command):
    pytest.importorskip("gensim")
    words = ("--set", "text.skip_gram=true", "--set", "text.epochs=20", "--set", "clusters.k_range=[4,5]")
    honest = cv(run_command, project, "caption_clusters", *words)
    assert not honest["clusters"]["leaky"] and set(honest["metrics"]) >= {"silhouette", "nmi", "ari", "purity"}
    page = project / honest["path"] / "report.html"
    assert "Only the honest way was run" in page.read_text()
    leaky = cv(run_command, project, "caption_clusters", *words, "--leaky")
    assert leaky["clusters"]["leaky"] and leaky["clusters"]["stability_folds"] == pytest.approx(1)
    for run in (honest, leaky):  # each page shows both, the older one too
        text = (project / run["path"] / "report.html").read_text()
        assert "leaky - honest" in text and "typical words" in text and "How many clusters" in text
    assert "no estimate for new images" in (project / leaky["path"] / "report.html").read_text()
    pictures = cv(run_command, project, "image_clusters", *IMAGE, "--set", "clusters.k_range=[]")
    assert (project / pictures["path"] / "test.parquet").is_file()
    network = cv(run_command, project, "fusion", *IMAGE, "--set", "clusters.source=both", "--set", "clusters.pca=20")
    assert network["metric"] == "accuracy" and 0 < network["metrics"]["accuracy"]["pooled"] <= 1
    for recipe, options, sends in (
        ("caption_clusters", words, False),  # the test images have no captions
        ("image_clusters", (*IMAGE, "--set", "clusters.k_range=[]"), True),
    ):
        again = run_command(
            "harness.cv", "flickr8k", "--sample", "--recipe", recipe, *QUICK[:-1], *options, cwd=project
        )
        assert again.returncode == 0 and ("harness.submit" in again.stdout) == sends, again.stderr
    compared = run_command("harness.oof", "compare", "flickr8k", cwd=project)
    assert compared.returncode == 0 and "captions, leaky" in compared.stdout, compared.stderr
    assert "Who agrees with whom" in (project / "oof" / "flickr8k" / "compare.html").read_text()
    together = run_command("harness.oof", "ensemble", "flickr8k", "--json", cwd=project)
    assert together.returncode == 0, together.stderr
    consensus = json.loads(together.stdout)
    assert leaky["run"] not in consensus["members"] and len(consensus["members"]) == 3
    sent = run_command(
        "harness.submit", "--comp", "flickr8k", "--sample", "--run", pictures["run"], "--dry-run", "--json", cwd=project
    )
    assert sent.returncode == 0, sent.stderr
    table = pd.read_csv(project / json.loads(sent.stdout)["file"])
    assert list(table.columns) == ["image", "cluster"] and len(table) == 25 and table["cluster"].between(0, 4).all()
    code = ("--comp", "flickr8k", "--sample", "--run", pictures["run"], "--bundle", "--dry-run")
    refused = run_command("harness.submit", *code, cwd=project)
    assert refused.returncode == 2 and "clusters of 'flickr8k' are of all rows at once" in refused.stderr


def test_a_run_is_the_same_again_and_goes_on_where_it_was_stopped(project: Path, run_command, tmp_path: Path):
    pytest.importorskip("gensim")
    options = ("--out", str(tmp_path), "--set", "train.patience=1")
    first = cv(run_command, project, "lstm_caption_labels", *options, "--folds", "0")
    assert not first["complete"]
    whole = cv(run_command, project, "lstm_caption_labels", *options, "--resume")
    before = pd.read_parquet(Path(whole["path"]) / "oof.parquet")
    assert whole["complete"]
    again = cv(run_command, project, "lstm_caption_labels", *options, "--fresh")
    pd.testing.assert_frame_equal(before, pd.read_parquet(Path(again["path"]) / "oof.parquet"))


@pytest.mark.parametrize(
    ("recipe", "options", "said"),
    [
        ("caption_clusters", ("--noise",), "is for labelled images"),
        ("caption_clusters", ("--set", "clusters.k=500"), "more clusters than rows"),
        ("caption_clusters", ("--set", "model.name=lstmm"), "did you mean 'lstm'"),
        ("caption_clusters", ("--set", "clusters.kk=3"), "did you mean 'clusters.k'"),
        ("caption_clusters", ("--set", "clusters.labels=truth"), "'kmeans' finds its own"),
        ("caption_clusters", ("--set", 'predict.tta=["hflip"]'), "unknown view 'hflip'"),
        ("image_clusters", ("--set", "image.backbone=resnet8000"), "timm has no such model"),
    ],
)
def test_what_does_not_go_together_is_refused(project: Path, run_command, recipe: str, options, said: str):
    done = run_command("harness.cv", "flickr8k", "--sample", "--recipe", recipe, *QUICK, *options, cwd=project)
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_duplicates_are_found_without_labels(run_command, tmp_path: Path):
    (tmp_path / "competitions").symlink_to(REPOSITORY / "competitions")
    done = run_command("harness.clean", "flickr8k", "--sample", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = run_command("harness.data", "preview", "flickr8k", "--sample", "--recipe", "fusion", cwd=tmp_path)
    assert shown.returncode == 2 and "no augmentation to show" in shown.stderr


def test_what_only_labels_allow_is_refused(project: Path, run_command):
    for command in (("forecast", "flickr8k"), ("errors", "flickr8k")):
        done = run_command("harness.oof", *command, cwd=project)
        assert done.returncode == 2 and "has clusters" in done.stderr
    done = run_command("harness.cv", "digit-recognizer", "--sample", "--leaky", cwd=project)
    assert done.returncode == 2 and "competitions without labels" in done.stderr
    done = run_command("harness.submit", "--comp", "flickr8k", "--sample", "--dry-run", cwd=project)
    assert done.returncode == 2 and "none is the best" in done.stderr
