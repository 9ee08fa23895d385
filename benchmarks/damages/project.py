"""The commands, the processes that they run in, and the whole project that is damaged."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import harness
from tests.conftest import make_shapes

BAD = ("WRONG", "VAGUE", "TRACEBACK", "STUCK")

SECONDS = 180  # that a command may take

SLUG = "shapes"

_RECIPE = """\
[cv]
folds = 3

[data]
{data}

[model]
name = "cnn"
[model.args]
stages = [[{width}]]
batch_norm = true

[train]
epochs = {epochs}
batch_size = 16
lr = 0.01
precision = "fp32"
channels_last = false
"""

_COMPETITION = """
[submission]
id = "id"
value = "probability"
sample = "sample_submission.csv"
"""

_SEARCHED = """
[tune]
"train.lr" = { choices = [0.002, 0.01, 0.05] }
"""


@dataclass(frozen=True)
class Command:
    """A command line: a module of the harness and its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """How a command ended; code is None where it did not end in time, negative for a signal.

    What it says has PLACE for the path of the copy that it was run on.
    """

    code: int | None
    out: str
    err: str

    @property
    def message(self) -> str:
        """What is said after 'error: ', or the last line."""
        _, found, message = self.err.partition("error: ")
        lines = self.err.strip().splitlines()
        return message.strip() if found else (lines[-1] if lines else "")


def commands(names: dict[str, str]) -> dict[str, Command]:
    """Every command that is run, by name; names : of the runs 'tiny', 'other' and 'small'."""
    run, other = names["tiny"], names["other"]
    cv = (SLUG, "--workers", "1", "--recipe")
    listed = [
        ("cv", "harness.cv", *cv, "tiny", "--noise"),
        ("resume", "harness.cv", *cv, "tiny", "--noise", "--resume"),
        ("fresh", "harness.cv", *cv, "tiny", "--fresh"),
        ("fresh noise", "harness.cv", *cv, "tiny", "--fresh", "--noise"),
        ("other suite", "harness.cv", *cv, "tiny", "--noise", "--noise-rows", "20"),
        ("pseudo", "harness.cv", *cv, "other", "--pseudo-labels", run, "--set", "pseudo.threshold=0.5"),
        ("small", "harness.cv", *cv, "small"),
        ("small fresh", "harness.cv", *cv, "small", "--fresh"),
        ("compare", "harness.oof", "compare", SLUG),
        ("errors", "harness.oof", "errors", SLUG, "--run", run),
        ("ensemble", "harness.oof", "ensemble", SLUG, "--run", run, "--run", other),
        ("forecast", "harness.oof", "forecast", SLUG, "--run", run),
        ("calibrate", "harness.oof", "calibrate", SLUG, "--run", run),
        ("submit", "harness.submit", "--comp", SLUG, "--run", run, "--dry-run"),
        ("submit best", "harness.submit", "--comp", SLUG, "--dry-run"),
        ("bundle", "harness.submit", "--comp", SLUG, "--run", run, "--bundle", "--dry-run"),
        ("data", "harness.data", SLUG),
        ("clean", "harness.clean", SLUG),
        ("overwrite", "harness.clean", SLUG, "--overwrite"),
        ("tune", "harness.tune", SLUG, *_TUNE),
        ("other study", "harness.tune", SLUG, *_TUNE, "--study", "another"),
    ]
    return {name: Command(name, module, tuple(rest)) for name, module, *rest in listed}


_TUNE = ("--recipe", "searched", "--trials", "3", "--sampler", "grid", "--pruner", "none", "--no-nested")


