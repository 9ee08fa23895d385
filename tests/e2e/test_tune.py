"""harness.tune as a user runs it: to the end, killed and gone on with, two processes on one database, wrong input."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import TINY_RECIPE, make_shapes, run_inside, run_module, start_forked
from tests.postgresql import server, why_not

SPACE = """
[cv]
folds = 2

[tune]
"train.lr" = { low = 1e-3, high = 1e-1, log = true }
"train.batch_size" = { choices = [8, 16] }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("optuna")
    make_shapes(tmp_path)
    (tmp_path / "competitions" / "shapes" / "recipes" / "tiny.toml").write_text(TINY_RECIPE + SPACE)
    return tmp_path


FIXED = ("shapes", "--data", "data", "--recipe", "tiny", "--device", "cpu")


def tune(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_inside("harness.tune", *FIXED, *options, cwd=project)


def trials_of(project: Path, url: str | None = None) -> list:
    from harness.tune.storage import open_storage

    home = next((project / "oof" / "shapes" / "studies").iterdir())
    import optuna

    return optuna.load_study(study_name=home.name, storage=open_storage(url, home)).trials


def trials_so_far(project: Path, url: str | None = None) -> list:
    """Those of a study that is perhaps only about to be made."""
    import optuna

    if not list(project.glob("oof/shapes/studies/*")):
        return []
    try:
        return trials_of(project, url)
    except (KeyError, optuna.exceptions.OptunaError):
        return []


def test_a_study_ends_with_a_recipe_a_page_and_an_honest_estimate(project: Path, run_command):
    done = tune(project, "--trials", "4", "--json", "--keep")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sum(told["trials"].values()) == 4
    nested = told["nested"]
    assert nested["low"] <= nested["score"] <= nested["high"]
    assert nested["optimism"] == pytest.approx(nested["study"] - nested["mean"])
    assert nested["study"] == pytest.approx(told["best"]["accuracy"])
    recipe = project / told["recipe"]
    assert recipe.name == "tiny-tuned.toml" and "harness.tune" in recipe.read_text()
    page = (project / told["page"]).read_text()
    assert "One parameter at a time" in page and "optimism" in page and "Trials" in page
    assert (project / told["run"] / "scores.json").is_file()
    board = run_command("harness.oof", "compare", "shapes", "--json", cwd=project)
    assert [line["run"] for line in json.loads(board.stdout)["runs"]] == [Path(told["run"]).name]
    played = run_command(
        "harness.cv", "shapes", "--data", "data", "--recipe", "tiny-tuned", "--workers", "1", "--json", cwd=project
    )
    assert played.returncode == 0, played.stderr
    mean = json.loads(played.stdout)["metrics"]["accuracy"]["mean"]
    assert mean == pytest.approx(told["best"]["accuracy"], abs=1e-6)  # the same folds, the same numbers
    first = trials_of(project)[0]
    assert first.params == {"train.lr": 0.01, "train.batch_size": "16"}  # the recipe as it was
    again = tune(project, "--trials", "4", "--json")
    assert again.returncode == 0 and len(trials_of(project)) == 4


def test_a_killed_study_ends_with_as_many_trials(project: Path):
    options = ("--trials", "5", "--pruner", "percentile", "--no-nested", "--set", "train.epochs=4")
    child = start_forked("harness.tune", *FIXED, *options, cwd=project)
    while sum(trial.state.is_finished() for trial in trials_so_far(project)) < 2 and child.is_alive():
        time.sleep(0.05)
    child.kill()  # in the middle of the next one
    child.join()
    assert child.exitcode == -signal.SIGKILL
    done = tune(project, *options, "--json")
    assert done.returncode == 0, done.stderr
    states = [t.state.name for t in trials_of(project)]
    assert states.count("COMPLETE") + states.count("PRUNED") == 5 and "RUNNING" not in states


def test_two_processes_on_one_database_share_the_trials(project: Path):
    if why_not():
        pytest.skip(why_not())
    with server() as url:
        options = ("--trials", "6", "--pruner", "none", "--no-nested", "--storage", url, "--set", "train.epochs=3")
        crew = [
            start_forked("harness.tune", *FIXED, *options, "--seed", str(i), "--save", f"best{i}", cwd=project)
            for i in range(2)
        ]
        while not any(t.state.is_finished() for t in trials_so_far(project, url)) and crew[0].is_alive():
            time.sleep(0.05)
        crew[0].kill()  # in the middle of a trial
        crew[0].join()
        crew[1].join(200)
        assert crew[1].exitcode == 0
        trials = trials_of(project, url)
        complete = [t for t in trials if t.state.name == "COMPLETE"]
        assert len(complete) == 6 and not any(t.state.name == "RUNNING" for t in trials)
        assert len({json.dumps(t.params, sort_keys=True) for t in complete}) == 6
        for failed in (t for t in trials if t.state.name == "FAIL" and t.params):
            assert any(t.params == failed.params for t in complete)  # nothing is lost


def test_several_processes_of_one_command(project: Path):
    done = run_module(
        "harness.tune",
        *FIXED,
        "--trials",
        "8",
        "--set",
        "train.epochs=100",
        "--pruner",
        "none",
        "--no-nested",
        "--parallel",
        "2",
        "--json",
        cwd=project,
    )
    assert done.returncode == 0, done.stderr
    trials = trials_of(project)
    assert [t.state.name for t in trials].count("COMPLETE") == 8
    assert len({t.user_attrs["worker"] for t in trials}) == 2


def test_a_grid_ends_when_it_is_used_up(project: Path):
    path = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    path.write_text(TINY_RECIPE + '\n[cv]\nfolds = 2\n[tune]\n"train.batch_size" = { choices = [8, 16] }\n')
    for _ in range(2):
        done = tune(project, "--trials", "9", "--sampler", "grid", "--pruner", "none", "--no-nested")
        assert done.returncode == 0, done.stderr
        assert sorted(t.params["train.batch_size"] for t in trials_of(project)) == ["16", "8"]


def test_a_recipe_of_ones_own_is_not_written_over(project: Path):
    mine = project / "competitions" / "shapes" / "recipes" / "tiny-tuned.toml"
    mine.write_text(TINY_RECIPE)
    done = tune(project, "--trials", "1", "--no-nested")
    assert done.returncode == 2 and "of your own" in done.stderr and mine.read_text() == TINY_RECIPE


def test_what_cannot_be_trained_together_ends_a_trial_and_not_the_study(project: Path):
    path = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    space = (
        '\n[cv]\nfolds = 2\n[tune]\n"train.ema" = { choices = [0.0, 0.9] }\n"train.swa" = { choices = [0.0, 0.5] }\n'
    )
    path.write_text(TINY_RECIPE + space)
    done = tune(project, "--trials", "4", "--sampler", "grid", "--pruner", "none", "--no-nested")
    assert done.returncode == 0 and "both replace the weights" in done.stderr, done.stderr
    assert sorted(t.state.name for t in trials_of(project))[:3] == ["COMPLETE"] * 3


def test_a_recipe_that_cannot_be_trained_is_not_tuned(project: Path):
    path = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    network = '[model]\nname = "timm"\n[model.args]\nbackbone = "resnet10t"\nweights = "w.safetensors"\n'
    recipe = network + TINY_RECIPE[TINY_RECIPE.index("[train]") :]
    path.write_text(recipe + SPACE)
    for _ in range(2):  # the second time as the first
        done = tune(project, "--trials", "4", "--no-nested")
        assert done.returncode == 2 and done.stderr.count("w.safetensors") == 1, done.stderr
        assert "recipe 'tiny' as it stands cannot be trained" in done.stderr and "Traceback" not in done.stderr
    path.write_text(recipe.replace("w.safetensors", "scratch") + SPACE)
    assert tune(project, "--trials", "1", "--no-nested").returncode == 0


def test_two_objectives_and_limits(project: Path):
    done = tune(project, "--trials", "3", "--objectives", "score,seconds", "--pruner", "none", "--no-nested")
    assert done.returncode == 0 and "trade-off: trial" in done.stdout, done.stderr
    tight = tune(project, "--trials", "2", "--most-parameters", "3", "--no-nested", "--study", "tight")
    assert tight.returncode == 2 and "no trial was completed" in tight.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sampler", "tpee"), "did you mean 'tpe'"),
        (("--pruner", "hyper"), "known: hyperband"),
        (("--objectives", "score,seconds"), "add --pruner none"),
        (("--sampler", "grid"), "train.lr has no steps"),
        (("--storage", "postgresql+psycopg://me:secret-of-mine@127.0.0.1:9/x"), "the database cannot be used"),
        (("--recipe", "other"), "no such recipe"),
    ],
)
def test_wrong_options_are_said(project: Path, options: tuple[str, ...], said: str):
    done = tune(project, "--trials", "1", *options)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert "secret-of-mine" not in done.stderr


