"""What damaged files do to the commands that read them: run folders, the decoded cache, a study's journal, verdicts.

python -m benchmarks.damages [--only runs|cache|journal|clean] [--match PATTERN] [--json FILE] [--work DIR] [--lanes 2]

A tiny project is made once: 54 pictures of 12x12, three folds, verdicts, two runs (one with the noise suite) and a third of
another picture size, a study. Then for each damage (a file and what is done to it) and each command that reads the file, a
copy of project and cache is damaged and the command is run there, and what it says and writes is held against the same
command on an undamaged copy:

seen       exit 2 with a message that names the file (or its folder) and a cure; or it goes on and says what is wrong
healed     exit 0, every number as it was, and the file has been put right
harmless   exit 0, every number as it was, and the file is left as it is
WRONG      exit 0 with other numbers, and nothing said
VAGUE      exit 2, but the message names neither the file nor its folder, or no cure
TRACEBACK  any other end: a traceback, a signal, a command that does not end
STUCK      the cure that a message names was followed (delete what it says, --resume, --overwrite, ...) and did not help

Exit code 1 if any is WRONG, VAGUE, TRACEBACK or STUCK. Commands are run in children that are forked from a process which
has imported the harness but computed nothing; in the child everything is as with `python -m`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import json
import os
import pkgutil
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import harness
from benchmarks.common import say
from tests.conftest import make_shapes

BAD = ("WRONG", "VAGUE", "TRACEBACK", "STUCK")
VERDICTS = ("seen", "healed", "harmless", *BAD)
AREAS = ("runs", "cache", "journal", "clean")
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


# --- commands -------------------------------------------------------------------------------------------------------


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


# --- the project ----------------------------------------------------------------------------------------------------


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
        _must(known[name], place)
    _must(Command("other", "harness.cv", (SLUG, "--workers", "1", "--recipe", "other")), place)
    homes = place / "project" / "oof" / SLUG
    names = {r: next(homes.glob(f"{r}-*/scores.json")).parent.name for r in ("tiny", "other", "small")}
    shutil.copytree(place, work / "donor")
    _must(Command("donor", "harness.cv", (SLUG, "--workers", "1", "--recipe", "other", "--noise")), work / "donor")
    for left in ("stdout", "stderr"):
        (place / left).unlink()
    return Whole(work, names, commands(names))


def _must(command: Command, place: Path) -> Ended:
    ended = launch(command, place)
    if ended.code != 0:
        raise RuntimeError(f"undamaged, {command.module} {' '.join(command.arguments)} fails:\n{ended.out}{ended.err}")
    return ended


def _write_project(work: str, project: str) -> None:
    """The competition in `project`, its pictures in work/data: 50, a copy of three, and one that is blank."""
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


# --- damages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """A file and what is done to it.

    Attributes
    ----------
    area : one of AREAS; file : its name in the tables; kind : what is done
    path : of the file, below a place
    apply : does it to a place
    commands : names of those that are run
    """

    area: str
    file: str
    kind: str
    path: str
    apply: Callable[[Path], None]
    commands: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.area}/{self.file}/{self.kind}"


def flip(path: Path) -> None:
    """Turn one bit of the middle byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


PLAIN: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
"""Damages of any file."""


def plain(area: str, file: str, path: str, names: tuple[str, ...]) -> list[Damage]:
    """The damages of PLAIN to one file."""

    def apply(harm: Callable[[Path], Any]) -> Callable[[Path], None]:
        return lambda place: harm(place / path)

    return [Damage(area, file, kind, path, apply(harm), names) for kind, harm in PLAIN.items()]


def changed(area: str, file: str, kind: str, path: str, harm: Callable[[Path], Any], names: tuple[str, ...]) -> Damage:
    """A damage of one file only."""
    return Damage(area, file, kind, path, lambda place: harm(place / path), names)


def damages(whole: Whole) -> list[Damage]:
    """All of them."""
    return [*_run_damages(whole), *_cache_damages(whole), *_journal_damages(whole), *_clean_damages(whole)]


