"""harness.cv --on kaggle: what is known here is checked here, then the same command is played there, and the run comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import read_json
from harness.competition import Competition, Recipe
from harness.competition.recipe import recipe_path
from harness.cv.arguments import TrainedRecipe
from harness.cv.elsewhere.known import Known, from_hub, settle
from harness.cv.options import Options
from harness.cv.request import Outcome, Request, check_task, options_of
from harness.cv.tracking import tracked
from harness.data.recipes import recipe_text
from harness.kernels.command import Command
from harness.kernels.job import Job, run_without_weights, sources_of, verdict_files
from harness.kernels.options import KaggleOptions
from harness.kernels.results import RunResult
from harness.kernels.session import asked_for, play
from harness.runs import Run, RunFolder, load_run


def train_elsewhere(
    contest: Competition, asked: Request, place: KaggleOptions, command: Command, watcher: LineWatcher
) -> Outcome | None:
    """What `harness.cv.request.train` does, on Kaggle; None after a dry run.

    Raises
    ------
    UserError
        As `train_on_kaggle`.
    """

    def check(contest: Competition, played: Recipe) -> None:
        check_task(contest, played, asked.noise.noise)

    options = options_of(contest, asked)
    run = train_on_kaggle(contest, asked.recipe, asked.where, options, place, command, check, watcher)
    if run is None:
        return None
    options.label.write(run.path)
    with tracked(options.log, RunFolder(run.path), [f["fold"] for f in run.scores["folds"]], watcher.say):
        pass  # nothing is to be waited for: it is told what came back
    told = run.path / "noise.json"
    return Outcome(run, read_json(told) if asked.noise.noise and told.is_file() else None)


def train_on_kaggle(
    competition: Competition,
    asked: TrainedRecipe,
    where: DataOptions,
    options: Options,
    place: KaggleOptions,
    command: Command,
    check: Callable[[Competition, Recipe], None],
    watcher: LineWatcher,
) -> Run | None:
    """Train there what `cross_validate` would train here; None after a dry run.

    Where the data lie here too, recipe, verdicts, folds and run name are settled here first, and the run must turn out as expected.

    check : refuses a recipe that does not fit the competition

    Raises
    ------
    UserError
        For whatever is wrong before anything is sent, and for all that goes wrong there.
    """
    if options.cluster:
        raise UserError("--on kaggle and --cluster: give one of them")
    sources = sources_of(competition, where.sample)
    known = settle(competition, asked, where, options, place, check, watcher)
    standing = options.out / "oof" / competition.slug / known.expected.run if known.expected.run else None
    if standing is not None and not options.fresh and _stands(standing, options):
        watcher.say(f"{standing}: these folds stand already; nothing is trained (--fresh would train them anew).")
        return load_run(standing)
    name, recipes = _recipe_there(known, asked)
    job = Job(
        competition=known.competition,
        module=command.module,
        words=(*command.there(competition.slug, name), "--resume"),
        recipes=recipes,
        files=_read_there(known, options, competition),
        accelerator=place.machine(),
        internet=from_hub(known.recipe, asked.recipe),
        hours=place.session_hours,
        sources=sources,
        expected=known.expected,
    )
    how = asked_for(place, command, options.out, options.fresh)
    path = play(job, RunResult(options.out, competition.slug, known.expected), how, watcher)
    return load_run(path) if path else None


def _stands(run: Path, options: Options) -> bool:
    """Whether the folds that are asked for stand here.

    Raises
    ------
    UserError
        If others of them do: a run there would begin anew.
    """
    folder = RunFolder(run)
    if not folder.started:
        return False
    k = _k(folder)
    wanted = options.folds or tuple(range(k))
    done = folder.done(k)
    if set(wanted) <= set(done) and folder.finished:
        return True
    if done:
        raise UserError(
            f"{run}: this run stands here with {len(done)} of {k} folds. On Kaggle it would begin anew: go on here (--resume, without --on), "
            "or train all of it there (--fresh)"
        )
    return False


def _k(folder: RunFolder) -> int:
    """How many folds a started run has."""
    return int(folder.environment()["folds"]["k"])


def _recipe_there(known: Known, asked: TrainedRecipe) -> tuple[str, dict[str, str]]:
    """The recipe's name there, and its file: as it lies here; of a built-in one as it was made for the data here."""
    path = recipe_path(known.competition.folder, asked.recipe)
    if path.is_file():
        return path.stem, {f"{path.stem}.toml": path.read_text(encoding="utf-8")}
    if known.recipe is None:
        return asked.recipe, {}
    return asked.recipe, {f"{asked.recipe}.toml": recipe_text(known.recipe)}


def _read_there(known: Known, options: Options, competition: Competition) -> dict[str, Path]:
    """Files below --out that the command reads: the verdicts, and the run whose pseudo-labels it learns from."""
    found = verdict_files(options.out, options.verdicts)
    if known.recipe is not None and known.recipe.pseudo is not None:
        found |= run_without_weights(options.out, competition.slug, known.recipe.pseudo.run)
    return found
