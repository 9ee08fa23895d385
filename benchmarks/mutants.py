"""Mutation tests of what must not be wrong: scores, folds, rows that meet by id, cross-fitting, the ledger, the checks of a file.

python -m benchmarks.mutants                              # every module of TARGETS
python -m benchmarks.mutants harness/cv/folds.py          # one; any other module of harness may be named as well
python -m benchmarks.mutants --show harness/cv/folds.py   # the survivors of the last time, as diffs

A module is judged by the tests that mirror it and by no others: tests/cv/test_folds.py for harness/cv/folds.py; where there is no
such file, the folder's (tests/runs for harness/runs/align.py). mutmut makes the mutants and runs them: each is a fork of a process that
has imported everything, so that torch, scikit-learn and SQLAlchemy are paid once. Left out: the wording of what `raise UserError` says,
type hints, docstrings; what runs at import, before the fork (tables of a module, and two functions that fill one); and properties and
context managers, since mutmut 3 leaves decorated functions alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutants"

TARGETS = (
    "harness/competition/metrics.py",
    "harness/competition/tasks/threshold.py",
    "harness/cv/folds.py",
    "harness/cv/scores.py",
    "harness/runs/align.py",
    "harness/runs/folds.py",
    "harness/oof/ensemble/cross_fit.py",
    "harness/oof/ensemble/hill_climbing.py",
    "harness/oof/ensemble/temperature.py",
    "harness/ledger/entry.py",
    "harness/ledger/database.py",
    "harness/ledger/ledger.py",
    "harness/ledger/tables.py",
    "harness/submit/preflight.py",
)

# Left out of the tests: those that start a server or processes of their own for each mutant, and wait for them.
SETTINGS = """\
[tool.mutmut]
source_paths = ["harness"]
only_mutate = ["{module}"]
do_not_mutate_patterns = ["raise UserError\\\\(", "return Metric\\\\(name, lambda", "return lambda t: np.arange"]
also_copy = ["conftest.py", "competitions"]
pytest_add_cli_args = ["-k", "not postgresql and not two_processes"]
pytest_add_cli_args_test_selection = ["{tests}"]
timeout_constant = 2.0

[tool.pytest.ini_options]
addopts = "-p no:cacheprovider"
"""

CONFTEST = """\
import json
from pathlib import Path

from hypothesis import Phase, settings

# The same examples for every mutant, and no time spent on making a failing one smaller.
settings.register_profile("mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")


def pytest_collection_modifyitems(items):
    known = Path("mutmut-stats.json")  # the first failure ends a run: quick tests come first
    if known.is_file():
        seconds = json.loads(known.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0))
"""

KILLED = ("killed", "timeout", "segfault")


def mirrored(module: str) -> str:
    """Where the tests of a module are: its own file, else those of its folder."""
    folder, name = Path("tests", *Path(module).parts[1:-1]), Path(module).stem
    own = folder / f"test_{name}.py"
    found = own if (ROOT / own).is_file() else folder
    if not (ROOT / found).exists():
        raise typer.BadParameter(f"{module}: there are no tests in {folder}")
    return found.as_posix()


def workplace(module: str) -> Path:
    """A folder of its own, in which mutmut finds the sources, the tests and settings for this module alone."""
    folder = WORK / module.removesuffix(".py").replace("/", ".")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("harness", "tests", "competitions"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(os.path.relpath(ROOT / name, folder))
    for name, text in {
        "pyproject.toml": SETTINGS.format(module=module, tests=mirrored(module)),
        "conftest.py": CONFTEST,
    }.items():
        if not (folder / name).is_file() or (folder / name).read_text() != text:
            (folder / name).write_text(text)
    return folder


def mutmut(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Call it in a workplace."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": "."}
    command = [str(Path(sys.executable).parent / "mutmut"), *args]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def states(folder: Path) -> dict[str, str]:
    """What became of each mutant, by its name."""
    lines = mutmut(folder, "results", "--all", "true").stdout.splitlines()
    return dict(line.strip().rsplit(": ", 1) for line in lines if ": " in line)


def run_mutants(folder: Path, processes: int) -> subprocess.CompletedProcess[str]:
    """Run those of changed functions, and again those that no test killed the last time: there may be a new one."""
    before = [name for name, state in states(folder).items() if state not in (*KILLED, "not checked")]
    ran = mutmut(folder, "run", "--max-children", str(processes))
    names = set(states(folder)) & set(before)
    if ran.returncode == 0 and names:
        return mutmut(folder, "run", "--max-children", str(processes), *sorted(names))
    return ran


def main(
    modules: Annotated[
        list[str] | None, typer.Argument(help="files of harness; all of TARGETS where none is named")
    ] = None,
    show: Annotated[bool, typer.Option(help="print the survivors of the last time and run nothing")] = False,
    processes: Annotated[int, typer.Option(help="mutants at a time")] = 2,
    again: Annotated[
        bool, typer.Option(help="forget the results of the last time, also where nothing changed")
    ] = False,
) -> None:
    failed = False
    print(f"{'module':<42}{'mutants':>8}{'killed':>8}{'left':>6}{'share':>8}")
    for module in modules or TARGETS:
        folder = workplace(module)
        if not show:
            if again:
                shutil.rmtree(folder / "mutants", ignore_errors=True)
            ran = run_mutants(folder, processes)
            if ran.returncode:
                print(f"{module}: mutmut failed\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
                failed = True
                continue
        found = states(folder)
        count = Counter(found.values())
        left = {name: state for name, state in found.items() if state not in KILLED}
        killed = len(found) - len(left)
        print(f"{module:<42}{len(found):>8}{killed:>8}{len(left):>6}{killed / max(len(found), 1):>8.1%}", flush=True)
        if show:
            for name, state in left.items():
                print(f"\n{state}: {mutmut(folder, 'show', name).stdout.strip()}")
        elif left:
            print("   " + ", ".join(f"{n} {state}" for state, n in count.items() if state not in KILLED))
    raise typer.Exit(failed)


if __name__ == "__main__":
    typer.run(main)
