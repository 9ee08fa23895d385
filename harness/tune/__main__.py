"""python -m harness.tune COMPETITION --recipe R --trials 50: search a recipe's [tune], and say what it gained."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.options import CompetitionChoice, DataOptions
from harness.base.process import end_with_parent
from harness.kernels.options import KaggleOptions
from harness.tune.arguments import Limits, ProcessOptions, SearchOptions, StudyOptions, TunedRecipe

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    recipe: TunedRecipe,
    search: SearchOptions,
    limits: Limits,
    about: StudyOptions,
    crew: ProcessOptions,
    there: KaggleOptions,
    where: DataOptions,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a recipe's [tune] on its folds, give up early what leads nowhere, and judge the best on other folds.

    A study that was stopped goes on when the same command is given again; several processes may work on one.
    Writes the best recipe to recipes/, the study and its page to oof/<slug>/studies/.
    """
    out = out_root(out)
    from harness.base.progress import LineWatcher
    from harness.tune.outcome import begin
    from harness.tune.prepare import Request
    from harness.tune.study import work

    recipe = recipe.on(where)
    if there.check():
        _tune_elsewhere(which, recipe, search, limits, about, crew, where, there, out, as_json)
        return
    watcher = LineWatcher()
    asked = Request(which.required(), recipe, search, limits, about, crew.device, where, out)
    begun = begin(asked, watcher)
    with _hint_how_to_resume():
        if crew.worker:
            end_with_parent()
        if crew.cluster and not crew.worker:
            _work_on_cluster(crew.cluster, crew.gpus_per_trial, crew.parallel, search.seed, watcher)
        else:
            with _helpers(crew.parallel, crew.device, search.seed):
                work(begun.study, begun.trials, begun.plan, watcher)
        if crew.worker:
            return
        outcome = begun.conclude(asked)
    print(json.dumps(outcome.as_dict(), indent=2) if as_json else "\n".join(outcome.lines()))


def _tune_elsewhere(
    which: CompetitionChoice,
    recipe: TunedRecipe,
    search: SearchOptions,
    limits: Limits,
    about: StudyOptions,
    crew: ProcessOptions,
    where: DataOptions,
    there: KaggleOptions,
    out: Path,
    as_json: bool,
) -> None:
    from harness.base.errors import UserError
    from harness.base.progress import watching
    from harness.kernels.command import Command
    from harness.tune.elsewhere import tune_on_kaggle
    from harness.tune.prepare import Request

    if crew.cluster or crew.worker:
        raise UserError("--on kaggle and --cluster: give one of them")
    asked = Request(which.required(), recipe, search, limits, about, crew.device, where, out)
    command = Command.typed("harness.tune", which.competition)
    with watching() as watcher:
        path = tune_on_kaggle(asked, command, about.save or "", there, watcher)
    if path is not None:
        print(json.dumps({"recipe": str(path)}) if as_json else f"recipe: {path}")


@contextlib.contextmanager
def _hint_how_to_resume() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "harness.tune", *sys.argv[1:]])
        raise KeyboardInterrupt(f"stopped. What was finished is kept; go on with:\n  {again}") from None


def _work_on_cluster(address: str, gpus: float, parallel: int, seed: int, watcher: Any) -> None:
    """The same command on nodes; the study's storage and the folders must be seen by all of them."""
    from harness.distributed.executor import Cluster
    from harness.distributed.workers import run_workers

    own = [("--parallel", "1", "--worker", "--seed", str(seed + number)) for number in range(parallel)]
    run_workers(Cluster(address, gpus=gpus), [["harness.tune", *sys.argv[1:], *o] for o in own], watcher.say)


@contextlib.contextmanager
def _helpers(parallel: int, device: str, seed: int) -> Iterator[None]:
    """Further processes on the same study, by the same command; they end when it has ended, or with us."""
    from harness.cv.jobs.prepare import pick_devices, usable_cores

    devices = pick_devices(device)
    os.environ["HARNESS_CORES"] = str(max(usable_cores() // parallel, 1))  # for us and for them
    crew = []
    for number in range(1, parallel):
        own = ("--parallel", "1", "--worker", "--seed", str(seed + number), "--device", devices[number % len(devices)])
        command = [sys.executable, "-m", "harness.tune", *sys.argv[1:], *own]
        crew.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    try:
        yield
        for process in crew:
            process.wait()
    finally:
        for process in crew:
            process.kill()


if __name__ == "__main__":
    app()
