"""harness.cv --on kaggle with the real client against the loopback server, which really runs what is pushed."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np

from harness.runs import Run, load_run
from tests.conftest import run_inside, run_module, run_script_inside
from tests.kernels.field import CV, THERE, Field, make_project
from tests.kernels.server import Notebooks, Recorded


def same(one: Run, other: Run) -> bool:
    assert one.test is not None and other.test is not None
    return np.array_equal(one.oof, other.oof) and np.array_equal(one.test, other.test)


def test_a_run_comes_back_as_if_it_had_been_trained_here(played: Field):
    told = json.loads((played.project / "told.json").read_text())
    assert "fold 1: trained and predicted" in told["stderr"]
    assert "without network" not in told["text"]
    shutil.rmtree(played.run)
    assert run_module("harness.cv", *CV, cwd=played.project).returncode == 0
    assert same(load_run(played.run), played.first)
    assert load_run(played.run).scores | {"seconds": 0} == played.first.scores | {"seconds": 0}


def test_what_stands_is_not_trained_again_and_nothing_is_moved(field: Field):
    assert field.cv().returncode == 0
    moved = field.kaggle.moved
    assert 0 < moved < 4 * 2**20 and same(load_run(field.run), field.first)
    again = field.cv()
    assert again.returncode == 0 and "stand already" in again.stderr
    shutil.rmtree(field.run)  # lost here, not there
    assert field.cv().returncode == 0 and same(load_run(field.run), field.first)
    assert len(field.kaggle.sessions) == 1 and field.kaggle.moved == moved
    assert field.cv(*THERE, "--fresh").returncode == 0
    assert len(field.kaggle.sessions) == 2 and field.kaggle.moved == moved
    assert len(field.kaggle.data_sets["harness-shapes"]) == 1


def test_a_new_version_only_where_the_content_is_another(field: Field):
    toml = field.project / "competitions" / "shapes" / "competition.toml"
    before = toml.read_text()
    assert field.cv().returncode == 0
    try:
        toml.write_text(before.replace("Shapes", "Other shapes"))
        shutil.rmtree(field.run)
        job = [*field.kaggle.recorded]
        field.cv("shapes", *THERE[1:], "--dry-run")
        new = [p.name for p in (field.project / "oof" / "shapes" / "kaggle").iterdir() if p.name not in job]
        report = json.loads(field.files["harness-session.json"]) | {"job": new[0]}
        field.kaggle.recorded = {
            new[0]: [Recorded({**field.files, "harness-session.json": json.dumps(report).encode()})]
        }
        assert field.cv().returncode == 0
    finally:
        toml.write_text(before)
    assert len(field.kaggle.data_sets["harness-shapes"]) == 2


def test_a_session_that_ended_early_is_gone_on_with(field: Field):
    field.kaggle.recorded = {field.key: [field.partly()]}
    early = field.cv()
    assert early.returncode == 2 and "it was late" in early.stderr and "the same command goes on" in early.stderr
    assert not field.run.exists()
    field.kaggle.recorded = {}
    done = field.cv()
    assert done.returncode == 0, done.stderr + field.kaggle.sessions[-1].text
    assert same(load_run(field.run), field.first) and len(field.kaggle.sessions) == 2
    there = field.kaggle.sessions[-1].text
    assert "goes on from" in there and '["progress", 1,' in there and '["progress", 0,' not in there


def test_a_cancelled_or_lost_session_is_gone_on_with_from_what_an_earlier_one_saved(field: Field):
    lost = Recorded({}, "ERROR")
    field.kaggle.recorded = {
        field.key: [field.partly(), field.partly("running", "CANCEL_ACKNOWLEDGED"), lost, Recorded(field.files)]
    }
    for word in ("time", "cancelled", "error"):
        ended = field.cv()
        assert ended.returncode == 2 and f"({word})" in ended.stderr, ended.stderr
    assert field.cv().returncode == 0 and same(load_run(field.run), field.first)
    sources = [versions[-1].get("kernelDataSources") for versions in field.kaggle.kernels.values()]
    first, second = (f"somebody/harness-shapes-{field.key}-{n}" for n in (1, 2))
    assert sources[1:] == [[first], [second], [second]]  # the third left nothing


def test_without_the_data_here_all_is_settled_there(kaggle: Notebooks, tmp_path: Path):
    kaggle.reset()
    project = make_project(tmp_path, kaggle)
    kaggle.competition = shutil.move(project / "data" / "shapes", tmp_path / "elsewhere")
    kaggle.mount = "{}"  # as Kaggle mounted competitions before
    quick = (
        "shapes",
        "--set",
        "train.epochs=1",
        "--set",
        "cv.folds=2",
        "--workers",
        "1",
        "--on",
        "kaggle",
        "--accelerator",
        "none",
    )
    done = run_inside("harness.cv", *quick, cwd=project)
    assert done.returncode == 0, done.stderr + kaggle.sessions[-1].text
    [run] = [p.parent for p in (project / "oof" / "shapes").glob("*/scores.json")]
    assert run.name.startswith("quick-") and [*(project / "oof" / "shapes" / "folds").glob("*")]
    shutil.copytree(tmp_path / "elsewhere", project / "data" / "shapes")
    here = run_inside(
        "harness.cv", *quick, cwd=project
    )  # a recipe that is made by the data's facts: the same here and there
    assert here.returncode == 0 and "stand already" in here.stderr


def under_another_key(field: Field, words: tuple[str, ...]) -> None:
    """Let the job of another command bring what was recorded."""
    before = {field.key}
    assert field.cv(*words, "--dry-run").returncode == 0
    [new] = {p.name for p in (field.project / "oof" / "shapes" / "kaggle").iterdir()} - before
    report = json.loads(field.files["harness-session.json"]) | {"job": new}
    files = {**field.files, "harness-session.json": json.dumps(report).encode()}
    field.kaggle.recorded = {new: [Recorded(files)]}


def test_a_call_from_python_is_the_command_that_a_person_would_type(field: Field):
    settings = ("--set", "cv.folds=2", "--set", "train.epochs=1")
    under_another_key(field, ("shapes", "--recipe", "tiny", *settings, "--workers", "1", *THERE[len(CV) :]))
    script = """
