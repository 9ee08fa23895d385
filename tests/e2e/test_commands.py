"""The commands as a user calls them, on small real data and on wrong input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import FAST, REPOSITORY, TINY_RECIPE, make_shapes, write_digits

SAMPLE = ("digit-recognizer", "--sample", *FAST)


@pytest.fixture(scope="module")
def digits_out(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """A finished run on the embedded sample, two workers."""
    out = tmp_path_factory.mktemp("digits")
    done = run_command_module("harness.cv", *SAMPLE, "--workers", "2", "--out", str(out))
    assert done.returncode == 0, done.stderr
    (out / "said.txt").write_text(done.stdout + done.stderr)
    return out


def only_run(out: Path, slug: str = "digit-recognizer") -> Path:
    (path,) = (out / "oof" / slug).glob("*/scores.json")
    return path.parent


def table(path: Path, name: str = "oof.parquet") -> pd.DataFrame:
    return pd.read_parquet(path / name)


def test_cv_leaves_the_whole_run_folder_and_says_where(digits_out: Path):
    run, said = only_run(digits_out), (digits_out / "said.txt").read_text()
    names = {p.name for p in run.iterdir() if not p.name.startswith(".")}
    files = {
        "recipe.json",
        "folds.csv",
        "environment.json",
        "oof.parquet",
        "test.parquet",
        "scores.json",
        "history.jsonl",
    }
    folds = {f"fold-{k}{ending}" for k in range(5) for ending in (".npz", ".manifest.json")}
    assert names == files | folds | {"report.html", "checkpoints", "start.zip", "manifest.json"}
    assert run.name.startswith("sample-simple_cnn-") and str(run / "report.html") in said
    assert "embedded sample" in said and "python -m harness.submit digit-recognizer --run " + run.name in said
    environment = json.loads((run / "environment.json").read_text())
    assert environment["data"]["fingerprint"] in said and environment["data"]["is_sample"]
    assert environment["layout"]["how"] == "pinned by the recipe"
    assert len((run / "history.jsonl").read_text().splitlines()) == 5


def test_oof_and_test_are_probabilities_and_the_score_is_theirs(digits_out: Path):
    run = only_run(digits_out)
    oof, test, scores = table(run), table(run, "test.parquet"), json.loads((run / "scores.json").read_text())
    proba = [f"proba_{c}" for c in range(10)]
    assert list(oof.columns) == ["id", "label", "fold", *proba] and list(test.columns) == ["id", *proba]
    np.testing.assert_allclose(oof[proba].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(test[proba].sum(axis=1), 1, atol=1e-5)
    accuracy = (oof[proba].to_numpy().argmax(axis=1) == oof["label"]).mean()
    assert scores["metrics"]["accuracy"]["pooled"] == pytest.approx(accuracy)
    assert accuracy > 0.6  # after one epoch


def test_oof_rows_are_predicted_by_the_checkpoint_that_did_not_see_them(digits_out: Path):
    import torch
    from safetensors.torch import load_file

    from harness.competition import find_competition
    from harness.data.dataset import load_dataset
    from harness.models import build_network
    from harness.models.network import Network
    from harness.runs import load_run

    run = load_run(only_run(digits_out))
    competition = find_competition(REPOSITORY / "competitions" / "digit-recognizer")
    images = load_dataset(competition, Path("unused"), sample=True).train.images
    for fold in (0, 4):
        states = load_file(run.path / "checkpoints" / f"fold-{fold}.safetensors")
        network = Network(build_network(run.recipe.model, competition), [0.0], [1.0], 10)
        network.load_state_dict({k.removeprefix("seed-0."): v for k, v in states.items()})
        rows = run.folds.valid_rows(fold)
        with torch.inference_mode():
            x = torch.from_numpy(images[rows].astype(np.float32) / 255).permute(0, 3, 1, 2)
            proba = network.eval()(x).softmax(1).numpy()
        np.testing.assert_allclose(proba, run.oof[rows], atol=1e-4)
        seen = images[run.folds.train_rows(fold)].astype(np.float64) / 255
        assert float(states["seed-0.mean"].squeeze()) == pytest.approx(seen.mean(), abs=1e-5)


def test_report_is_one_file_with_the_numbers(digits_out: Path):
    run = only_run(digits_out)
    html, scores = (run / "report.html").read_text(), json.loads((run / "scores.json").read_text())
    assert f"{scores['metrics']['accuracy']['pooled']:.5f}" in html
    assert "Embedded sample" in html and html.count("<script") == 3 and "<script>" in html
    assert 'src="http' not in html and not re.search("href=.(?![#.a-z])|href=.http", html)  # links lead beside it


def test_a_finished_run_is_not_trained_again(digits_out: Path, run_command):
    before = only_run(digits_out).joinpath("fold-0.npz").stat().st_mtime_ns
    done = run_command("harness.cv", *SAMPLE, "--out", digits_out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    assert only_run(digits_out).joinpath("fold-0.npz").stat().st_mtime_ns == before


def test_submit_dry_run_writes_a_file_that_matches_the_sample_submission(digits_out: Path, run_command):
    done = run_command("harness.submit", "--comp", "digit-recognizer", "--sample", "--dry-run", "--out", digits_out)
    assert done.returncode == 0, done.stderr
    assert "passes its checks" in done.stdout and "nothing was sent to kaggle" in done.stdout
    run = only_run(digits_out)
    path = digits_out / "submissions" / "digit-recognizer" / f"{run.name}.csv"
    sent, test = pd.read_csv(path), table(run, "test.parquet")
    assert list(sent.columns) == ["ImageId", "Label"] and sent["ImageId"].tolist() == list(range(1, 356))
    assert sent["Label"].tolist() == test.drop(columns="id").to_numpy().argmax(axis=1).tolist()


def test_submit_without_dry_run_never_sends_the_sample(digits_out: Path, run_command):
    done = run_command("harness.submit", "--comp", "digit-recognizer", "--sample", "--out", digits_out)
    assert done.returncode == 2 and "embedded sample, which no platform wants" in done.stderr


def test_submit_refuses_a_run_of_other_data(digits_out: Path, run_command, tmp_path: Path):
    write_digits(tmp_path / "digit-recognizer")
    arguments = ("--comp", "digit-recognizer", "--data", tmp_path, "--dry-run", "--out", digits_out)
    named = run_command("harness.submit", *arguments, "--run", only_run(digits_out).name)
    assert named.returncode == 2 and "was trained on other data (embedded sample" in named.stderr
    unnamed = run_command("harness.submit", *arguments)
    assert unnamed.returncode == 2 and "no finished run of 'digit-recognizer' on this data" in unnamed.stderr


def test_submit_refuses_runs_of_other_folds(digits_out: Path, run_command, tmp_path: Path):
    shutil.copytree(digits_out, tmp_path / "out")
    other = run_command("harness.cv", *SAMPLE, "--set", "cv.folds=2", "--out", tmp_path / "out", "--json")
    assert other.returncode == 0, other.stderr
    runs = [f"--run={p.parent.name}" for p in (tmp_path / "out" / "oof" / "digit-recognizer").glob("*/scores.json")]
    done = run_command(
        "harness.submit", "--comp", "digit-recognizer", "--sample", "--dry-run", "--out", tmp_path / "out", *runs
    )
    assert len(runs) == 2 and done.returncode == 2
    assert "cannot be blended: their folds differ" in done.stderr


def start(out: Path) -> subprocess.Popen[bytes]:
    """What it says on stderr goes to <out>/stderr: a pipe would stay open until the last worker has ended."""
    out.mkdir()
    command = [sys.executable, "-m", "harness.cv", *SAMPLE, "--workers", "2", "--out", str(out)]
    with (out / "stderr").open("wb") as said:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=said,
            preexec_fn=None if sys.platform == "win32" else _hear_ctrl_c,
        )


def _hear_ctrl_c() -> None:
    """Also where the tests run in the background, where a shell has its commands ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(folder: Path, how: signal.Signals) -> tuple[Path, int, str]:
    """Where a run was stopped after its first fold, its exit code and what it said; where it was quicker, another one."""
    for out in (folder / str(number) for number in range(5)):
        process = start(out)
        wait_for_fold(out)
        process.send_signal(how)
        process.wait(60)
        if not list(out.glob("oof/digit-recognizer/*/scores.json")):
            return out, process.returncode, (out / "stderr").read_text()
    raise AssertionError("five runs ended before they could be stopped")


