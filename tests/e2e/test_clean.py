"""harness.clean and what harness.cv makes of its verdicts, as a user runs them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.runs import load_run
from tests.clean.cells import as_jpeg, cells, photograph
from tests.conftest import TINY_RECIPE

TOML = """\
title = "Cells"
metric = "accuracy"
also = ["balanced_accuracy"]
classes = ["purple", "red", "blue"]

[data]
format = "npz"
size = [48, 48]
channels = 3
train = "train.npz"
label = "labels"
test = "test.npz"
"""

CV = ("cells", "--data", "data", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 cells, ten of them twice (five with a wrong label), six foreign images; 20 test cells."""
    folder = tmp_path_factory.mktemp("cells")
    (folder / "competitions" / "cells" / "recipes").mkdir(parents=True)
    (folder / "competitions" / "cells" / "competition.toml").write_text(TOML)
    (folder / "competitions" / "cells" / "recipes" / "tiny.toml").write_text(TINY_RECIPE)
    images, labels = cells(150)
    copies = np.stack([as_jpeg(image) for image in images[:10]])
    wrong = np.r_[labels[:5], (labels[5:10] + 1) % 3]
    foreign = np.stack([photograph(1)] * 5 + [photograph(2)])
    (folder / "data" / "cells").mkdir(parents=True)
    np.savez(
        folder / "data" / "cells" / "train.npz",
        images=np.concatenate([images, copies, foreign]),
        labels=np.r_[labels, wrong, [0, 1, 2, 0, 1, 2]],
    )
    np.savez(folder / "data" / "cells" / "test.npz", images=cells(20, seed=4)[0])
    return folder