def preload() -> None:
    """Import what the commands import, once; nothing is computed here, so that children may be forked.

    One core is taken, and so one thread: a lane has no more, and libraries plan their threads when they are imported.
    """
    keep_to_core(0)
    listed = [found.name for found in pkgutil.walk_packages(harness.__path__, "harness.")]
    ours = [name for name in listed if not name.endswith("__main__") and ".bundle.models" not in name]
    for name in ("torch", "optuna", "sklearn.linear_model", "sklearn.model_selection", *ours):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def keep_to_core(number: int) -> None:
    """Run on one core from now on, where the system lets us: the n-th of those that were ours at first, in turn."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {_CORES[number % len(_CORES)]})


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def launch(command: Command, place: Path, seconds: float = SECONDS) -> Ended:
    """Run a command in place/project with the cache place/cache, in a forked child; it and its children end in time."""
    out, err = place / "stdout", place / "stderr"
    child = os.fork()
    if child == 0:
        _become(command, place, out, err)
    code = _awaited(child, seconds)
    said = [path.read_text(errors="replace").replace(str(place), "PLACE") for path in (out, err)]
    return Ended(code, *said)


def _become(command: Command, place: Path, out: Path, err: Path) -> None:
    """Be `python -m MODULE ARGUMENTS`; never returns."""
    code = 1
    try:
        os.setsid()
        for number, path in ((1, out), (2, err)):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        os.chdir(place / "project")
        os.environ.update(HARNESS_CACHE=str(place / "cache"), COLUMNS="200")
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = [command.module, *command.arguments]
        runpy.run_module(command.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _awaited(child: int, seconds: float) -> int | None:
    """Exit code of a child; None where it was killed, with its group, because it did not end in time."""
    until, pause = time.monotonic() + seconds, 0.002
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns (as JSON), called in a forked child, so that its libraries' threads are none of ours."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "w") as file:
                json.dump(function(*arguments), file)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as file:
        told = file.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{function.__name__}{arguments}: failed; its error stands above")
    return json.loads(told)


@dataclass(frozen=True)
class Whole:
    """The undamaged project.

    Attributes
    ----------
    work : folder of everything; work/whole is the project with its cache, work/donor one whose second run has a suite too
    names : of the runs, by recipe
    known : every command
    """

    work: Path
    names: dict[str, str]
    known: dict[str, Command]

    @property
    def place(self) -> Path:
        return self.work / "whole"

    def run(self, recipe: str = "tiny") -> str:
        """A run's folder, below a place."""
        return f"project/oof/{SLUG}/{self.names[recipe]}"

    def cache(self) -> str:
        """The decoded data set, below a place."""
        meta = next((self.place / "cache" / SLUG).glob("*/meta.json"))
        return str(meta.parent.relative_to(self.place))

    def study(self) -> str:
        """The study's folder, below a place."""
        journal = next((self.place / "project" / "oof" / SLUG / "studies").glob("*/study.journal"))
        return str(journal.parent.relative_to(self.place))

    def after(self, command: str) -> Path:
        """The undamaged project after a command."""
        return self.work / "after" / command.replace(" ", "-")

    def copy(self, number: int, source: Path | None = None) -> Path:
        """A copy of the project (or of another place) to damage, in a lane's folder."""
        place = self.work / f"lane-{number}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source or self.place, place)
        return place


def make_whole(work: Path) -> Whole:
    """Make the project, its runs, verdicts and study, and a donor for swaps."""
    place = work / "whole"
    (place / "cache").mkdir(parents=True)
    apart(_write_project, str(work), str(place / "project"))
    os.environ["HARNESS_DATA"] = str(
        work / "data"
    )  # one for all copies: a cache entry's name has the files' path in it
    known = commands({"tiny": "", "other": "", "small": ""})
    for name in ("clean", "cv", "small", "tune"):
        must(known[name], place)
    must(Command("other", "harness.cv", (SLUG, "--workers", "1", "--recipe", "other")), place)
    homes = place / "project" / "oof" / SLUG
    names = {r: next(homes.glob(f"{r}-*/scores.json")).parent.name for r in ("tiny", "other", "small")}
    shutil.copytree(place, work / "donor")
    must(Command("donor", "harness.cv", (SLUG, "--workers", "1", "--recipe", "other", "--noise")), work / "donor")
    for left in ("stdout", "stderr"):
        (place / left).unlink()
    return Whole(work, names, commands(names))


def must(command: Command, place: Path) -> Ended:
    ended = launch(command, place)
    if ended.code != 0:
        raise RuntimeError(f"undamaged, {command.module} {' '.join(command.arguments)} fails:\n{ended.out}{ended.err}")
    return ended


def _write_project(work: str, project: str) -> None:
    """The competition in `project`, its images in work/data: 50, a copy of three, and one that is blank."""
    from PIL import Image

    make_shapes(Path(project), per_class=25, n_test=12)
    shutil.move(Path(project) / "data", Path(work) / "data")
    train = Path(work) / "data" / SLUG / "train"
    for source, copy in (("circle/0", "circle/90"), ("square/1", "square/91"), ("circle/2", "square/92")):
        shutil.copy(train / f"{source}.png", train / f"{copy}.png")
    Image.fromarray(np.full((12, 12), 7, np.uint8)).save(train / "circle" / "93.png")
    ids = sorted(path.name for path in (Path(work) / "data" / SLUG / "test").iterdir())
    lines = ["id,circle,square", *(f"{i},0.5,0.5" for i in ids)]
    (Path(work) / "data" / SLUG / "sample_submission.csv").write_text("\n".join(lines) + "\n")
    competition = Path(project) / "competitions" / SLUG
    toml = competition / "competition.toml"
    toml.write_text(toml.read_text().replace("metric =", 'platform = "none"\nmetric =') + _COMPETITION)
    recipes = {"tiny": (8, 4, ""), "other": (4, 2, ""), "small": (4, 1, "size = [8, 8]"), "searched": (4, 1, "")}
    for name, (width, epochs, data) in recipes.items():
        text = _RECIPE.format(width=width, epochs=epochs, data=data)
        (competition / "recipes" / f"{name}.toml").write_text(text + (_SEARCHED if name == "searched" else ""))
