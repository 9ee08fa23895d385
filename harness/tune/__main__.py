"""python -m harness.tune COMPETITION --recipe R --trials 50: search a recipe's [tune], and say what it gained."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.base.command import (
    DataOption,
    JsonOption,
    OutOption,
    SampleOption,
    SetOption,
    data_root,
    new_app,
    user_command,
)
from harness.base.errors import UserError
from harness.base.process import end_with_parent

if TYPE_CHECKING:
    from harness.tune.study import Plan
    from harness.tune.trial import Trials

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
    from harness.base.watch import LineWatcher
    from harness.tune.save import check_name
    from harness.tune.study import PRUNERS, SAMPLERS, best_trial, open_study, values_of, work

    _check_choice("--sampler", sampler, SAMPLERS)
    _check_choice("--pruner", pruner, PRUNERS)
    watcher = LineWatcher(quiet=as_json)
    made, plan = _prepare(
        competition, recipe, settings, sampler, pruner, objectives, (most_seconds, most_parameters, most_megabytes),
        storage, study, trials, seed, device, data, sample, out, watcher,
    )  # fmt: skip
    check_name(plan.home if sample else made.competition.folder, save or f"{made.recipe.name}-tuned")
    opened = open_study(plan, made)
    watcher.say(
        f"study '{plan.name}': {trials} trials, {sampler}, {pruner}; in {'the database' if plan.storage else plan.home}"
    )
    try:
        if worker:
            end_with_parent()
        if cluster and not worker:
            _work_on_cluster(cluster, gpus_per_trial, parallel, seed, watcher)
        else:
            with _helpers(parallel, device, seed):
                work(opened, made, plan, watcher)
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "harness.tune", *sys.argv[1:]])
        raise KeyboardInterrupt(f"stopped. What was finished is kept; go on with:\n  {again}") from None
    if worker:
        return
    best = best_trial(opened)
    values = values_of(best, made.space)
    _finish(made, plan, opened, best, values, nested, save or f"{made.recipe.name}-tuned", keep, out, watcher, as_json)


def _work_on_cluster(address: str, gpus: float, parallel: int, seed: int, watcher: Any) -> None:
    """The same command on nodes; the study's storage and the folders must be seen by all of them."""
    from harness.cluster.executor import Cluster
    from harness.cluster.workers import run_workers

    own = [("--parallel", "1", "--worker", "--seed", str(seed + number)) for number in range(parallel)]
    run_workers(Cluster(address, gpus=gpus), [["harness.tune", *sys.argv[1:], *o] for o in own], watcher.say)


@contextlib.contextmanager
def _helpers(parallel: int, device: str, seed: int) -> Iterator[None]:
    """Further processes on the same study, by the same command; they end when it has ended, or with us."""
    from harness.cv.prepare import pick_devices

    devices = pick_devices(device)
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


def _check_choice(option: str, given: str, known: tuple[str, ...]) -> None:
    from harness.base.errors import nearest

    if given not in known:
        raise UserError(f"{option} {given}: unknown{nearest(given, known)}; known: {', '.join(known)}")