def test_another_studys_name_is_refused(project: Path):
    assert tune(project, "--trials", "1", "--study", "mine", "--no-nested").returncode == 0
    path = project / "competitions" / "shapes" / "recipes" / "tiny.toml"
    path.write_text(path.read_text().replace("1e-1", "2e-1"))
    other = tune(project, "--trials", "1", "--study", "mine", "--no-nested")
    assert other.returncode == 2 and "is about something else (space:" in other.stderr
    import optuna

    from harness.tune.storage import open_storage

    home = project / "oof" / "shapes" / "studies" / "mine"
    optuna.load_study(study_name="mine", storage=open_storage(None, home)).set_user_attr("schema", 0)
    older = tune(project, "--trials", "1", "--study", "mine", "--no-nested")
    assert older.returncode == 2 and "schema 0" in older.stderr and "--study NAME" in older.stderr


def test_a_fold_of_one_class_is_no_reason_to_give_a_trial_up(project: Path):
    """Its AUC has no value: pruners take that for the worst there is."""
    toml = project / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('metric = "accuracy"', 'metric = "roc_auc"'))
    for path in sorted((project / "data" / "shapes" / "train" / "square").iterdir())[2:]:
        path.unlink()
    done = tune(project, "--trials", "2", "--no-nested", "--set", "cv.folds=3")
    assert done.returncode == 0, done.stderr
    assert all(trial.state.name == "COMPLETE" for trial in trials_of(project)[:1])
