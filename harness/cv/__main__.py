"""python -m harness.cv COMPETITION: train a recipe on k folds."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.base.command import (
    DataOption,
    JsonOption,
    OutOption,
    SampleOption,
    SetOption,
    SkipBrokenOption,
    StreamOption,
    carried,
    data_root,
    new_app,
    user_command,
)
from harness.base.errors import UserError
from harness.base.terminal import print_table

if TYPE_CHECKING:
    from harness.competition import Competition, Recipe
    from harness.runs import Run

app = new_app()


@app.command()
@user_command
def main(
    competition: Annotated[str, typer.Argument(help="Folder or slug, e.g. competitions/digit-recognizer.")],
    recipe: Annotated[str, typer.Option(help="Name of a file in recipes/, without .toml.")] = "quick",
    settings: SetOption = None,
    data: DataOption = None,
    sample: SampleOption = False,
    skip_broken: SkipBrokenOption = False,
    stream: StreamOption = False,
    folds: Annotated[str | None, typer.Option(help="Train these folds only, e.g. 0,1.", metavar="LIST")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped: train what is missing.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train a run anew that stands already.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Folds side by side. Default: one per GPU, else per core.")
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean/--no-clean", help="Go by the verdicts of harness.clean, where there are any.")
    ] = True,
    pseudo_labels: Annotated[
        str | None,
        typer.Option(help="Learn from the test rows that this finished run is sure of, too.", metavar="RUN"),
    ] = None,
    leaky: Annotated[
        bool,
        typer.Option(
            "--leaky",
            help="[clusters]: fit them on the rows that are scored too, as the report did, to see what it does.",
        ),
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Then hold the run against the noise suite: corruptions in five severities.")
    ] = False,
    noise_rows: Annotated[
        int, typer.Option(min=0, help="Rows that the noise suite takes, the same for every run; 0 = all.")
    ] = 1000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    cluster: Annotated[
        str | None, typer.Option(help="Train the folds on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT.")
    ] = None,
    cpus_per_fold: Annotated[
        float | None, typer.Option(min=0, help="With --cluster: CPU cores of a fold. Default: as it computes with.")
    ] = None,
    gpus_per_fold: Annotated[
        float, typer.Option(min=0, help="With --cluster: GPUs of a fold; 0.5: two folds share one.")
    ] = 0.0,
    out: OutOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a recipe: OOF and test probabilities, scores with intervals, a report.

    Writes oof/<slug>/<run>/. A run that was killed goes on with --resume and ends with the same numbers.
    """
    from harness.base.progress import watching
    from harness.clean.verdicts import standing_verdicts
    from harness.competition import find_competition, load_recipe
    from harness.cv.jobs.executor import start_server
    from harness.cv.noise.job import noise_suite
    from harness.cv.options import Options
    from harness.cv.pipeline import cross_validate
    from harness.data.dataset import load_dataset
    from harness.data.resize import resize
    from harness.distributed.executor import Cluster

    contest = find_competition(competition)
    pseudo = [f'pseudo.run = "{pseudo_labels}"'] if pseudo_labels else []
    pseudo += ["clusters.leaky = true"] if leaky else []
    played = load_recipe(contest.folder, recipe, [*(settings or []), *pseudo])
    contest = contest.using(played.data)
    _check_task(contest, played, noise)
    verdicts = standing_verdicts(out, contest, sample) if clean else None
    nodes = Cluster(cluster, cpus_per_fold, gpus_per_fold) if cluster else None
    options = Options(
        out.resolve() if nodes else out, _fold_list(folds), resume, fresh, workers, device, verdicts, nodes, _again()
    )
    if workers != 1 and not nodes:
        start_server()
    try:
        with watching(quiet=as_json) as watcher:
            dataset = load_dataset(
                contest,
                data_root(data),
                sample=sample,
                skip_broken=skip_broken,
                stream=stream,
                tick=watcher.decoding,
                unpack_tick=watcher.unpacking,
                say=watcher.say,
            )
            contest = dataset.competition or contest
            resize(dataset, played.data, watcher.decoding)
            watcher.say(f"{contest.title}, recipe '{played.name}': {dataset.source}, fingerprint {dataset.fingerprint}")
            run = cross_validate(contest, played, dataset, options, watcher)
            noisy = noise_suite(contest, run, dataset, options, noise_rows, watcher) if noise else None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped. Finished folds are kept; go on with:\n  {_again()}") from None
    if as_json:
        print(
            json.dumps(
                {"run": run.name, "path": str(run.path), "data": run.environment["data"], **run.scores}
                | ({"noise": noisy} if noisy else {}),
                indent=2,
            )
        )
    else:
        _print_result(run, sample, noisy)


