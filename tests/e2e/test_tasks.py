"""Competitions of every task from `init` to a submission: several labels, grades, numbers; what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from harness.runs import RunFolder, load_run
from tests.conftest import PINNED

FAST = ("--recipe", "quick", "--workers", "1", "--set", "train.epochs=3", "--set", "cv.folds=3", *PINNED)


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_rows(folder: Path, train: pd.DataFrame, sample: pd.DataFrame) -> None:
    train.to_csv(folder / "train.csv", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """Digits as three competitions, their TOML written by `init`: two side by side (tags, of five), their size in steps (level), two numbers."""
    root = tmp_path_factory.mktemp("tasks")
    digits, rng = load_digits(), np.random.default_rng(0)
    images, labels = (digits.images * 15.9).astype(np.uint8), digits.target
    pairs, tags = rng.integers(0, len(labels), (400, 2)), []
    for number, (a, b) in enumerate(pairs):
        save(
            np.hstack([images[a], images[b]]),
            root / "data" / "tags" / ("train" if number < 300 else "test") / f"{number}.png",
        )
        tags.append(" ".join(sorted({f"d{labels[a] // 2}", f"d{labels[b] // 2}"})))
    table = pd.DataFrame({"image": range(400), "tags": tags})
    write_rows(root / "data" / "tags", table[:300], table[300:].assign(tags="d0 d1"))
    for slug in ("level", "numbers"):
        for number in range(400):
            save(images[number], root / "data" / slug / "images" / f"x{number}.png")
    ids = [f"x{n}" for n in range(400)]
    levels = pd.DataFrame({"id_code": ids, "level": labels[:400] // 2})
    write_rows(root / "data" / "level", levels[:300], levels[300:].assign(level=0))
    ink = images[:400].mean(axis=(1, 2)) / 255
    numbers = pd.DataFrame({"id": ids, "ink": ink.round(4), "digit": labels[:400] * 1.5})
    write_rows(root / "data" / "numbers", numbers[:300], numbers[300:].assign(ink=0.5, digit=0.5))
    for slug in ("tags", "level", "numbers"):
        done = run_command_module("harness.data", "init", f"data/{slug}", cwd=root)
        assert done.returncode == 0, done.stderr
        for more in ((), ("--set", "seed=1")):
            done = run_command_module("harness.cv", slug, *FAST, *more, cwd=root)
            assert done.returncode == 0, done.stderr
    return root


def test_init_tells_the_tasks_apart(project: Path):
    toml = {
        slug: (project / "competitions" / slug / "competition.toml").read_text()
        for slug in ("tags", "level", "numbers")
    }
    assert 'task = "multilabel"' in toml["tags"] and 'separator = " "' in toml["tags"]
    assert 'task = "ordinal"' in toml["level"] and 'metric = "quadratic_kappa"' in toml["level"]
    assert 'task = "regression"' in toml["numbers"] and 'label = ["ink", "digit"]' in toml["numbers"]
    assert "not known: the competition's page says which" in toml["tags"]


def test_init_never_writes_over(project: Path, run_command):
    done = run_command("harness.data", "init", "data/tags", cwd=project)
    assert done.returncode == 2 and "stands already, and is not written over" in done.stderr


def submission(project: Path, run_command, slug: str) -> pd.DataFrame:
    done = run_command("harness.submit", "--comp", slug, "--dry-run", cwd=project)
    assert done.returncode == 0, done.stderr
    [path] = (project / "submissions" / slug).glob("quick-*.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    sample = pd.read_csv(project / "data" / slug / "sample_submission.csv", dtype=str)
    assert list(table.columns) == list(sample.columns) and table.iloc[:, 0].tolist() == sample.iloc[:, 0].tolist()
    path.unlink()
    return table


def runs_of(project: Path, slug: str):
    return [load_run(path.parent) for path in sorted((project / "oof" / slug).glob("quick-*/scores.json"))]


def test_several_labels_are_handed_in_as_the_decision_gives_them(project: Path, run_command):
    table = submission(project, run_command, "tags")
    names = set(" ".join(table["tags"]).split())
    assert names <= {f"d{n}" for n in range(5)} and len(names) > 3
    best = max(runs_of(project, "tags"), key=lambda run: run.scores["metrics"]["samples_f1"]["pooled"])
    given = (best.test >= np.array(best.scores["decision"]["values"])).sum(axis=1)
    assert [len(cell.split()) for cell in table["tags"]] == given.tolist()


def test_the_score_is_by_what_the_other_folds_found(project: Path):
    from sklearn.metrics import f1_score

    run = runs_of(project, "tags")[0]
    said = np.zeros(run.oof.shape, dtype=bool)
    for fold, values in run.scores["decision"]["folds"].items():
        mine = run.folds.fold == int(fold)
        said[mine] = run.oof[mine] >= np.array(values)
    by_hand = f1_score(run.labels, said, average="samples", zero_division=0)
    assert run.scores["metrics"]["samples_f1"]["pooled"] == pytest.approx(by_hand, abs=1e-9)


def test_grades_and_numbers_are_handed_in(project: Path, run_command):
    assert set(submission(project, run_command, "level")["level"]) <= {"0", "1", "2", "3", "4"}
    table = submission(project, run_command, "numbers").set_index("id").astype(float)
    assert 0 <= table["ink"].mean() <= 1 and 2 < table["digit"].mean() < 12
    run = runs_of(project, "numbers")[0]
    assert run.labels.shape == (300, 2) and run.scores["metrics"]["rmse"]["greater_is_better"] is False


@pytest.mark.parametrize("slug", ["tags", "level", "numbers"])
def test_compare_and_ensemble_work_for_every_task(project: Path, run_command, slug: str):
    told = json.loads(run_command("harness.oof", "compare", slug, "--json", cwd=project).stdout)
    assert len(told["runs"]) >= 2 and len(told["pairs"]) == 1
    done = run_command("harness.oof", "ensemble", slug, "--method", "hill_climbing", cwd=project)
    assert done.returncode == 0, done.stderr
    made = load_run(next((project / "oof" / slug).glob("ensemble-hill_climbing-*")))
    assert made.oof.shape == runs_of(project, slug)[0].oof.shape and made.task.name != "single"


@pytest.mark.parametrize(("slug", "said"), [("tags", "wrong labels"), ("level", "grades ("), ("numbers", "R2")])
def test_errors_are_told_for_every_task(project: Path, run_command, slug: str, said: str):
    run = runs_of(project, slug)[0]
    done = run_command("harness.oof", "errors", slug, "--run", run.name, cwd=project)
    assert done.returncode == 0 and said in done.stdout and "without images" not in done.stdout, done.stderr
    page = (run.path / "errors.html").read_text()
    assert page.count("<script") == 3 and "data:image/png" in page and "<svg " in page
    table = pd.read_csv(run.path / "errors.csv", dtype={"id": str})
    assert set(table["id"]) <= set(run.folds.ids) and len(table)


def test_folds_vote_and_ensembles_are_scored_as_they_are_saved(project: Path, run_command):
    for slug, vote in (("tags", "multilabel"), ("level", "ordinal")):
        done = run_command("harness.cv", slug, *FAST, "--set", "predict.across_folds=vote", cwd=project)
        assert done.returncode == 0, done.stderr
        told = json.loads(
            run_command("harness.oof", "ensemble", slug, "--method", "stacking", "--json", cwd=project).stdout
        )
        saved = load_run(project / "oof" / slug / told["run"])
        main = saved.scores["metrics"][saved.scores["metric"]]
        assert (
            main["pooled"] == pytest.approx(told["methods"]["stacking"]["cross_fitted"], abs=1e-9)
            and saved.task.name == vote
        )
    voted = next(run for run in runs_of(project, "tags") if run.recipe.predict.across_folds == "vote")
    parts = [RunFolder(voted.path).load_fold(fold).test_proba for fold in range(voted.folds.k)]
    np.testing.assert_allclose(voted.test, np.median(parts, axis=0), atol=1e-6)


@pytest.mark.parametrize("slug", ["tags", "level", "numbers"])
def test_tuning_scores_a_trial_as_its_run_is_scored(project: Path, run_command, tmp_path: Path, slug: str):
    import shutil

    folder = tmp_path / "competitions" / slug
    shutil.copytree(project / "competitions" / slug, folder)
    recipe = folder / "recipes" / "quick.toml"
    recipe.write_text(recipe.read_text() + '\n[tune]\n"train.lr" = { low = 1e-3, high = 1e-2, log = true }\n')
    options = (
        "--recipe",
        "quick",
        "--set",
        "train.epochs=1",
        "--set",
        "cv.folds=2",
        "--trials",
        "2",
        "--keep",
        "--json",
    )
    done = run_command(
        "harness.tune", slug, *options, "--data", str(project / "data"), "--pruner", "none", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    [kept] = [load_run(path.parent) for path in (tmp_path / "oof" / slug).glob("*/scores.json")]
    metric = kept.scores["metric"]
    assert kept.scores["metrics"][metric]["mean"] == pytest.approx(told["best"][metric], abs=1e-6)
    nested = told["nested"]
    sign = 1 if kept.scores["metrics"][metric]["greater_is_better"] else -1
    assert nested["gain"] == pytest.approx(sign * (nested["score"] - nested["base"]), abs=1e-6)


@pytest.mark.parametrize(
    ("slug", "metric"), [("tags", "samples f1"), ("level", "quadratic kappa"), ("numbers", "rmse")]
)
def test_every_task_is_forecast_calibrated_and_sent_with_its_forecast(
    project: Path, run_command, slug: str, metric: str
):
    again = ("harness.cv", slug, *FAST, "--noise", "--noise-rows", "60")
    done = run_command(*again, cwd=project)
    assert done.returncode == 0 and "noise suite, 60 rows" in done.stdout, done.stderr
    run = next((project / "oof" / slug).glob("quick-*/noise.json")).parent
    told = json.loads(run_command("harness.oof", "forecast", slug, "--run", run.name, "--json", cwd=project).stdout)
    assert told["kind"] == "test images" and told["public"]["low"] <= told["public"]["score"] <= told["public"]["high"]
    assert told["rule"] == "no fall" or set(told["rule"].split(" + ")) <= set(told["estimators"])
    page = (run / "forecast.html").read_text()
    assert "not to be had for this task" in page and "They disagree" in page
    fared = json.loads(run_command("harness.oof", "calibrate", slug, "--run", run.name, "--json", cwd=project).stdout)
    assert fared["fared"][0]["n"] >= 55 and 0.5 < fared["fared"][0]["covered"] <= 1
    done = run_command("harness.submit", "--comp", slug, "--run", run.name, "--dry-run", cwd=project)
    assert done.returncode == 0 and f"forecast: public {metric}" in done.stdout, done.stderr
    (project / "submissions" / slug / f"{run.name}.csv").unlink()


def test_confident_rows_of_several_labels_are_learnt_fold_by_fold(project: Path, run_command):
    from harness.runs import RunFolder

    source = runs_of(project, "tags")[0]
    args = ("--pseudo-labels", source.name, "--set", "pseudo.threshold=0.6")
    done = run_command("harness.cv", "tags", *FAST, *args, cwd=project)
    assert done.returncode == 0 and "OOF against that run" in done.stdout, done.stderr
    run = max(runs_of(project, "tags"), key=lambda run: bool(run.environment.get("pseudo")))
    sure = []
    for fold in range(3):
        p = RunFolder(source.path).load_fold(fold).test_proba
        sure.append(int(((p >= 0.6) | (p <= 0.4)).all(axis=1).sum()))
    assert run.environment["pseudo"]["rows"] == sure and sum(sure) > 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("harness.cv", "numbers", *FAST, "--pseudo-labels", "quick"), "a number has no probability"),
        (("harness.oof", "ensemble", "numbers", "--method", "vote"), "unknown for task = 'regression'"),
        (("harness.cv", "numbers", *FAST, "--set", "train.loss=cross_entropy"), "does not train task = 'regression'"),
        (("harness.cv", "numbers", *FAST, "--set", "train.class_weights=balanced"), "numbers have no classes"),
        (("harness.cv", "numbers", *FAST, "--set", "train.sampling=balanced"), "numbers have no classes"),
        (("harness.cv", "numbers", *FAST, "--set", "train.logit_adjustment=1.0"), "numbers have no classes"),
        (("harness.cv", "tags", *FAST, "--set", "train.logit_adjustment=1.0"), "train.class_weights = 'balanced' lets"),
        (("harness.cv", "tags", *FAST, "--set", "train.sampling=sqrt"), "several labels, each with a threshold"),
        (("harness.cv", "level", *FAST, "--set", "train.logit_adjustment=1.0", "--set", "train.loss=mse"), "of the expected grade"),
        (("harness.cv", "numbers", *FAST, "--set", "predict.across_folds=vote"), "no two models say the same number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_task_is_refused_with_a_reason(
    project: Path, run_command, command: tuple[str, ...], said: str
):
    done = run_command(*command, cwd=project)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('task = "multilabel"', 'task = "regression"', "write one of: number"),
        ('metric = "samples_f1"', 'metric = "rmse"', "is for targets that are numbers"),
        ('metric = "samples_f1"', 'metric = {name = "fbeta", betta = 2}', "did you mean 'beta'"),
        ('value = "labels"', 'value = "class"', "is any of several labels; write one of: labels"),
        ('labels = "train.csv"', 'labels = "nothing.csv"', "nothing.csv: not there"),
        ('separator = " "', 'separator = ";"', "is none of the classes"),
    ],
)
def test_a_toml_that_does_not_fit_is_told_before_training(
    project: Path, run_command, tmp_path: Path, old: str, new: str, said: str
):
    import shutil

    folder = tmp_path / "competitions" / "tags"
    shutil.copytree(project / "competitions" / "tags", folder)
    text = (folder / "competition.toml").read_text()
    assert old in text
    (folder / "competition.toml").write_text(text.replace(old, new))
    done = run_command("harness.data", str(folder), "--data", str(project / "data"), cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_competition_without_recipes_is_played_by_built_in_ones(project: Path, run_command, tmp_path: Path):
    import shutil

    folder = tmp_path / "competitions" / "level"
    shutil.copytree(project / "competitions" / "level", folder)
    shutil.rmtree(folder / "recipes")
    where = ("--data", str(project / "data"), "--workers", "1")
    shown = run_command("harness.cv", "level", "--recipe", "strong", "--show", *where, cwd=tmp_path)
    assert shown.returncode == 0 and 'name = "cnn"' in shown.stdout and not (tmp_path / "oof").exists(), shown.stderr
    fast = ("--set", "train.epochs=1", "--set", "cv.folds=2")
    done = run_command("harness.cv", "level", *fast, *where, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = load_run(next((tmp_path / "oof" / "level").glob("quick-*/scores.json")).parent)
    assert run.recipe.train.epochs == 1 and run.recipe.model.name == "cnn"
    lost = run_command("harness.cv", "level", "--recipe", "quik", *where, cwd=tmp_path)
    assert (
        lost.returncode == 2
        and "did you mean 'quick'" in lost.stderr
        and "built in: quick, strong, transfer, finetune" in lost.stderr
    )
