"""harness.play as a user calls it: from data to a checked submission, killed and gone on with, replayed, refused."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from docs.made import commands as made
from harness.runs import load_run, runs_of
from tests.conftest import draw, make_shapes, start_forked

SMALL = ("--fold-epochs", "500", "--workers", "1")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, run_command_module) -> Path:
    """A project whose shapes were played."""
    root = tmp_path_factory.mktemp("play")
    make_shapes(root, per_class=30)
    done = run_command_module("harness.play", "shapes", *SMALL, cwd=root)
    assert done.returncode == 0, done.stderr
    (root / "said.txt").write_text(done.stdout + done.stderr)
    return root


def steps(root: Path) -> dict[str, dict]:
    lines = (root / "oof" / "shapes" / "play" / "journal.jsonl").read_text().splitlines()
    return {line["step"]["key"]: line["step"] for line in map(json.loads, lines) if "step" in line}


def test_it_ends_with_a_checked_submission_and_says_what_it_did(played: Path):
    said = (played / "said.txt").read_text()
    file = re.search(r"file: +(\S+\.csv)", said)
    assert file and len(pd.read_csv(played / file[1])) == 6
    assert str(played.resolve()) not in said  # paths are such as one types
    for word in ("final:", "OOF:", "choice:   cross-fitted", "judged:   trained anew", "page:", "next:"):
        assert word in said
    done = steps(played)
    kinds = {step["kind"] for step in done.values() if step["state"] == "done"}
    assert {
        "prior",
        "clean",
        "train",
        "noise",
        "forecast",
        "ensemble",
        "choice",
        "judge",
        "submission",
    } <= kinds
    assert next(iter(done)) == "prior"  # a file before anything is trained
    assert all(step["why"] for step in done.values())


def test_the_command_that_is_offered_next_is_taken(played: Path):
    _, _, after = (played / "said.txt").read_text().partition("next:")
    words = shlex.split(next(line for line in after.splitlines() if line.strip().startswith("python -m")))
    name, arguments = made.named_in(words[2:])
    assert name == "harness.submit" and made.commands()[name].make_context(name, arguments).params["run"]


def test_the_final_choice_is_the_best_by_oof_and_its_cross_fitted_score_no_better_than_chosen(played: Path):
    done = steps(played)
    final = next(key for key in done if key.startswith("submission/")).removeprefix("submission/")
    scores = {run.name: run.scores["metrics"]["accuracy"]["pooled"] for run in runs_complete(played)}
    assert scores[final] == max(scores.values())
    judged = next(step["outcome"] for key, step in done.items() if key.startswith("judge/"))
    assert judged["optimism"] == pytest.approx(judged["oof"] - judged["anew"], abs=1e-9)
    assert judged["low"] <= judged["optimism"] <= judged["high"]


def runs_complete(root: Path) -> list:
    return [run for path in runs_of(root, "shapes") if (run := load_run(path)).complete]


def test_page_and_plan_stand_and_the_plan_can_be_played_again(played: Path, run_command, tmp_path: Path):
    home = played / "oof" / "shapes" / "play"
    page, plan = (home / "play.html").read_text(), (home / "play.toml").read_text()
    assert page.count("<script") == 2 and "The plan as it went" in page and "What each run brought" in page
    assert "<svg " in page
    done = run_command(
        "harness.play",
        "shapes",
        *SMALL,
        "--plan",
        str(home / "play.toml"),
        "--out",
        str(tmp_path),
        "--json",
        cwd=played,
    )
    assert done.returncode == 0, done.stderr
    replayed = tmp_path / "oof" / "shapes" / "play"
    assert "[[step]]" in (replayed / "replay.toml").read_text() and not (replayed / "play.toml").exists()
    assert (home / "play.toml").read_text() == plan and (replayed / "result.json").is_file()
    told = json.loads(done.stdout)
    wanted = [step["outcome"]["run"] for step in steps(played).values() if step["kind"] == "train"]
    assert list(told["runs"]) == [name for name in wanted if name in told["runs"]] and len(told["runs"]) >= 2


def test_the_same_command_again_does_nothing_anew(played: Path, run_command):
    before = {path: path.stat().st_mtime_ns for path in played.rglob("fold-*.npz")}
    done = run_command("harness.play", "shapes", *SMALL, cwd=played)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in played.rglob("fold-*.npz")} == before


def test_killed_at_any_moment_it_ends_with_the_same_final_choice(played: Path, tmp_path: Path):
    make_shapes(tmp_path, per_class=30)
    rng, killed = np.random.default_rng(0), 0
    for attempt in range(6):
        child = start_forked("harness.play", "shapes", *SMALL, cwd=tmp_path)
        child.join(0.5 + 4 * float(rng.random()) if attempt < 5 else 300)
        if child.exitcode is None:
            child.kill()  # SIGKILL
            child.join()
            killed += 1
            continue
        break
    assert killed >= 1 and child.exitcode == 0
    finals = [next(key for key in steps(root) if key.startswith("submission/")) for root in (played, tmp_path)]
    assert finals[0] == finals[1]
    done = [key for key, step in steps(tmp_path).items() if step["state"] == "done"]
    lines = (tmp_path / "oof" / "shapes" / "play" / "journal.jsonl").read_text().splitlines()
    ends = [json.loads(line)["step"]["key"] for line in lines if '"state": "done"' in line]
    assert sorted(ends) == sorted(done)  # nothing was done twice


def test_hours_are_kept_and_something_always_lies_there(shapes: Path, run_command):
    started = time.monotonic()
    done = run_command("harness.play", "shapes", "--hours", "0.002", "--workers", "1", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 120
    file = re.search(r"file: +(\S+\.csv)", done.stdout)
    assert file and len(pd.read_csv(shapes / file[1])) == 6


def test_where_all_was_spent_before_the_baseline_it_is_not_begun(shapes: Path, run_command):
    assert run_command("harness.data", "shapes", cwd=shapes).returncode == 0  # decoded
    home = shapes / "oof" / "shapes" / "play"
    home.mkdir(parents=True)
    (home / "spent.json").write_text('{"seconds": 8}')
    done = run_command("harness.play", "shapes", "--hours", "0.002", "--workers", "1", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert "baseline" not in done.stderr and "timing" not in done.stderr
    assert not [key for key in steps(shapes) if key.startswith("train")]
    file = re.search(r"file: +(\S+\.csv)", done.stdout)
    assert file and len(pd.read_csv(shapes / file[1])) == 6
    assert "of the baseline" not in (home / "journal.jsonl").read_text()  # with more hours it is sized by these


def test_a_budget_that_ends_while_images_are_decoded_is_told_and_gone_on_with(shapes: Path, run_command):
    done = run_command("harness.play", "shapes", "--hours", "1e-9", "--workers", "1", cwd=shapes)
    assert done.returncode == 2 and "while the images were still being decoded" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_one_of_several_data_sets_is_played(shapes: Path, run_command):
    toml = shapes / "competitions" / "shapes" / "competition.toml"
    keys = 'format = "npz"\nsize = [12, 12]\nchannels = 1\ntrain = "small.npz"\nlabel = "labels"\ntest = "small.npz"'
    toml.write_text(f'{toml.read_text()}\n[sets.small.data]\n{keys}\ntest_images = "hidden"\n')
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    images = np.stack([draw(("circle", "square")[label], rng) for label in labels])
    np.savez(shapes / "data" / "shapes" / "small.npz", images=images, labels=labels, hidden=images[:5])
    small = ("shapes", "--data-set", "small", "--fold-epochs", "12", "--workers", "1")
    done = run_command("harness.play", *small, "--json", cwd=shapes)
    assert done.returncode == 0, done.stderr
    [final, *_] = json.loads(done.stdout)["runs"]
    run = load_run(shapes / "oof" / "shapes" / final)
    assert len(run.oof) == 40 and run.recipe.data.set == "small" and "--data-set small" in run.environment["command"]
    home = shapes / "oof" / "shapes" / "play"
    again = shlex.split((home / "play.toml").read_text().splitlines()[0].partition("python -m ")[2])
    assert again[:4] == ["harness.play", "shapes", "--data-set", "small"]
    other = run_command("harness.play", *small[:1], *small[3:], "--plan", str(home / "play.toml"), cwd=shapes)
    assert other.returncode == 2 and "is of data set 'small', the play of 'its own [data]'" in other.stderr


def test_the_plan_is_shown_with_its_costs(shapes: Path, run_command):
    done = run_command("harness.play", "shapes", "--fold-epochs", "200", "--dry-run", "--json", cwd=shapes)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told[0]["what"].startswith("baseline: play-quick") and told[0]["fold-epochs"] > 1
    assert not list((shapes / "oof").glob("*/play-*")) and not (shapes / "submissions").exists()
    assert not list(shapes.rglob("journal.jsonl"))  # a plan decides nothing for a play with other hours


def test_another_metric_is_another_play_of_the_same_runs(played: Path, run_command, tmp_path: Path):
    shutil.copytree(played, tmp_path / "play")
    project = tmp_path / "play"
    toml = project / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('"accuracy"', '"log_loss"'))
    written = {path: path.stat().st_mtime_ns for path in project.rglob("fold-*.npz")}
    small = ("shapes", "--fold-epochs", "12", "--workers", "1")
    refused = run_command("harness.play", *small, cwd=project)
    assert refused.returncode == 2 and "metric was accuracy, is log_loss" in refused.stderr, refused.stderr
    done = run_command("harness.play", *small, "--fresh", cwd=project)
    assert done.returncode == 0 and "OOF:      log_loss" in done.stdout, done.stderr
    assert written.items() <= {path: path.stat().st_mtime_ns for path in project.rglob("fold-*.npz")}.items()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--hours H: say how long it may take"),
        (("--hours", "1", "--fold-epochs", "3"), "one of the two"),
        (("--hours", "0"), "--hours 0: give a number above 0"),
        (("--hours", "1", "--plan", "gone.toml"), "gone.toml"),
        (("--hours", "nan"), "--hours nan"),
        (("--hours", "1", "--device", "cuda:7"), "device 'cuda:7' cannot be used"),
    ],
)
def test_wrong_options_are_refused(shapes: Path, run_command, options: tuple[str, ...], said: str):
    done = run_command("harness.play", "shapes", *options, cwd=shapes)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