def _run_damages(whole: Whole) -> list[Damage]:
    run, donor = whole.run(), whole.work / "donor"
    all_read = ("cv", "resume", "compare", "errors", "ensemble", "submit")  # submit forecasts too
    by_weights = ("bundle", "other suite")
    more = {
        "recipe.json": (*by_weights, "pseudo", "submit best"),
        "environment.json": (*by_weights, "pseudo", "submit best", "forecast"),
        "folds.csv": (*by_weights, "pseudo"),
        "fold-1.npz": ("pseudo",),
        "checkpoints/fold-1.safetensors": by_weights,
        "scores.json": ("submit best", "pseudo", "forecast"),
        "noise.json": ("calibrate", "forecast"),
        "noise/fold-1-rows-1000.npz": ("calibrate", "forecast"),
        "clean.csv": by_weights,
        "manifest.json": (*by_weights, "pseudo"),
        "start.zip": by_weights,
    }
    found = []
    more |= {"oof.parquet": ("forecast",), "test.parquet": ("forecast",), "history.jsonl": ()}
    for name in more:
        path, names = f"{run}/{name}", (*all_read, *more[name])
        if not (whole.place / path).is_file():
            continue
        found += plain("runs", name, path, tuple(n for n in names if n != "bundle" or name in _BUNDLED))
        source = donor / path.replace("fold-1", "fold-0")
        if "fold-1" not in name:
            source = donor / whole.run("other") / name
        if source.is_file() and source.read_bytes() != (whole.place / path).read_bytes():
            found.append(changed("runs", name, "swapped", path, _taking(source), names))
        for kind, harm in VALUES.get(name, {}).items():
            found.append(changed("runs", name, kind, path, harm, names))
    found.append(_all_folds_swapped(whole, all_read))
    return found


def _all_folds_swapped(whole: Whole, names: tuple[str, ...]) -> Damage:
    """Two folds' checkpoints in each other's place: every file is there, and whole."""
    folder = f"{whole.run()}/checkpoints"

    def apply(place: Path) -> None:
        a, b = place / folder / "fold-0.safetensors", place / folder / "fold-1.safetensors"
        first = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(first)

    path = f"{folder}/fold-1.safetensors"
    return Damage("runs", "checkpoints/fold-1.safetensors", "exchanged", path, apply, (*names, "bundle", "other suite"))


def _taking(source: Path) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(source.read_bytes())


def _cache_damages(whole: Whole) -> list[Damage]:
    cache = whole.cache()
    train = ("data", "cv", "fresh", "errors", "submit", "overwrite")
    test = ("data", "cv", "fresh", "submit", "overwrite")
    small = ("small", "small fresh", "data")
    read_by = {f"train/{name}.npy": train for name in ("images", "ids", "labels", "sizes")}
    read_by |= {f"test/{name}.npy": test for name in ("images", "ids", "sizes")}
    read_by |= {"train/images-8x8.npy": small, "test/images-8x8.npy": small}
    read_by |= {"meta.json": ("data", "cv", "fresh", "errors", "submit", "clean"), "submission.csv": ("data", "submit")}
    found = []
    for name, names in read_by.items():
        path = f"{cache}/{name}"
        if not (whole.place / path).is_file():
            continue
        found += plain("cache", name, path, names)
        if name.endswith(".npy"):
            found.append(
                changed("cache", name, "row appended", path, _with_rows(lambda a: np.append(a, a[-1:], 0)), names)
            )
            found.append(changed("cache", name, "row removed", path, _with_rows(lambda a: a[:-1]), names))
        if name.endswith(".csv"):
            found.append(changed("cache", name, "row appended", path, _with_lines(lambda n: [*n, n[-1]]), names))
            found.append(changed("cache", name, "row removed", path, _with_lines(lambda n: n[:-1]), names))
    found.append(changed("cache", "train/labels.npy", "values", f"{cache}/train/labels.npy", _other_label, train))
    other = _with_json(lambda told: told.update(fingerprint="0" * 16))
    found.append(changed("cache", "meta.json", "values", f"{cache}/meta.json", other, read_by["meta.json"]))
    return found