def wait_for_fold(out: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not list(out.glob("oof/digit-recognizer/*/fold-*.npz")):
        assert time.monotonic() < deadline, "no fold was finished in time"
        time.sleep(0.01)


def test_killed_and_resumed_gives_the_same_bits(digits_out: Path, tmp_path: Path, run_command):
    out, _, _ = interrupt(tmp_path, signal.SIGKILL)
    (run,) = out.glob("oof/digit-recognizer/sample-*")
    done_before = {p.name: p.stat().st_mtime_ns for p in run.glob("fold-*.npz")}
    assert 1 <= len(done_before) < 5 and not (run / "scores.json").exists()

    refused = run_command("harness.cv", *SAMPLE, "--out", out)
    assert refused.returncode == 2 and "missing. Add --resume" in refused.stderr
    resumed = run_command("harness.cv", *SAMPLE, "--workers", "2", "--out", out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name, stamp in done_before.items():
        assert (run / name).stat().st_mtime_ns == stamp
    for name in ("oof.parquet", "test.parquet"):
        pd.testing.assert_frame_equal(table(run, name), table(only_run(digits_out), name), check_exact=True)
    assert not list(run.rglob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_says_how_to_go_on(tmp_path: Path):
    _, code, stderr = interrupt(tmp_path, signal.SIGINT)
    assert code == 130
    assert "Finished folds are kept; go on with:" in stderr and "--resume" in stderr and "Traceback" not in stderr


def test_some_folds_first_the_others_later(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    first = run_command("harness.cv", "shapes", "--recipe", "tiny", "--folds", "0,2", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "partial: 3 of 5 folds are not trained" in first.stdout
    oof = table(only_run(tmp_path, "shapes"))
    assert set(oof.loc[oof["proba_circle"].notna(), "fold"]) == {0, 2}
    refused = run_command(
        "harness.submit", "--comp", "shapes", "--dry-run", "--run", only_run(tmp_path, "shapes").name, cwd=tmp_path
    )
    assert refused.returncode == 2 and "is partial: 2 of 5 folds" in refused.stderr
    rest = run_command("harness.cv", "shapes", "--recipe", "tiny", "--resume", cwd=tmp_path)
    assert rest.returncode == 0, rest.stderr
    run = only_run(tmp_path, "shapes")
    assert table(run)["proba_circle"].notna().all()
    for name in ("manifest.json", "scores.json"):  # as after a kill between the last fold and the scores
        (run / name).unlink()
    again = run_command("harness.cv", "shapes", "--recipe", "tiny", "--json", cwd=tmp_path)
    assert again.returncode == 0 and json.loads(again.stdout)["complete"], again.stderr


def test_fresh_trains_anew_only_what_was_asked_for_and_only_when_it_can(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    assert run_command("harness.cv", "shapes", "--recipe", "tiny", cwd=tmp_path).returncode == 0
    run = only_run(tmp_path, "shapes")
    before = {p.name: p.stat().st_mtime_ns for p in run.glob("fold-*.npz")}
    cannot = run_command("harness.cv", "shapes", "--recipe", "tiny", "--fresh", "--device", "cuda:7", cwd=tmp_path)
    assert cannot.returncode == 2 and {p.name: p.stat().st_mtime_ns for p in run.glob("fold-*.npz")} == before
    both = run_command("harness.cv", "shapes", "--recipe", "tiny", "--fresh", "--resume", cwd=tmp_path)
    assert both.returncode == 2 and "give one of them" in both.stderr
    done = run_command("harness.cv", "shapes", "--recipe", "tiny", "--fresh", "--folds", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = {p.name: p.stat().st_mtime_ns for p in run.glob("fold-*.npz")}
    assert {name for name in before if before[name] != after[name]} == {"fold-1.npz"}
    assert json.loads((run / "scores.json").read_text())["complete"]


def test_a_changed_metric_scores_anew_without_training(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    assert run_command("harness.cv", "shapes", "--recipe", "tiny", cwd=tmp_path).returncode == 0
    stamp = (only_run(tmp_path, "shapes") / "fold-0.npz").stat().st_mtime_ns
    toml = tmp_path / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('"accuracy"', '"log_loss"'))
    done = run_command("harness.cv", "shapes", "--recipe", "tiny", "--json", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["metric"] == "log_loss", done.stderr
    assert (only_run(tmp_path, "shapes") / "fold-0.npz").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return torch.nn.Flatten()", "gives (2, 144) for 2 images; wanted (2, 2) logits"),
        ("return torch.nn.Linear(7, 2)", "cannot take images (1, 12, 12)"),
        ("raise ValueError('no')", "cannot be built with {}: no"),
    ],
)
def test_a_custom_model_is_tried_before_anything_is_trained(tmp_path: Path, run_command, body: str, said: str):
    make_shapes(tmp_path)
    folder = tmp_path / "competitions" / "shapes"
    code = f"import torch\ndef build_model(height, width, channels, n_classes):\n    {body}\n"
    (folder / "competition.py").write_text(code)
    (folder / "recipes" / "own.toml").write_text(
        TINY_RECIPE.replace('"cnn"', '"custom"').replace("stages = [[4]]\nbatch_norm = true\n", "")
    )
    done = run_command("harness.cv", "shapes", "--recipe", "own", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr and "trained" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shapes", "--recipe", "tinny"), "no such recipe (did you mean 'tiny'?). Recipes of shapes: tiny"),
        (("shaps",), "did you mean 'shapes'"),
        (
            ("shapes", "--recipe", "tiny", "--set", "cv.folds=1"),
            "cv.folds = 1: input should be greater than or equal to 2",
        ),
        (("shapes", "--recipe", "tiny", "--set", "train.lr=-1"), "train.lr = -1: input should be greater than 0"),
        (("shapes", "--recipe", "tiny", "--set", "train.epoch=1"), "did you mean 'train.epochs'"),
        (
            ("shapes", "--recipe", "tiny", "--set", "model.args.stage=[[4]]"),
            "model.args.stage: unknown key (did you mean 'stages'?)",
        ),
        (
            ("shapes", "--recipe", "tiny", "--set", "predict.tta=['hflop']"),
            "unknown view 'hflop' (did you mean 'hflip'?)",
        ),
        (
            ("shapes", "--recipe", "tiny", "--set", "cv.folds=50"),
            "40 training rows are too few for 50 folds. Lower it: --set cv.folds=40",
        ),
        (
            ("shapes", "--recipe", "tiny", "--set", "train.batch_size=1", "--set", "model.args.dense=[4]"),
            "[model] cannot take images (1, 12, 12) (C, H, W): Expected more than 1 value per channel",
        ),
        (
            ("shapes", "--recipe", "tiny", "--set", "train.clip_norm=inf"),
            "train.clip_norm = inf: input should be a finite number",
        ),
        (("shapes", "--recipe", "tiny", "--folds", "5"), "this recipe has folds 0 to 4"),
        (("shapes", "--recipe", "tiny", "--folds", "a"), "give fold numbers and ranges with commas between"),
        (("shapes", "--recipe", "tiny", "--data", "nowhere"), "no data of 'shapes': neither"),
        (("shapes", "--recipe", "tiny", "--sample"), "'shapes' has no embedded sample"),
        (("shapes", "--recipe", "tiny", "--device", "cuda:7"), "device 'cuda:7'"),
    ],
)
def test_mistakes_are_one_clear_message(tmp_path: Path, run_command, arguments: tuple[str, ...], said: str):
    make_shapes(tmp_path)
    done = run_command("harness.cv", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr


def test_an_output_folder_that_cannot_be_is_told(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    (tmp_path / "file").write_text("in the way")
    done = run_command("harness.cv", "shapes", "--recipe", "tiny", "--out", "file", cwd=tmp_path)
    assert done.returncode == 2 and "file" in done.stderr and "--out DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_in_use_is_not_trained_twice(tmp_path: Path, run_command):
    import filelock

    make_shapes(tmp_path)
    assert run_command("harness.cv", "shapes", "--recipe", "tiny", cwd=tmp_path).returncode == 0
    with filelock.FileLock(only_run(tmp_path, "shapes") / ".lock"):
        done = run_command("harness.cv", "shapes", "--recipe", "tiny", "--fresh", cwd=tmp_path)
    assert done.returncode == 2 and "another process is training this run" in done.stderr


def test_workers_do_not_change_what_is_learnt_much_and_groups_are_kept(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    for workers in ("1", "2"):
        done = run_command(
            "harness.cv", "shapes", "--recipe", "tiny", "--workers", workers, "--out", workers, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    one, two = (table(only_run(tmp_path / w, "shapes")) for w in ("1", "2"))
    np.testing.assert_allclose(one["proba_circle"], two["proba_circle"], atol=1e-3)


@pytest.mark.parametrize(
    "module",
    ["harness", "harness.clean", "harness.cv", "harness.data", "harness.oof", "harness.submit", "harness.board"],
)
def test_help_answers_without_loading_torch(module: str):
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module('{module}', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'pyarrow', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


def test_data_command_counts_the_classes(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    done = run_command("harness.data", "shapes", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["classes"] == {"circle": 20, "square": 20} and found["test"] == 6 and not found["is_sample"]
    missing = run_command("harness.data", "bloodcells", "--data", tmp_path)
    assert missing.returncode == 2 and "www.codabench.org" in missing.stderr


def test_a_recipe_with_several_seeds_averages_them(tmp_path: Path, run_command):
    make_shapes(tmp_path)
    (tmp_path / "competitions" / "shapes" / "recipes" / "bag.toml").write_text(TINY_RECIPE + "seeds = 2\nema = 0.9\n")
    done = run_command("harness.cv", "shapes", "--recipe", "bag", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    history = [json.loads(line) for line in (only_run(tmp_path, "shapes") / "history.jsonl").read_text().splitlines()]
    assert {line["seed"] for line in history} == {0, 1} and len(history) == 5 * 2 * 2
    losses = {(h["fold"], h["seed"]): h["loss"] for h in history if h["epoch"] == 1}
    assert len(set(losses.values())) == 10


def test_the_process_that_waits_for_the_workers_needs_no_torch(tmp_path: Path):
    make_shapes(tmp_path)
    code = """
import atexit, runpy, sys
atexit.register(lambda: print("torch:", "torch" in sys.modules))
sys.argv[1:] = ["shapes", "--recipe", "tiny", "--workers", "2"]
runpy.run_module("harness.cv", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and done.stdout.endswith("torch: False\n"), done.stderr
