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
from typing import Annotated, Any

import typer

from harness.base.command import (
    DataOption,
    JsonOption,
    OutOption,
    SampleOption,
    SetOption,
    new_app,
    user_command,
)
from harness.base.process import end_with_parent

app = new_app()


@app.command()
@user_command
def main(
    competition: Annotated[str, typer.Argument(help="Folder or slug, e.g. competitions/bloodcells.")],
    recipe: Annotated[str, typer.Option(help="Name of a file in recipes/, without .toml, that has a table [tune].")],
    trials: Annotated[int, typer.Option(min=1, help="Trials that the study has in the end, pruned ones too.")] = 50,
    settings: SetOption = None,
    sampler: Annotated[str, typer.Option(help="tpe, cmaes, random or grid.")] = "tpe",
    pruner: Annotated[
        str, typer.Option(help="hyperband or median (epochs of fold 0), wilcoxon or percentile (folds), none.")
    ] = "hyperband",
    objectives: Annotated[str, typer.Option(help="score, or score,seconds: the best trade-offs of both.")] = "score",
    most_seconds: Annotated[float | None, typer.Option(min=0, help="Give trials up that take longer.")] = None,
    most_parameters: Annotated[int | None, typer.Option(min=1, help="Give larger networks up.")] = None,
    most_megabytes: Annotated[
        float | None, typer.Option(min=0, help="Give trials up whose weights are larger.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Database URL that machines share. Default: a file.", metavar="URL")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study. Default: by what it is about.")] = None,
    nested: Annotated[
        bool, typer.Option("--nested/--no-nested", help="In the end, judge the best recipe on folds of another seed.")
    ] = True,
    save: Annotated[str | None, typer.Option(help="Name of the best recipe's file. Default: <recipe>-tuned.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the best trial's run in oof/<slug>/.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    parallel: Annotated[
        int, typer.Option(min=1, help="Processes that work on the study; with GPUs each gets one in turn.")
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(help="Run the --parallel processes on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT."),
    ] = None,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="With --cluster: GPUs of a process.")] = 0.0,
    worker: Annotated[bool, typer.Option("--worker", hidden=True)] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    data: DataOption = None,
    sample: SampleOption = False,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Search a recipe's [tune] on its folds, give up early what leads nowhere, and judge the best on other folds.

    A study that was stopped goes on when the same command is given again; several processes may work on one.
    Writes the best recipe to recipes/, the study and its page to oof/<slug>/studies/.
    """
    from harness.base.progress import LineWatcher
    from harness.tune.outcome import conclude, home_of_recipes
    from harness.tune.prepare import Request, prepare
    from harness.tune.save import check_name
    from harness.tune.study import open_study, work
    from harness.tune.trial import Limits

    watcher = LineWatcher(quiet=as_json)
    limits = Limits(most_seconds, most_parameters, most_megabytes)
    asked = Request(
        competition, recipe, settings, trials, sampler, pruner, objectives, limits, storage, study, seed, device, data, sample, out
    )  # fmt: skip
    made, plan = prepare(asked, watcher)
    name = save or f"{made.recipe.name}-tuned"
    check_name(home_of_recipes(made), name)
    opened = open_study(plan, made)
    where = "the database" if plan.storage else plan.home
    watcher.say(f"study '{plan.name}': {trials} trials, {sampler}, {pruner}; in {where}")
    with _hint_how_to_resume():
        if worker:
            end_with_parent()
        if cluster and not worker:
            _work_on_cluster(cluster, gpus_per_trial, parallel, seed, watcher)
        else:
            with _helpers(parallel, device, seed):
                work(opened, made, plan, watcher)
        if worker:
            return
        outcome = conclude(opened, made, plan, nested=nested, save=name, keep=keep, out=out)
    print(json.dumps(outcome.as_dict(), indent=2) if as_json else "\n".join(outcome.lines()))


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
    from harness.cv.prepare import pick_devices, usable_cores

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