def _journal_damages(whole: Whole) -> list[Damage]:
    path = f"{whole.study()}/study.journal"
    found = plain("journal", "study.journal", path, ("tune",))
    kinds: dict[str, Callable[[list[str]], str]] = {
        "cut in the last line": lambda n: "".join(n)[:-20],
        "last line missing": lambda n: "".join(n[:-1]),
        "garbage line": lambda n: "".join([*n[: len(n) // 2], "%%% no JSON\n", *n[len(n) // 2 :]]),
        "zeros at the end": lambda n: "".join(n) + "\0" * 512,
        "half line, whole line": lambda n: "".join([*n[:-1], n[-2][: len(n[-2]) // 2] + "\n", n[-1]]),
        "half line runs into the next": lambda n: "".join([*n[:-2], n[-2][: len(n[-2]) // 2], n[-1]]),
        "line doubled": lambda n: "".join([*n, n[-1]]),
    }

    def apply(harm: Callable[[list[str]], str]) -> Callable[[Path], Any]:
        return lambda file: file.write_text(harm(file.read_text().splitlines(keepends=True)))

    return found + [changed("journal", "study.journal", k, path, apply(harm), ("tune",)) for k, harm in kinds.items()]


def _clean_damages(whole: Whole) -> list[Damage]:
    folder = f"project/oof/{SLUG}/clean"
    names = ("clean", "overwrite", "cv", "submit", "submit best")
    found = []
    for name in ("clean.csv", "clean.json"):
        found += plain("clean", name, f"{folder}/{name}", names)

    def old(place: Path) -> tuple[str, str]:
        """The pair as a run of harness.clean would have left it that had found fewer rows."""
        lines = (place / folder / "clean.csv").read_text().splitlines(keepends=True)
        table = "".join(lines[: 1 + (len(lines) - 1) // 2])
        told = json.loads((place / folder / "clean.json").read_text())
        return table, json.dumps(told | {"as_written": hashlib.sha256(table.encode()).hexdigest()}, indent=2) + "\n"

    def old_table(place: Path) -> None:
        (place / folder / "clean.csv").write_text(old(place)[0])

    def old_about(place: Path) -> None:
        (place / folder / "clean.json").write_text(old(place)[1])

    def other_data(place: Path) -> None:
        _with_json(lambda told: told.update(fingerprint="0" * 16))(place / folder / "clean.json")

    found.append(Damage("clean", "clean.csv", "old beside new", f"{folder}/clean.csv", old_table, names))
    found.append(Damage("clean", "clean.json", "old beside new", f"{folder}/clean.json", old_about, names))
    found.append(Damage("clean", "clean.json", "values", f"{folder}/clean.json", other_data, names))
    return found


def _with_json(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change what a JSON file holds, in place."""

    def apply(path: Path) -> None:
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told, indent=2) + "\n")

    return apply


def _with_rows(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda path: np.save(path, change(np.load(path)))


def _with_lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], Any]:
    return lambda path: path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def _with_arrays(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    """Change what an .npz holds, in place."""

    def apply(path: Path) -> None:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        change(arrays)
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return apply


def _with_table(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """What a parquet file holds, replaced by what `change` makes of it."""

    def apply(path: Path) -> None:
        import pandas as pd

        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return apply


def _one_row_turned(table: Any) -> Any:
    """One row's two probabilities in each other's place."""
    table.loc[3, ["proba_circle", "proba_square"]] = table.loc[3, ["proba_square", "proba_circle"]].to_numpy()
    return table


def _two_predictions_exchanged(table: Any) -> Any:
    """Probabilities of the most and the least certain row in each other's place; ids stay."""
    columns = ["proba_circle", "proba_square"]
    a, b = int(table["proba_circle"].argmin()), int(table["proba_circle"].argmax())
    table.loc[[a, b], columns] = table.loc[[b, a], columns].to_numpy()
    return table


def _zeroed_weights(path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    save_file({name: np.zeros_like(tensor) for name, tensor in load_file(path).items()}, path)


def _other_label(path: Path) -> None:
    labels = np.load(path)
    labels[5] = 1 - labels[5]
    np.save(path, labels)


def _other_member(path: Path) -> None:
    """A whole zip whose recipe says another learning rate."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member.replace(b"0.01", b"0.02") if name.endswith("recipe.json") else member)
    path.write_bytes(content.getvalue())


def _better(scores: dict[str, Any]) -> None:
    scores["metrics"]["accuracy"].update(pooled=0.999, mean=0.999)


def _better_noise(told: dict[str, Any]) -> None:
    told.update(mean=0.99, camera=0.99)


def _other_digest(manifest: Any) -> None:
    """Change the first sha256 that the manifest holds, wherever it stands."""
    stack = [manifest]
    while stack:
        at = stack.pop()
        for key, value in at.items() if isinstance(at, dict) else enumerate(at):
            if isinstance(value, dict | list):
                stack.append(value)
            elif isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
                at[key] = "0" * 64
                return


def _fold_moved(lines: list[str]) -> list[str]:
    """folds.csv with one row in the next fold."""
    row, fold, kept = lines[4].rsplit(",", 2)
    return [*lines[:4], f"{row},{(int(fold) + 1) % 3},{kept}", *lines[5:]]


_BUNDLED = ("checkpoints/fold-1.safetensors", "manifest.json")
"""Files whose every damage a bundle is tried with (it takes seconds); with the others' only where they stay valid."""

VALUES: dict[str, dict[str, Callable[[Path], Any]]] = {
    "recipe.json": {"values": _with_json(lambda told: told["train"].update(lr=0.02))},
    "environment.json": {
        "values": _with_json(lambda told: told["competition"]["classes"].reverse()),
        "other data": _with_json(lambda told: told["data"].update(fingerprint="0" * 16)),
    },
    "folds.csv": {"values": _with_lines(_fold_moved)},
    "fold-1.npz": {
        "values": _with_arrays(lambda a: a.update(valid_proba=a["valid_proba"][::-1])),
        "one number": _with_arrays(lambda a: a["test_proba"].__setitem__((0, 0), 0.9)),
        "row missing": _with_arrays(lambda a: a.update({k: a[k][:-1] for k in ("valid_index", "valid_proba")})),
    },
    "checkpoints/fold-1.safetensors": {"values": _zeroed_weights},
    "oof.parquet": {
        "values": _with_table(_one_row_turned),
        "rows exchanged": _with_table(lambda t: t.iloc[[1, 0, *range(2, len(t))]]),
        "row missing": _with_table(lambda t: t.iloc[:-1]),
    },
    "test.parquet": {
        "values": _with_table(_two_predictions_exchanged),
        "rows exchanged": _with_table(lambda t: t.iloc[[1, 0, *range(2, len(t))]]),
        "row missing": _with_table(lambda t: t.iloc[:-1]),
    },
    "history.jsonl": {
        "values": _with_lines(lambda n: [re.sub(r'"loss": [^,]+', '"loss": 0.001', n[0]), *n[1:]]),
        "row removed": _with_lines(lambda n: n[:-1]),
    },
    "scores.json": {
        "values": _with_json(_better),
        "other fold": _with_json(lambda told: told["folds"][0].update(accuracy=0.999)),
    },
    "noise.json": {"values": _with_json(_better_noise)},
    "noise/fold-1-rows-1000.npz": {"values": _with_arrays(lambda a: a.update(proba=a["proba"][..., ::-1]))},
    "clean.csv": {"values": _with_lines(lambda n: [line.replace(",exclude,", ",keep,") for line in n])},
    "manifest.json": {"values": _with_json(_other_digest)},
    "start.zip": {"values": _other_member},
}
"""Damages that leave a file valid, by the file's name in a run folder."""


# --- judging --------------------------------------------------------------------------------------------------------

_CURE = re.compile(
    r"--\w|\b(delete|remove|copy|repeat|run|train|download|again|finish|save|give|make)\b", re.IGNORECASE
)
_SAID = re.compile(
    r"damag|rebuil|anew|missing|not there|differ|checksum|manifest|lost|heal|mended|restored|broken|changed|unreadable",
    re.IGNORECASE,
)
_TIMING = re.compile(r"\d[\d.,]* (s|ms|GiB|MiB|min)\b")
_VOLATILE = ("seconds", "started", "git_commit")
_NO_NUMBERS = (".html", ".sqlite", ".lock", ".journal", ".png", ".log")


@dataclass
class Reference:
    """What a command says and writes on the undamaged project.

    Attributes
    ----------
    lines : of stdout, without timings; err : of stderr
    written : files that it makes or changes, below a place
    """

    lines: list[str]
    err: list[str]
    written: list[str]


def make_reference(whole: Whole, name: str) -> dict[str, Any]:
    """A command's Reference as a dict. It is run on two undamaged copies: what differs between them is left out."""
    said = []
    for place in (whole.after(name), whole.after(f"{name} again")):
        shutil.copytree(whole.place, place)
        ended = _must(whole.known[name], place)
        said.append((spoken(ended.out), ended.err.splitlines()))
    (first, err), (second, _) = said
    written = apart(_written, str(whole.place), str(whole.after(name)))
    unlike = apart(_unlike, str(whole.after(name)), str(whole.after(f"{name} again")), written)
    odd = [line for line in first if line not in second]
    if unlike or odd:
        say(f"reference '{name}' is not repeated exactly: {unlike or odd}")
    lines, same = [line for line in first if line in second], [path for path in written if path not in unlike]
    return {"lines": lines, "err": err, "written": same}


def spoken(out: str) -> list[str]:
    """Lines of stdout without timings; of a table of runs not the column of seconds."""
    lines = [_TIMING.sub("TIME", line).rstrip() for line in out.splitlines()]
    if any("camera" in line and "seconds" in line for line in lines):
        lines = [line.rpartition("│")[0].rpartition("│")[0] if line.startswith("│") else line for line in lines]
        lines = [line for line in lines if not line or line[0] not in "┏┡└├┃"]
    lines = [re.sub(r"trial \d+|\[[0-9a-f]{12}-[0-9a-f]{6}\]", "TAG", line) for line in lines]
    return [line for line in lines if not line.startswith(("trial:", "bundle:"))]


def _files(place: str) -> dict[str, Path]:
    """Files with numbers in them, by their path below a place."""
    root = Path(place)
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    kept = {}
    for name, path in found.items():
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if not hidden and path.suffix not in _NO_NUMBERS and name not in ("stdout", "stderr"):
            kept[name] = path
    steady = {n: p for n, p in kept.items() if not p.name.endswith("manifest.json") and p.name != "start.zip"}
    return {n: p for n, p in steady.items() if "/studies/" not in n}


def _written(before: str, after: str) -> list[str]:
    """Files that are new or of other bytes."""
    old, new = _files(before), _files(after)
    return [n for n, path in new.items() if n not in old or old[n].read_bytes() != path.read_bytes()]


def _unlike(a: str, b: str, names: list[str]) -> list[str]:
    """Those of the files whose content differs, seconds and dates aside."""
    return [name for name in names if not _same(Path(a) / name, Path(b) / name)]


def _same(a: Path, b: Path) -> bool:
    """Whether two files hold the same; what cannot be read is not the same."""
    if not (a.is_file() and b.is_file()):
        return a.is_file() == b.is_file()
    if a.read_bytes() == b.read_bytes():
        return True
    try:
        return _content(a) == _content(b)
    except Exception:
        return False


def _content(path: Path) -> Any:
    if path.suffix == ".toml":  # its comments tell trials by their numbers
        return tomllib.loads(path.read_text())
    if path.name == "clean.json":  # it also knows the file that it replaced
        told = json.loads(path.read_text())
        return told | {"as_written": told["as_written"][:1]}
    if path.suffix in (".json", ".jsonl"):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        return [_steady(json.loads(line)) for line in lines]
    if path.suffix == ".npz":
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "seconds"}
        history = _steady(json.loads(str(arrays.pop("history")))) if "history" in arrays else None
        return history, {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}
    if path.suffix == ".parquet":
        import pandas as pd

        return pd.read_parquet(path).sort_values("id").to_csv(index=False)  # rows are found by their ids
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return path.read_bytes()


def _steady(told: Any) -> Any:
    """JSON without what is another each time."""
    if isinstance(told, dict):
        return {key: _steady(value) for key, value in told.items() if key not in _VOLATILE}
    return [_steady(value) for value in told] if isinstance(told, list) else told


def _differences(before: str, place: str, after: str, written: list[str]) -> list[str]:
    """Files that the command left otherwise than it does undamaged; what it did not touch does not count."""
    touched = [name for name in _written(before, place) if (Path(after) / name).is_file()]
    return _unlike(place, after, sorted({*touched, *written}))


@dataclass(frozen=True)
class Outcome:
    """What became of a command on a damaged copy."""

    damage: str
    command: str
    verdict: str
    why: str
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.damage} > {self.command}"


def judge(
    whole: Whole, damage: Damage, before: Path, place: Path, command: str, ended: Ended, reference: Reference
) -> tuple[str, str]:
    """Verdict and reason; before : the state that the command was run on."""
    if ended.code is None:
        return "TRACEBACK", f"did not end in {SECONDS} s"
    if ended.code not in (0, 2) or "Traceback (most recent call last)" in ended.err:
        return "TRACEBACK", f"exit {ended.code}: {(ended.err.strip().splitlines() or [''])[-1][:200]}"
    if ended.code == 2:
        message = ended.message
        names, cure = _names(damage, message), _CURE.search(message)
        lacks = "" if names and cure else f"[{'' if names else 'no file'}{'' if cure else ' no cure'}] "
        return ("VAGUE" if lacks else "seen"), lacks + message[:300]
    lines = spoken(ended.out)
    other = [line for line in reference.lines if line not in lines]
    files = apart(_differences, str(before), str(place), str(whole.after(command)), reference.written)
    if not other and not files:
        was, now = before / damage.path, place / damage.path
        mended = now.is_file() and (not was.is_file() or now.read_bytes() != was.read_bytes())
        return ("healed" if mended else "harmless"), ""
    new = [line for line in lines if line not in reference.lines]
    told = [line for line in ended.err.splitlines() if line not in reference.err] + new
    remarks = [line for line in told if _SAID.search(line) and _names(damage, line)]
    if remarks:
        return "seen", remarks[0][:300]
    shown = ", ".join(Path(name).name for name in files[:3])
    return "WRONG", f"other: {shown + ' ' if shown else ''}{(new or other or [''])[0].strip()[:120]}"


def _names(damage: Damage, message: str) -> bool:
    """Whether a message names the file, or the folder of the run, data set, study or verdicts."""
    path = Path(damage.path)
    folders = [parent.name for parent in path.parents if parent.name not in ("", "project", "cache", "oof", SLUG)]
    if damage.area == "clean" and re.search(r"\bclean\.(csv|json)\b", message):
        return True  # the two belong together
    return path.name in message or any(len(f) > 6 and f in message for f in folders)


def try_damage(whole: Whole, damage: Damage, number: int, known: dict[str, Reference]) -> list[Outcome]:
    """Run the damage's commands, each on a fresh copy; then follow the cures that were named."""
    before, found, cures = whole.work / f"damaged-{number}", [], {}
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(whole.place, before)
    apart(_applied, damage, str(before))
    for command in damage.commands:
        started, place = time.perf_counter(), whole.copy(number, before)
        ended = launch(whole.known[command], place)
        verdict, why = judge(whole, damage, before, place, command, ended, known[command])
        found.append(Outcome(damage.name, command, verdict, _plain(why), round(time.perf_counter() - started, 2)))
        if ended.code == 2 and (verdict == "seen" or (verdict == "VAGUE" and damage.area == "runs")):
            cure = cure_of(damage, ended.message)
            cures.setdefault(cure, command)
    for cure, command in cures.items():
        started = time.perf_counter()
        verdict, why = follow(whole, damage, before, number, cure, command, known)
        name = f"cure of '{command}' ({', '.join(cure)})"
        found.append(Outcome(damage.name, name, verdict, _plain(why), round(time.perf_counter() - started, 2)))
    return found


def _plain(text: str) -> str:
    """In one line, without what a damaged file may put into a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.replace("\n", " "))


def _applied(damage: Damage, place: str) -> None:
    damage.apply(Path(place))


def cure_of(damage: Damage, message: str) -> tuple[str, ...]:
    """The steps that a message asks for: 'delete PATH' and the command to run then; for a run at least --resume."""
    steps = []
    path = re.search(r"(\S+/\S+?)[:;,]? ", message.replace("PLACE/project/", "").replace("PLACE/", "../"))
    if re.search(r"\bdelete\b|\bremove\b", message, re.IGNORECASE) and path:
        steps.append(f"delete {path[1].rstrip(':')}")
    if "--overwrite" in message or (damage.area == "clean" and "harness.clean" in message):
        steps.append("overwrite")
    elif damage.area == "clean" and "harness.cv" in message:
        steps.append("cv")
    elif damage.area == "journal":
        steps.append("other study" if "--study" in message and not steps else "tune")
    elif damage.area == "runs":
        steps.append("fresh noise" if "--fresh" in message and "--resume" not in message else "resume")
    else:
        steps.append("data" if damage.area == "cache" else "clean")
    return tuple(steps)


_CURED = {
    "runs": ("compare", "errors", "submit"),
    "cache": ("data", "submit"),
    "journal": (),
    "clean": ("clean", "cv", "submit best"),
}
"""Commands that must say what they always said once a cure was followed."""


def follow(
    whole: Whole,
    damage: Damage,
    before: Path,
    number: int,
    cure: tuple[str, ...],
    seen_by: str,
    known: dict[str, Reference],
) -> tuple[str, str]:
    """Do what a message asks for; afterwards every command must end well, with the numbers that it always had."""
    place = whole.copy(number, before)
    for step in cure:
        if step.startswith("delete "):
            path = (place / "project" / step.removeprefix("delete ")).resolve()
            if place.resolve() not in path.parents:
                return "STUCK", f"'{step}': lies outside the project and its cache"
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            continue
        ended = launch(whole.known[step], place)
        if ended.code != 0:
            return "STUCK", f"'{step}' ends with {ended.code}: {ended.message[:200]}"
    last = () if seen_by in cure or "other study" in cure else (seen_by,)
    for command in dict.fromkeys((*_CURED[damage.area], *last)):
        earlier = whole.work / f"earlier-{number}"
        shutil.rmtree(earlier, ignore_errors=True)
        shutil.copytree(place, earlier)
        ended = launch(whole.known[command], place)
        verdict, why = judge(whole, damage, earlier, place, command, ended, known[command])
        if verdict in ("seen", "VAGUE", "TRACEBACK"):
            return "STUCK", f"afterwards '{command}': {why}"
        if verdict == "WRONG":
            return "WRONG", f"afterwards '{command}': {why}"
    return "healed", ""


# --- the whole ------------------------------------------------------------------------------------------------------


def try_all(whole: Whole, wanted: Sequence[Damage], lanes: int) -> list[Outcome]:
    """All damages; outcomes in the order that they were given."""
    more = {"runs": ("resume", "fresh noise"), "clean": ("overwrite",), "journal": ("other study",), "cache": ("data",)}
    named = [n for d in wanted for n in (*d.commands, *_CURED[d.area], *more.get(d.area, ()))]
    names = list(dict.fromkeys(named))
    told = side_by_side(whole.work, lambda name, lane: make_reference(whole, name), names, lanes)
    known = {name: Reference(**one) for name, one in zip(names, told, strict=True)}
    say(f"{len(known)} references stand; {len(wanted)} damages in {lanes} lanes")

    def attempt(damage: Damage, lane: int) -> list[dict[str, Any]]:
        found = try_damage(whole, damage, lane, known)
        bad = [f"{outcome.command} {outcome.verdict}" for outcome in found if outcome.verdict in BAD]
        say(f"{damage.name}: {', '.join(bad) or 'good'}")
        return [vars(outcome) for outcome in found]

    return [Outcome(**one) for several in side_by_side(whole.work, attempt, wanted, lanes) for one in several]


def side_by_side(work: Path, function: Callable[[Any, int], Any], items: Sequence[Any], lanes: int) -> list[Any]:
    """function(item, lane) of every item as JSON, in order; lane i is a forked child that takes items i, i + lanes, ..."""
    children = []
    for lane in range(lanes):
        child = os.fork()
        if child == 0:
            _be_lane(
                work / f"lane-{lane}.jsonl", lambda item, lane=lane: function(item, lane), items[lane::lanes], lane
            )
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]  # of all, whatever the first one is
    if any(ends):
        raise RuntimeError("a lane failed; its error stands above")
    found: list[Any] = [None] * len(items)
    for lane in range(lanes):
        lines = (work / f"lane-{lane}.jsonl").read_text().splitlines()
        found[lane::lanes] = [json.loads(line) for line in lines]
    return found


def _be_lane(path: Path, function: Callable[[Any], Any], items: Sequence[Any], lane: int) -> None:
    """Do some of the items, a line each in `path`; never returns."""
    code = 1
    try:
        keep_to_core(lane)
        with path.open("w") as file:
            for item in items:
                file.write(json.dumps(function(item)) + "\n")
                file.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def show(found: Sequence[Outcome]) -> None:
    """The table by file and damage, counts, and the bad cases by name."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="commands by what became of them", title_justify="left")
    table.add_column("file", no_wrap=True)
    table.add_column("damage", no_wrap=True)
    for verdict in VERDICTS:
        table.add_column(verdict, justify="right")
    for name in dict.fromkeys(outcome.damage for outcome in found):
        counts = Counter(outcome.verdict for outcome in found if outcome.damage == name)
        file, _, kind = name.rpartition("/")
        table.add_row(file, kind, *(str(counts[verdict] or "") for verdict in VERDICTS))
    Console(width=140).print(table)
    bad = [outcome for outcome in found if outcome.verdict in BAD]
    for verdict in BAD:
        for outcome in (o for o in bad if o.verdict == verdict):
            print(f"{verdict:<9} {outcome.name}: {outcome.why}")
    counts = Counter(outcome.verdict for outcome in found)
    hurt = len({outcome.damage for outcome in bad})
    print(f"{len({o.damage for o in found})} damages, {len(found)} commands: ", end="")
    print(", ".join(f"{verdict} {counts[verdict]}" for verdict in VERDICTS) + f"; {hurt} damages with a bad end")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=AREAS, help="damages of this kind of file")
    parser.add_argument("--match", default="", metavar="PATTERN", help="damages whose name holds this pattern")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write every outcome there")
    parser.add_argument("--work", type=Path, default=None, metavar="DIR", help="work there and keep it; must not exist")
    parser.add_argument("--lanes", type=int, default=2, help="damages side by side")
    given = parser.parse_args()
    began = time.perf_counter()
    preload()
    with tempfile.TemporaryDirectory(prefix="damages-") as folder:
        whole = make_whole((given.work or Path(folder)).resolve())
        wanted = [d for d in damages(whole) if given.only in (None, d.area) and re.search(given.match, d.name)]
        found = try_all(whole, wanted, given.lanes)
    show(found)
    print(f"took {time.perf_counter() - began:.0f} s, {sum(os.times()[:4]):.0f} s of one core")
    if given.json:
        given.json.write_text(json.dumps([vars(outcome) for outcome in found], indent=1) + "\n")
    return int(any(outcome.verdict in BAD for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