@pytest.fixture(scope="module")
def cleaned(project: Path, run_command_module) -> Path:
    """The same after harness.clean and a run by its verdicts."""
    done = run_command_module("harness.clean", "cells", "--data", "data", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "foreign" in done.stdout and "label conflict" in done.stdout and "clean.html" in done.stdout
    done = run_command_module("harness.cv", *CV, cwd=project)
    assert done.returncode == 0, done.stderr
    n = len(excluded_ids(project))
    assert 11 <= n <= 16 and "verdicts of" in done.stderr and f"{n} rows excluded" in done.stderr
    assert f"excluded by verdicts: {n} rows, never trained on" in done.stdout
    return project


def lines(project: Path) -> list[dict[str, str]]:
    with (project / "oof" / "cells" / "clean" / "clean.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def excluded_ids(project: Path) -> set[str]:
    return {line["id"] for line in lines(project) if line["action"] == "exclude"}


def the_run(project: Path):
    return load_run(next((project / "oof" / "cells").glob("tiny-*")))


def test_the_file_has_the_columns_and_one_line_for_each_row_that_is_not_clean(cleaned: Path):
    found = lines(cleaned)
    assert list(found[0]) == ["id", "verdict", "action", "group", "evidence"]
    by_id = {line["id"]: line for line in found}
    assert len(by_id) == len(found) and {line["action"] for line in found} == {"group", "exclude"}
    assert all(by_id[str(i)]["verdict"] == "foreign" for i in range(160, 166))


def test_copies_share_a_fold_and_excluded_rows_are_predicted_but_never_trained_on(cleaned: Path):
    run = the_run(cleaned)
    fold = dict(zip(run.folds.ids.tolist(), run.folds.fold.tolist(), strict=True))
    assert all(fold[str(i)] == fold[str(150 + i)] for i in range(10))
    assert set(run.folds.ids[~run.folds.kept].tolist()) == excluded_ids(cleaned) >= set(map(str, range(155, 166)))
    assert not np.isnan(run.oof).any()  # predicted all the same
    for number in range(3):
        assert not set(run.folds.train_rows(number)) & set(np.flatnonzero(~run.folds.kept))


def test_scores_are_of_the_kept_rows_and_the_others_stand_apart(cleaned: Path):
    run = the_run(cleaned)
    hits = run.oof.argmax(axis=1) == run.labels
    assert run.scores["metrics"]["accuracy"]["pooled"] == pytest.approx(hits[run.folds.kept].mean())
    assert run.scores["excluded"]["n"] == len(excluded_ids(cleaned))
    assert run.scores["excluded"]["accuracy"] == pytest.approx(hits[~run.folds.kept].mean())
    assert (run.path / "clean.csv").read_text() == (cleaned / "oof" / "cells" / "clean" / "clean.csv").read_text()
    assert run.environment["data"]["verdicts"]["exclude"] == len(excluded_ids(cleaned))


def test_without_the_verdicts_it_is_another_run_that_is_not_blended_with_it(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    done = run_command("harness.cv", *CV, "--no-clean", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["data"]["clean"] == "" and said["excluded"] == {"n": 0}
    names = sorted(p.name for p in (project / "oof" / "cells").glob("tiny-*"))
    assert len(names) == 2
    refused = run_command(
        "harness.submit",
        "--comp",
        "cells",
        "--data",
        "data",
        "--run",
        names[0],
        "--run",
        names[1],
        "--dry-run",
        cwd=project,
    )
    assert refused.returncode == 2 and "they go by different verdicts of harness.clean" in refused.stderr
    # without --run only runs by the verdicts that count now are candidates
    blend = run_command("harness.submit", "--comp", "cells", "--data", "data", "--dry-run", "--json", cwd=project)
    assert json.loads(blend.stdout)["members"] == [the_run(cleaned).name]
    run = the_run(cleaned)
    said = run.oof[run.folds.kept].argmax(axis=1)  # excluded rows have no share in what is said of the OOF
    assert json.loads(blend.stdout)["shares"]["red"]["oof"] == pytest.approx((said == 1).mean())


def test_a_relabelled_row_has_its_new_label_in_the_run(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    before = the_run(project)
    path = project / "oof" / "cells" / "clean" / "clean.csv"
    path.write_text(path.read_text() + '100,label error,relabel,,"to blue; I looked"\n')
    done = run_command("harness.cv", *CV, "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["run"] != before.name
    oof = pd.read_parquet(Path(project) / said["path"] / "oof.parquet").set_index("id")
    assert oof.loc["100", "label"] == 2 and before.labels[100] == 100 % 3


def test_a_file_changed_by_hand_is_not_overwritten_unasked(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    path = project / "oof" / "cells" / "clean" / "clean.csv"
    changed = path.read_text().replace("exclude", "keep", 1)
    path.write_text(changed)
    refused = run_command("harness.clean", "cells", "--data", "data", cwd=project)
    assert refused.returncode == 2 and "was changed by hand" in refused.stderr and path.read_text() == changed
    done = run_command("harness.clean", "cells", "--data", "data", "--overwrite", "--json", cwd=project)
    assert done.returncode == 0 and json.loads(done.stdout)["rows"] == 166


def test_a_broken_verdicts_file_stops_training_with_its_line(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    path = project / "oof" / "cells" / "clean" / "clean.csv"
    path.write_text(path.read_text().replace("exclude", "exlude", 1))
    refused = run_command("harness.cv", *CV, cwd=project)
    assert refused.returncode == 2 and "did you mean 'exclude'" in refused.stderr and "Traceback" not in refused.stderr


def test_runs_from_before_the_verdicts_are_named(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    path, run = project / "oof" / "cells" / "clean" / "clean.csv", the_run(project).name
    path.write_text(path.read_text().replace(",exclude,", ",keep,", 1))
    refused = run_command("harness.submit", "cells", "--data", "data", "--dry-run", cwd=project)
    assert refused.returncode == 2 and f"Trained by other verdicts, or none: {run}; --run NAME" in refused.stderr


def test_label_errors_come_from_a_run(cleaned: Path, run_command, tmp_path: Path):
    project = tmp_path / "copy"
    shutil.copytree(cleaned, project)
    done = run_command("harness.clean", "cells", "--data", "data", "--run", the_run(project).name, cwd=project)
    assert done.returncode == 0, done.stderr
    refused = run_command("harness.clean", "cells", "--data", "data", "--run", "nothing", "--overwrite", cwd=project)
    assert refused.returncode == 2 and "no run there" in refused.stderr


def test_runs_are_compared_in_a_table_and_a_picture(cleaned: Path, run_command):
    done = run_command("harness.oof", "compare", "cells", cwd=cleaned)
    assert done.returncode == 0, done.stderr
    run = the_run(cleaned)
    assert run.name in done.stdout and f"{run.scores['metrics']['accuracy']['pooled']:.4f} [" in done.stdout
    page = (cleaned / "oof" / "cells" / "compare.html").read_text()
    assert "In one chart" in page and "<svg " in page
    refused = run_command("harness.oof", "compare", "cells", "--run", "nothing", cwd=cleaned)
    assert refused.returncode == 2 and "no finished run of that name" in refused.stderr