def _again(all_folds: bool = False) -> str:
    """The command that goes on with what this one began; or, without --folds, with the folds that it left out."""
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--fresh", "--resume"):
            continue
        if all_folds and word.partition("=")[0] == "--folds":
            if word == "--folds":
                next(words, None)  # its value
            continue
        kept.append(word)
    return shlex.join(["python", "-m", "harness.cv", *kept, "--resume"])


def _check_task(contest: Competition, played: Recipe, noise: bool) -> None:
    if contest.is_clustering and not played.clusters:
        raise UserError(f"recipe '{played.name}': '{contest.slug}' has no labels; the recipe needs a table [clusters]")
    if played.clusters and not contest.is_clustering:
        raise UserError(
            f"recipe '{played.name}': [clusters] is for competitions without labels; '{contest.slug}' has them"
        )
    if noise and played.clusters:
        raise UserError("--noise: is for labelled images; it does not go with [clusters]")


_METRICS_ABREAST = 3  # more do not fit a terminal


def _fold_list(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--folds {text}: give fold numbers with commas between, e.g. --folds 0,1") from None


def _print_noise(run: Run, noisy: dict[str, Any]) -> None:
    from harness.cv.noise.report import noise_table, summary_lines

    header, rows = noise_table(noisy)
    print_table(header, rows, title="under noise", width=120)
    for line in summary_lines(noisy):
        print(line)
    print(f"noise:  {run.path / 'noise.html'}")


def _print_result(run: Run, sample: bool, noisy: dict[str, Any] | None) -> None:
    from harness.cv.report import decision_line, fold_table, label, shown, threshold_line

    header, rows = fold_table(run.scores)
    for first in range(2, len(header), _METRICS_ABREAST):
        columns = [0, 1, *range(first, min(first + _METRICS_ABREAST, len(header)))]
        title = f"{run.name}" + ("  (embedded sample)" if sample else "") if first == 2 else None
        cells = [[row[c] for c in columns] for row in rows]
        names, last = [header[c] for c in columns], len(rows) - 1
        print_table(names, cells, title=title, bold=[last], line_before_last=2, width=120)
    slug = run.environment["competition"]["slug"]
    places, results = carried("--data", "--out"), carried("--out")
    flags = f"{' --sample' if sample else ''}{places}"
    if run.environment["optimistic"]:
        print(f"warning: {run.environment['optimistic']}")
    if noisy:
        _print_noise(run, noisy)
    print(f"run:    {run.path}")
    print(f"report: {run.path / 'report.html'}")
    if run.scores.get("threshold"):
        print(threshold_line(run.scores, run.classes))
    if run.scores.get("decision"):
        print(decision_line(run.scores, run.task, run.classes))
    excluded = run.scores.get("excluded", {"n": 0})
    if excluded["n"]:
        said = ", ".join(f"{label(k)} {shown(v)}" for k, v in excluded.items() if k != "n" and v is not None)
        print(f"excluded by verdicts: {excluded['n']:,} rows, never trained on and not in these scores; there: {said}")
    if run.scores.get("pseudo"):
        from harness.cv.pseudo_labels import pseudo_line

        print(pseudo_line(run.environment["pseudo"], run.scores["pseudo"]))
    if not run.complete:
        print(f"partial: not all folds are trained; the others: {_again(all_folds=True)}")
    if run.recipe.clusters:
        print(f"next:   python -m harness.oof compare {slug}{results}")
        if run.complete and not run.environment["data"].get(
            "unread_test"
        ):  # test images without the captions that it reads
            print(f"        python -m harness.submit --comp {slug} --run {run.name} --dry-run{flags}")
        return
    suite = (
        ""
        if (run.path / "noise.json").is_file()
        else " (run this again with --noise first: it is what forecasts learn from)"
    )
    if not run.complete:
        return  # neither forecasts nor submissions are made of some folds
    lead = "next:  "
    if run.task.is_one_class:
        print(f"next:   python -m harness.oof forecast {slug} --run {run.name}{places}{suite}")
        lead = "       "
    print(f"{lead} python -m harness.submit --comp {slug} --run {run.name} --dry-run{flags}")


if __name__ == "__main__":
    app()
