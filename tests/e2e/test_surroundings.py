"""Where a command runs: ended by Slurm, called from a script without a main guard, from stdin, by -c, without a home, on an ASCII terminal, on read-only data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, make_shapes, run_module

LONG = ("shapes", "--recipe", "tiny", "--set", "train.epochs=400", "--set", "cv.folds=2")


def start(project: Path, *args: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cv", *args],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("to", ["the command", "all of its processes"])
def test_sigterm_ends_a_run_as_ctrl_c_does(shapes: Path, run_command, to: str):
    process = start(shapes, *LONG)
    for line in process.stderr:
        if line.startswith("model: "):
            break
    time.sleep(1.0)
    if to == "the command":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)  # Slurm signals every process of the step
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said, said
    assert "Finished folds are kept; go on with:" in said and "--resume" in said
    resumed = run_command("harness.cv", *LONG, "--set", "train.epochs=2", cwd=shapes)
    assert resumed.returncode == 0, resumed.stderr


SCRIPT = """
from pathlib import Path
from harness.base.progress import LineWatcher
from harness.competition import find_competition, load_recipe
from harness.cv.pipeline import cross_validate
from harness.cv.options import Options
from harness.data.dataset import load_dataset
{guard}
    contest = find_competition("shapes")
    recipe = load_recipe(contest.folder, "tiny", ["cv.folds=2"])
    run = cross_validate(contest, recipe, load_dataset(contest, Path("data")), Options(Path(), workers=2), LineWatcher(quiet=True))
    print("done", run.name)
"""


def test_a_script_needs_no_main_guard(shapes: Path):
    """Workers never run the script again: what stands at its top level happens once."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    script = 'print("begun")\n' + SCRIPT.format(guard="if True:")
    (shapes / "script.py").write_text(script)
    ways = {"a file": (["script.py"], None), "stdin": (["-"], script), "-c": (["-c", script], None)}
    for way, (arguments, given) in ways.items():
        shutil.rmtree(shapes / "oof", ignore_errors=True)
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=shapes, env=env, input=given, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, (way, done.stderr)
        assert done.stdout.startswith("begun\ndone tiny-") and done.stdout.count("\n") == 2, (way, done.stdout)


def test_an_ascii_terminal_gets_escapes_not_an_error(tmp_path: Path):
    make_shapes(tmp_path, per_class=8)
    toml = tmp_path / "competitions" / "shapes" / "competition.toml"
    toml.write_text(toml.read_text().replace('"Shapes"', '"Käse und Kätzchen"').replace('"circle"', '"Löwe"'), "utf-8")
    (tmp_path / "data" / "shapes" / "train" / "circle").rename(tmp_path / "data" / "shapes" / "train" / "Löwe")
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for args in (
        ("harness.data", "shapes"),
        ("harness.cv", "shapes", "--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2"),
    ):
        done = run_module(*args, cwd=tmp_path, env=ascii_only)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert (done.stdout + done.stderr).isascii()


def test_without_a_home_the_cure_is_named(monkeypatch: pytest.MonkeyPatch):
    from harness.base.command import cache_root
    from harness.base.errors import UserError
    from harness.remote.errors import NoCredentials
    from harness.remote.kaggle_client import check_kaggle_credentials

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    for name in ("HARNESS_CACHE", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no home folder here.*set HARNESS_CACHE=FOLDER"):
        cache_root()
    with pytest.raises(NoCredentials, match="KAGGLE_API_TOKEN"):
        check_kaggle_credentials()


def test_read_only_data_are_enough(shapes: Path, tmp_path: Path, run_command):
    place = tmp_path / "mounted"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system here")
    try:
        shutil.copytree(shapes / "data", place / "data")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        options = ("--recipe", "tiny", "--workers", "1", "--set", "cv.folds=2", "--data", place / "data")
        done = run_command("harness.cv", "shapes", *options, cwd=shapes)
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["umount", place], check=False)


def test_code_from_elsewhere_is_named_before_it_runs(
    shapes: Path, tmp_path_factory: pytest.TempPathFactory, run_command
):
    folder = shapes / "competitions" / "shapes"
    (folder / "competition.py").write_text("def truth(ids):\n    return None, []\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    options = ("--data", shapes / "data")
    told = run_command("harness.data", folder, *options, cwd=elsewhere)
    assert told.returncode == 0 and "competition.py is code that runs with your rights" in told.stderr
    own = run_command("harness.data", "shapes", cwd=shapes)
    assert own.returncode == 0 and "is code" not in own.stderr
    below = run_command("harness.data", "shapes", cwd=folder)  # of the same project
    assert below.returncode == 0 and "is code" not in below.stderr