import harness
there = dict(on="kaggle", accelerator="none")
run = harness.cv("shapes", "tiny", set={"cv.folds": 2, "train.epochs": 1}, workers=1, **there)
print(run.path.name, run.oof.shape)
for wrong in (dict(on="kagle"), {**there, "cluster": "auto"}, {**there, "accelerator": "T4"}):
    try:
        harness.cv("shapes", "tiny", set={"train.epochs": 2}, **wrong)
    except harness.UserError as error:
        print("refused:", error)
try:
    harness.play("shapes", 1, dry_run=True, **there)
except harness.UserError as error:
    print("refused:", error)
"""
    done = run_script_inside(script, field.project)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(field.first.name) and len(lines) == 5, done.stdout
    assert (
        "did you mean 'kaggle'" in lines[1] and "--cluster" in lines[2] and "T4" in lines[3] and "dry_run" in lines[4]
    )
    assert same(load_run(field.run), field.first) and len(field.kaggle.sessions) == 1


def test_the_run_that_labels_goes_along_without_its_weights(field: Field):
    assert field.cv().returncode == 0
    words = (*THERE, "--pseudo-labels", field.first.name, "--set", "pseudo.threshold=0.5", "--dry-run")
    assert field.cv(*words).returncode == 0
    packs = (field.project / "oof" / "shapes" / "kaggle").glob("*/data-set/shapes.pack")
    names = {name for pack in packs for name in zipfile.ZipFile(pack).namelist()}
    run = f"out/oof/shapes/{field.first.name}"
    assert {f"{run}/fold-0.npz", f"{run}/manifest.json"} <= names and not any("checkpoints" in name for name in names)


def test_verdicts_go_along(field: Field):
    clean = field.project / "oof" / "shapes" / "clean"
    clean.mkdir()
    try:
        (clean / "clean.csv").write_text("id,verdict,action,group,evidence\ncircle/3.png,blank,exclude,,seen\n")
        assert field.cv(*THERE, "--dry-run").returncode == 0
    finally:
        shutil.rmtree(clean)
    [pack] = (field.project / "oof" / "shapes" / "kaggle").glob("*/data-set/shapes.pack")
    assert "out/oof/shapes/clean/clean.csv" in zipfile.ZipFile(pack).namelist()


def test_a_dry_run_calls_nobody_and_writes_what_would_be_pushed(field: Field):
    told = field.cv(*THERE, "--dry-run")
    assert told.returncode == 0 and field.kaggle.calls == []
    assert "competition shapes" in told.stderr and field.first.name in told.stderr
    folder = field.project / "oof" / "shapes" / "kaggle" / field.key
    about = json.loads((folder / "notebook" / "kernel-metadata.json").read_text())
    assert about["is_private"] and not about["enable_internet"] and about["competition_sources"] == ["shapes"]
    assert {p.suffix for p in (folder / "data-set").iterdir()} == {".whl", ".pack"}
