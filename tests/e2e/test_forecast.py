"""What finished runs tell, as a user asks for it: forecast, errors, compare, calibrate, pseudo-labels; and wrong calls."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.ledger import State, open_ledger
from harness.runs import RunFolder, load_run
from tests.conftest import make_shapes
from tests.ledger.test_ledger import INTENT

CV = ("shapes", "--data", "data", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """Two runs of one recipe with other seeds, the first with its noise suite."""
    folder = tmp_path_factory.mktemp("forecast")
    make_shapes(folder, per_class=30, n_test=40)
    long = ("--set", "train.epochs=6")
    for seed, more in ((0, ("--noise", "--noise-rows", "40")), (1, ())):
        done = run_command_module("harness.cv", *CV, *long, "--set", f"seed={seed}", *more, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "harness.oof forecast shapes --run tiny-" in done.stdout
    return folder


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    shutil.copytree(project, tmp_path / "copy")
    return tmp_path / "copy"


def with_suite(project: Path) -> Path:
    return next(project.glob("oof/shapes/*/noise.json")).parent


def test_a_forecast_has_an_interval_its_parts_and_a_page(copy: Path, run_command):
    run = with_suite(copy)
    done = run_command("harness.oof", "forecast", "shapes", "--run", run.name, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "90 % interval" in done.stdout and "on corruptions left out" in done.stdout and "40 rows" in done.stdout
    page = (run / "forecast.html").read_text()
    assert "What gives the test images away" in page and "train against test" in page
    assert page.count("most probable") == 24  # by which the gallery of test images is filtered
    told = run_command("harness.oof", "forecast", "shapes", "--run", run.name, "--json", cwd=copy)
    said = json.loads(told.stdout)
    assert said["kind"] == "test images" and set(said["estimators"]) >= {"confidence", "importance"}
    public = said["public"]
    assert 0 <= public["low"] <= public["score"] <= public["high"] <= 1


def test_dark_test_pictures_give_themselves_away(copy: Path, run_command):
    from PIL import Image

    for path in (copy / "data" / "shapes" / "test").iterdir():
        Image.fromarray((np.asarray(Image.open(path)) * 0.4).astype(np.uint8)).save(path)
    train = ("--set", "train.epochs=1", "--noise", "--noise-rows", "20")
    assert run_command("harness.cv", *CV, *train, cwd=copy).returncode == 0
    run = max(copy.glob("oof/shapes/*/scores.json"), key=lambda p: p.stat().st_mtime).parent
    said = json.loads(run_command("harness.oof", "forecast", "shapes", "--run", run.name, "--json", cwd=copy).stdout)
    assert said["shift"]["auc"] > 0.9 and any("can be told" in note for note in said["notes"])
    assert "bright" in " ".join(line["statistic"] for line in said["shift"]["telling"][:3])


def test_submit_and_ensemble_print_the_forecast(copy: Path, run_command):
    run = with_suite(copy)
    sent = run_command("harness.submit", "--comp", "shapes", "--data", "data", "--run", run.name, "--dry-run", cwd=copy)
    assert sent.returncode == 0 and "forecast: public accuracy" in sent.stdout
    done = run_command("harness.oof", "ensemble", "shapes", cwd=copy)
    assert done.returncode == 0 and "forecast: public accuracy" in done.stdout
    assert "noise suite was not run" in done.stdout  # one member did not take it


def test_errors_are_listed_and_shown(copy: Path, run_command):
    run = load_run(with_suite(copy))
    done = run_command("harness.oof", "errors", "shapes", "--run", run.name, cwd=copy)
    assert done.returncode == 0 and "calibration: ECE" in done.stdout
    table = pd.read_csv(run.path / "errors.csv")
    predicted = run.oof.argmax(axis=1)
    assert table["wrong"].sum() == (predicted != run.labels).sum()
    wrong = table[table["wrong"]]
    assert (wrong["label"] != wrong["predicted"]).all() and wrong["proba_predicted"].is_monotonic_decreasing
    assert "<img" in (run.path / "errors.html").read_text()


def test_errors_without_the_pictures_say_so(copy: Path, run_command):
    shutil.rmtree(copy / "data")
    done = run_command("harness.oof", "errors", "shapes", cwd=copy)
    assert done.returncode == 0 and "without images: no data of 'shapes'" in done.stdout


def test_runs_are_compared_two_by_two(copy: Path, run_command):
    done = run_command("harness.oof", "compare", "shapes", "--json", cwd=copy)
    assert done.returncode == 0, done.stderr
    [pair] = json.loads(done.stdout)["pairs"]
    first, second = (load_run(copy / "oof" / "shapes" / pair[side]) for side in ("first", "second"))
    right = [run.oof.argmax(axis=1) == run.labels for run in (first, second)]
    assert pair["difference"] == pytest.approx(right[0].mean() - right[1].mean())
    assert pair["only_first"] == (right[0] & ~right[1]).sum()
    page = (copy / "oof" / "shapes" / "compare.html").read_text()
    assert "Two by two" in page and "Recall by class" in page and "Learning curves" in page


def test_a_damaged_run_is_left_out_of_the_comparison_and_a_partial_one_is_no_reference(copy: Path, run_command):
    names = sorted(p.parent.name for p in copy.glob("oof/shapes/*/scores.json"))
    part = ("--set", "cv.folds=2", "--folds", "0")
    assert run_command("harness.cv", *CV[:-2], *part, cwd=copy).returncode == 0
    table = copy / "oof" / "shapes" / names[0] / "oof.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(bytes(content))
    (with_suite(copy) / "noise.json").write_text("{")
    done = run_command("harness.oof", "compare", "shapes", "--json", cwd=copy)
    assert done.returncode == 0, done.stderr
    assert f"left out: oof/shapes/{names[0]}: the run is damaged" in done.stderr
    assert "without its noise suite" in done.stderr
    rows = {line["run"]: line["rows"] for line in json.loads(done.stdout)["runs"]}
    assert rows.pop(names[1]) == "same" and list(rows.values()) == ["other"]
    named = run_command("harness.oof", "compare", "shapes", "--run", names[0], cwd=copy)
    assert named.returncode == 2 and "the run is damaged" in named.stderr


def test_named_runs_on_other_folds_are_refused_with_the_reason(copy: Path, run_command):
    other = ("shapes", "--data", "data", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2")
    assert run_command("harness.cv", *other, cwd=copy).returncode == 0
    names = [p.parent.name for p in copy.glob("oof/shapes/*/scores.json")]
    args = [a for name in names for a in ("--run", name)]
    done = run_command("harness.oof", "compare", "shapes", *args, cwd=copy)
    assert done.returncode == 2 and "their folds differ" in done.stderr and "Traceback" not in done.stderr


def test_calibrate_holds_forecasts_against_the_ledger_and_the_suite(copy: Path, run_command):
    ledger, run = open_ledger(copy), with_suite(copy)
    for public in (0.85, 0.5):
        number = ledger.add(replace(INTENT, run=f"sent-{public}", labels=str(public)))
        ledger.record(number, State.COMPLETE, public=public)
    done = run_command("harness.oof", "calibrate", "shapes", "--run", run.name, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "sent-0.85" in done.stdout and "OUTSIDE" in done.stdout and "50 %" in done.stdout and run.name in done.stdout


def test_pseudo_labels_are_by_the_model_of_the_same_fold(copy: Path, run_command):
    source = with_suite(copy)
    args = ("--pseudo-labels", source.name, "--set", "pseudo.threshold=0.6", "--set", "train.epochs=6")
    done = run_command("harness.cv", *CV, *args, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "OOF against that run" in done.stdout
    run = max(copy.glob("oof/shapes/*/scores.json"), key=lambda p: p.stat().st_mtime).parent
    told = json.loads((run / "environment.json").read_text())["pseudo"]
    sure = [(RunFolder(source).load_fold(k).test_proba.max(axis=1) >= 0.6).sum() for k in range(3)]
    assert told["rows"] == sure and told["of"] == 40
    assert "Pseudo-labels" in (run / "report.html").read_text()
    assert load_run(run).folds.hash == load_run(source).folds.hash


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--pseudo-labels", "nothing-1"), "no finished run of that name"),
        (("--pseudo-labels", "../nothing"), "run must be a run's name"),
        (("--set", "pseudo.threshold=0.9"), "pseudo.run"),
    ],
)
def test_pseudo_labels_that_cannot_be_had_are_refused(copy: Path, run_command, args, said: str):
    done = run_command("harness.cv", *CV, *args, cwd=copy)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_pseudo_labels_of_other_folds_are_refused(copy: Path, run_command):
    other = ("shapes", "--data", "data", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2")
    done = run_command("harness.cv", *other, "--pseudo-labels", with_suite(copy).name, cwd=copy)
    assert done.returncode == 2 and "has other folds" in done.stderr


def test_a_damaged_suite_is_named(copy: Path, run_command):
    run = with_suite(copy)
    path = next((run / "noise").glob("fold-1-*.npz"))
    path.write_bytes(path.read_bytes()[:1000])
    done = run_command("harness.oof", "forecast", "shapes", "--run", run.name, cwd=copy)
    assert done.returncode == 2 and path.name in done.stderr and "Traceback" not in done.stderr
