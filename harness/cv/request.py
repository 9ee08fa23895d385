"""From what is asked to a finished run: the recipe found, the data opened, the folds trained, the noise suite run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.competition import Competition, DataChoice, Recipe
from harness.competition.recipe import BOOSTING, PRETRAINED, load_recipe
from harness.competition.tasks.fitting import check_fits
from harness.cv.arguments import ClusterOptions, FoldOptions, LabelOptions, NoiseOptions, TrainedRecipe
from harness.cv.options import Options
from harness.data.recipes import Played
from harness.runs import Run


@dataclass(frozen=True)
class Request:
    """What is asked for, as the options of harness.cv group it.

    Attributes
    ----------
    out : folder that oof/ is written under
    command : what a user does to go on with the run, in words; "" = not known
    about : what the run is called, and who is told of it
    """

    recipe: TrainedRecipe
    where: DataOptions
    folds: FoldOptions
    noise: NoiseOptions
    nodes: ClusterOptions
    out: Path
    command: str = ""
    about: LabelOptions = field(default_factory=LabelOptions)


@dataclass(frozen=True)
class Outcome:
    """A finished run, and what the noise suite found (noise.json), where it was asked for."""

    run: Run
    noisy: dict[str, Any] | None


def train(
    contest: Competition,
    asked: Request,
    watcher: LineWatcher,
    instead: Callable[[Recipe], None] | None = None,
) -> Outcome | None:
    """Cross-validate a recipe as it was asked for, then hold the run against the noise suite if that was asked for.

    instead : told the recipe as soon as it is known, in place of the training

    Returns
    -------
    The run; None where there was something `instead`.

    Raises
    ------
    UserError
        For whatever the user can put right; folds that were finished stay.
    """
    from harness.cv.jobs.executor import start_server
    from harness.cv.pseudo_labels import check_source

    contest, recipe = recipe_of_file(contest, asked)
    if recipe is not None and instead is not None:
        instead(recipe)
        return None
    if recipe is not None:
        check_fits(recipe, contest.kind)
        check_source(recipe, asked.out / "oof" / contest.slug)
    asked.folds.check(recipe.cv.folds if recipe else _most_folds(asked.recipe))
    _check_hardware(asked.folds.device, asked.nodes)
    options = options_of(contest, asked)
    if asked.folds.workers != 1 and not options.cluster and instead is None:
        start_server(recipe.model.name == "timm" if recipe else asked.recipe.recipe in PRETRAINED)
    played = _with_data(contest, recipe, asked, watcher)
    if instead is not None:
        instead(played.recipe)
        return None
    asked.folds.check(played.recipe.cv.folds)
    return _train(played, asked, options, watcher)


def _train(played: Played, asked: Request, options: Options, watcher: LineWatcher) -> Outcome:
    from harness.cv.noise.job import noise_suite
    from harness.cv.pipeline import cross_validate
    from harness.data.resize import resize

    contest, recipe, dataset = played.competition, played.recipe, played.dataset
    for note in resize(dataset, recipe.data, watcher.decoding):
        watcher.say(f"note: {note}")
    watcher.say(f"{contest.title}, recipe '{recipe.name}': {dataset.source}, fingerprint {dataset.fingerprint}")
    run = cross_validate(contest, recipe, dataset, options, watcher)
    rows = asked.noise.noise_rows
    return Outcome(run, noise_suite(contest, run, dataset, options, rows, watcher) if asked.noise.noise else None)


def _most_folds(recipe: TrainedRecipe) -> int:
    """So many folds a built-in recipe has at most, as far as that is known before the data are."""
    return 100 if any("folds" in setting for setting in recipe.overrides) else 5


def _check_hardware(device: str, nodes: ClusterOptions) -> None:
    """Refuse a GPU that was named and is not here, before data are read; a cluster's nodes have their own."""
    if device not in ("auto", "cpu") and not nodes.cluster:
        from harness.train.precision import usable_device

        usable_device(device)


def recipe_of_file(contest: Competition, asked: Request) -> tuple[Competition, Recipe | None]:
    """The competition's own recipe, and the competition on the data set that it chose; None for a built-in one, which needs data.

    Raises
    ------
    UserError
        If there is no such recipe, or it does not fit the competition.
    """
    from harness.data.recipes import is_built_in

    if is_built_in(contest, asked.recipe.recipe):
        return contest, None
    recipe = load_recipe(contest.folder, asked.recipe.recipe, asked.recipe.overrides)
    contest = contest.using(recipe.data)
    check_task(contest, recipe, asked.noise.noise)
    return contest, recipe


def _with_data(contest: Competition, recipe: Recipe | None, asked: Request, watcher: LineWatcher) -> Played:
    """The recipe with its data; a built-in one is made for them."""
    from harness.data.chosen import load_chosen
    from harness.data.recipes import load_built_in

    if recipe is not None:
        contest, dataset = load_chosen(contest, asked.where, watcher)
        return Played(contest, recipe, dataset)
    contest = contest.using(DataChoice(set=asked.where.data_set))
    played = load_built_in(contest, asked.recipe.recipe, asked.recipe.overrides, asked.where, watcher)
    check_task(played.competition, played.recipe, asked.noise.noise)
    return played


def options_of(contest: Competition, asked: Request) -> Options:
    """How the folds are trained, by what was asked for; verdicts are those that stand."""
    from harness.clean.verdicts import standing_verdicts
    from harness.cv.tracking.tracker import check_tracker
    from harness.distributed.executor import Cluster

    if asked.about.log:
        check_tracker(asked.about.log)
    folds, nodes = asked.folds, asked.nodes
    return Options(
        out=asked.out.resolve() if nodes.cluster else asked.out,
        folds=folds.numbers,
        resume=folds.resume,
        fresh=folds.fresh,
        workers=folds.workers,
        device=folds.device,
        verdicts=standing_verdicts(asked.out, contest, asked.where.sample) if folds.clean else None,
        cluster=Cluster(nodes.cluster, nodes.cpus_per_fold, nodes.gpus_per_fold) if nodes.cluster else None,
        command=asked.command,
        label=asked.about.label,
        log=asked.about.log,
    )


def check_task(contest: Competition, recipe: Recipe, noise: bool) -> None:
    """Refuse a recipe that does not fit the competition, and a noise suite that does not fit the recipe (UserError)."""
    if contest.is_clustering and not recipe.clusters:
        raise UserError(f"recipe '{recipe.name}': '{contest.slug}' has no labels; the recipe needs a table [clusters]")
    if recipe.clusters and not contest.is_clustering:
        raise UserError(
            f"recipe '{recipe.name}': [clusters] is for competitions without labels; '{contest.slug}' has them"
        )
    if noise and recipe.model.name == BOOSTING:
        raise UserError("--noise: spoils images; model.name = 'boosting' sees columns. Leave it out")
    if noise and recipe.clusters:
        raise UserError("--noise: is for labelled images; it does not go with [clusters]")
