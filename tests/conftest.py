"""Shared fixtures: a cache of its own, small competitions made on the spot, the commands as a user calls them."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error

from harness.base.python import registered
from tests.browser import Browser, browser_path

REPOSITORY = Path(__file__).parent.parent

PINNED = ("--set", "train.precision=fp32", "--set", "train.channels_last=false")
"""Options of harness.cv with which no layout is timed."""

FAST = ("--recipe", "simple_cnn", "--set", "train.epochs=1", *PINNED)
"""Options of harness.cv that train digit-recognizer in seconds, by nothing that is timed."""

FOLDER_TOML = """\
title = "Shapes"
metric = "accuracy"
classes = ["circle", "square"]

[data]
format = "image_folder"
size = [12, 12]
channels = 1
"""

TINY_RECIPE = """\
[model]
name = "cnn"
[model.args]
stages = [[4]]
batch_norm = true

[train]
epochs = 2
batch_size = 16
lr = 0.01
precision = "fp32"
channels_last = false
"""


WHOLE_COMMANDS = ("tests/distributed/", "tests/e2e/", "tests/kernels/", "tests/submit/test_bundle")
"""Where tests train and send as a user does."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take a minute come first: one of them at the end would keep one process busy and leave the other idle."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_COMMANDS))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep the tests out of the user's cache, and every subprocess too."""
    previous = os.environ.get("HARNESS_CACHE")
    os.environ["HARNESS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("HARNESS_DATA", None)
    yield
    if previous is None:
        del os.environ["HARNESS_CACHE"]
    else:
        os.environ["HARNESS_CACHE"] = previous


@pytest.fixture(autouse=True, scope="session")
def nothing_waits_for_the_disk() -> Iterator[None]:
    """No test cuts the power; what is written need not be on the disk to be read by a process that outlives one that was killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real one; tests that take it are skipped where there is none, or it does not start."""
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium here (or name it: HARNESS_CHROMIUM)")
    try:
        found = Browser(path)
    except Error as error:
        pytest.skip(f"{path} does not start here: {error}")
    yield found
    found.close()


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A project folder with competitions/shapes and its data: 40 images to train on, 6 to predict."""
    make_shapes(tmp_path)
    return tmp_path


def make_shapes(project: Path, per_class: int = 20, n_test: int = 6) -> None:
    """Write competitions/shapes (image folder, one recipe 'tiny') and data/shapes below `project`."""
    competition = project / "competitions" / "shapes"
    (competition / "recipes").mkdir(parents=True)
    (competition / "competition.toml").write_text(FOLDER_TOML)
    (competition / "recipes" / "tiny.toml").write_text(TINY_RECIPE)
    rng = np.random.default_rng(0)
    data = project / "data" / "shapes"
    for name in ("circle", "square"):
        (data / "train" / name).mkdir(parents=True)
        for i in range(per_class):
            Image.fromarray(draw(name, rng)).save(data / "train" / name / f"{i}.png")
    (data / "test").mkdir()
    for i in range(n_test):
        Image.fromarray(draw("circle" if i % 2 else "square", rng)).save(data / "test" / f"{i}.png")


def draw(name: str, rng: np.random.Generator) -> np.ndarray:
    """A bright circle or square of random size on a dark noisy ground, uint8 (12, 12)."""
    y, x = np.mgrid[:12, :12] - 5.5
    size = rng.uniform(2.5, 4.5)
    inside = (x**2 + y**2 < size**2) if name == "circle" else (np.maximum(abs(x), abs(y)) < size) & (abs(x * y) > 0)
    return (40 * rng.random((12, 12)) + 180 * inside).astype(np.uint8)


def write_digits(folder: Path, n_train: int = 60, n_test: int = 10, size: int = 28) -> None:
    """Write train.csv, test.csv and sample_submission.csv in Digit Recognizer's layout; each class in turn."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"pixel{i}" for i in range(size * size)]
    lines = [",".join(["label", *names])]
    for i in range(n_train):
        lines.append(",".join([str(i % 10), *map(str, rng.integers(0, 256, len(names)))]))
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    lines = [",".join(names)] + [",".join(map(str, rng.integers(0, 256, len(names)))) for _ in range(n_test)]
    (folder / "test.csv").write_text("\n".join(lines) + "\n")
    ids = "".join(f"{i + 1},0\n" for i in range(n_test))
    (folder / "sample_submission.csv").write_text("ImageId,Label\n" + ids)


def run_module(
    module: str, *args: str, cwd: Path = REPOSITORY, timeout: float = 240, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call `python -m MODULE ARGS` as a user does, in a folder; returns the finished process with its text.

    env : the environment instead of this process's
    """
    command = [sys.executable, "-m", module, *map(str, args)]
    environment = {**(os.environ if env is None else env), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)


def run_inside(
    module: str, *args: str, cwd: Path = REPOSITORY, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As `run_module`, in this process: a second instead of three, for commands whose process is not what is tested."""
    sys.modules.pop(f"{module}.__main__", None)
    return _inside(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True), module, args, cwd, env)


def run_script_inside(text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that a user would write, as `run_inside` runs commands; what it registers is forgotten after it."""
    (cwd / "script.py").write_text(text, encoding="utf-8")
    before = dict(registered._all)
    try:
        return _inside(lambda: runpy.run_path("script.py", run_name="__main__"), "script.py", (), cwd, None)
    finally:
        registered._all.clear()
        registered._all.update(before)


def _inside(
    run: Callable[[], object], name: str, args: tuple[str, ...], cwd: Path, env: dict[str, str] | None
) -> subprocess.CompletedProcess[str]:
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, dict(os.environ))
    code = 0
    try:
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        os.environ["COLUMNS"] = (env or {}).get("COLUMNS", "200")
        sys.argv = [name, *map(str, args)]
        with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    return subprocess.CompletedProcess([name, *args], code, out.getvalue(), err.getvalue())


def kill_from_a_thread(pid: int | None) -> None:
    """SIGKILL, and wait until it is dead, while another thread joins the process: two that join it take each other's answer."""
    assert pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} outlived SIGKILL by five seconds")


def start_forked(
    module: str, *args: str, cwd: Path = REPOSITORY, env: dict[str, str] | None = None
) -> multiprocessing.process.BaseProcess:
    """Begin `python -m MODULE ARGS` in a process that was forked with everything imported: for those that are to be killed, whose
    kills then meet work and not imports, a hundredth of a second after the start instead of three seconds."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(["tests.conftest", "harness.play.player", "harness.cv.pipeline", "matplotlib.pyplot"])
    process = forked.Process(target=_end_as, args=(module, args, cwd, env))
    process.start()
    return process


def _end_as(module: str, args: tuple[str, ...], cwd: Path, env: dict[str, str] | None) -> None:
    done = run_inside(module, *args, cwd=cwd, env=env)
    print(done.stderr, file=sys.stderr)
    sys.exit(done.returncode)


@pytest.fixture
def run_command():
    """`run_inside`, for a test."""
    return run_inside


@pytest.fixture(scope="module")
def run_command_module():
    """`run_inside`, for a fixture of a whole module."""
    return run_inside


@pytest.fixture
def card():
    """torch's "cuda": the machine's graphics card, or else a pretended one."""
    from tests.simulated_cuda import a_card

    with a_card():
        yield