def _prepare(
    competition: str,
    recipe: str,
    settings: list[str] | None,
    sampler: str,
    pruner: str,
    objectives: str,
    limits: tuple[float | None, int | None, float | None],
    storage: str | None,
    study: str | None,
    trials: int,
    seed: int,
    device: str,
    data: Path | None,
    sample: bool,
    out: Path,
    watcher: Any,
) -> tuple[Trials, Plan]:
    from harness.base.code import code_digest
    from harness.clean.verdicts import clean_folder
    from harness.competition import find_competition, load_recipe
    from harness.data.dataset import load_dataset
    from harness.data.resized import resize
    from harness.tune.space import check_space
    from harness.tune.storage import identity
    from harness.tune.study import Plan, prune_where
    from harness.tune.trial import Limits, Trials

    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UserError("harness.tune needs optuna: pip install -e '.[tune]'") from error
    contest = find_competition(competition)
    played = load_recipe(contest.folder, recipe, settings)
    contest = contest.using(played.data)
    space, wanted = check_space(contest, played), _objectives(objectives, pruner, sampler)
    prune = prune_where(pruner)
    if prune == "epochs" and played.clusters:
        raise UserError(
            f"--pruner {pruner}: looks at epochs, which recipes with [clusters] do not show; take percentile"
        )
    dataset = load_dataset(
        contest, data_root(data), sample=sample, tick=watcher.decoding, unpack_tick=watcher.unpacking
    )
    resize(dataset, played.data, watcher.decoding)
    verdicts = clean_folder(out, contest, sample) / "clean.csv"
    about = {
        "competition": contest.slug,
        "recipe": played.digest(),
        "space": {key: spec.model_dump(mode="json", exclude_defaults=True) for key, spec in space.items()},
        "data": dataset.fingerprint,
        "verdicts": verdicts.read_text(encoding="utf-8") if verdicts.is_file() else "",
        "objectives": list(wanted),
        "pruner": pruner,
    }
    name = study or f"{'sample-' if sample else ''}{played.name}-{identity(about)}"
    about["harness"] = code_digest()
    home = out / "oof" / contest.slug / "studies" / name
    verdicts_path = verdicts if verdicts.is_file() else None
    made = Trials(
        contest,
        played,
        dataset,
        space,
        home,
        prune,
        pruner == "wilcoxon",
        wanted,
        Limits(*limits),
        device,
        verdicts_path,
        watcher,
    )
    return made, Plan(name, storage, home, about, trials, sampler, pruner, seed)


def _objectives(text: str, pruner: str, sampler: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    if found not in (("score",), ("score", "seconds")):
        raise UserError(f"--objectives {text}: known: score, or score,seconds")
    if len(found) > 1 and sampler == "cmaes":
        raise UserError("--sampler cmaes: knows one objective only; take tpe")
    if len(found) > 1 and pruner != "none":
        raise UserError("--objectives score,seconds: nothing can be given up early by two measures; add --pruner none")
    return found


def _finish(
    made: Trials,
    plan: Plan,
    study: Any,
    best: Any,
    values: dict[str, Any],
    nested: bool,
    name: str,
    keep: bool,
    out: Path,
    watcher: Any,
    as_json: bool,
) -> None:
    from harness.tune.nested import nested_estimate
    from harness.tune.page import write_page
    from harness.tune.save import keep_run, save_recipe

    found = None
    if nested:
        found = nested_estimate(
            made.competition,
            made.recipe,
            values,
            best.values[0],
            made.dataset,
            plan.home,
            made.device,
            made.verdicts,
            watcher,
        )
    said = f"{made.recipe.name}, tuned over {len(study.trials)} trials"
    sample = made.dataset.is_sample
    home = plan.home if sample else made.competition.folder  # what the sample taught is no recipe of the competition
    path = save_recipe(home, made.recipe, values, name, said)
    page = write_page(plan.home / "study.html", made.competition.title, study, made.metric.name, best, found)
    kept = None
    if keep:
        kept = keep_run(made, plan.home, out, values, best.user_attrs["run"])
    states = [t.state.name for t in study.get_trials(deepcopy=False)]
    told = {
        "study": plan.name,
        "trials": {state.lower(): states.count(state) for state in sorted(set(states))},
        "fold_epochs": sum(int(t.user_attrs.get("epochs", 0)) for t in study.trials),
        "best": {"trial": best.number, "values": values, made.metric.name: best.values[0]},
        "nested": vars(found) if found else None,
        "recipe": str(path),
        "page": str(page),
        "run": str(kept) if kept else None,
    }
    if as_json:
        print(json.dumps(told, indent=2))
        return
    if len(made.objectives) > 1:
        for trial in study.best_trials:
            print(
                f"trade-off: trial {trial.number}: {made.metric.name} {trial.values[0]:.5f} in {trial.values[1]:.0f} s"
            )
    print(f"best:   trial {best.number}: {made.metric.name} {best.values[0]:.5f} on the study's own folds")
    for key, value in values.items():
        print(f"        {key} = {value}")
    for line in found.lines(made.metric.name) if found else []:
        print(f"nested: {line}")
    print(f"recipe: {path}\npage:   {page}")
    if kept:
        print(f"run:    {kept}")
    print(
        f"next:   python -m harness.cv {made.competition.slug} --recipe {path if sample else name}{' --sample' if sample else ''}"
    )


if __name__ == "__main__":
    app()
