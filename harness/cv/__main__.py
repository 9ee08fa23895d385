"""python -m harness.cv COMPETITION: train a recipe on k folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.errors import UserError
from harness.base.options import CompetitionChoice, DataOptions
from harness.cv.arguments import ClusterOptions, FoldOptions, NoiseOptions, TrainedRecipe
from harness.kernels.options import KaggleOptions

if TYPE_CHECKING:
    from harness.competition import Competition, Recipe
    from harness.cv.options import Options

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    recipe: TrainedRecipe,
    where: DataOptions,
    folds: FoldOptions,
    noise: NoiseOptions,
    nodes: ClusterOptions,
    place: KaggleOptions,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a recipe: OOF and test probabilities, scores with intervals, a report.

    Writes oof/<slug>/<run>/. A run that was killed goes on with --resume and ends with the same numbers.
    """
    out = out_root(out)
    from harness.base.progress import watching
    from harness.competition import DataChoice, find_competition, load_recipe
    from harness.cv.jobs.executor import start_server
    from harness.cv.noise.job import noise_suite
    from harness.cv.pipeline import cross_validate
    from harness.cv.pseudo_labels import check_source
    from harness.cv.report.summary import again, as_dict, print_result
    from harness.data.chosen import load_chosen
    from harness.data.recipes import is_built_in, load_built_in, recipe_text
    from harness.data.resize import resize

    contest = find_competition(which.required())
    recipe = recipe.on(where)
    if place.check() and not recipe.show:
        _train_elsewhere(contest, which.competition, recipe, where, folds, noise, nodes, place, out, as_json)
        return
    by_rule = is_built_in(contest, recipe.recipe)
    played = None if by_rule else load_recipe(contest.folder, recipe.recipe, recipe.overrides)
    if played:
        contest = contest.using(played.data)
        _check_task(contest, played, noise.noise)
        if recipe.show:
            print(recipe_text(played), end="")
            return
        check_source(played, out / "oof" / contest.slug)
    folds.check(played.cv.folds if played else _most_folds(recipe))
    _check_hardware(folds.device, nodes)
    options = _options(contest, where.sample, folds, nodes, out)
    if folds.workers != 1 and not options.cluster:
        start_server()
    try:
        with watching(quiet=as_json) as watcher:
            if played:
                contest, dataset = load_chosen(contest, where, watcher)
            else:
                contest = contest.using(DataChoice(set=where.data_set))
                chosen = load_built_in(contest, recipe.recipe, recipe.overrides, where, watcher)
                contest, played, dataset = chosen.competition, chosen.recipe, chosen.dataset
                _check_task(contest, played, noise.noise)
                if recipe.show:
                    print(recipe_text(played), end="")
                    return
                folds.check(played.cv.folds)
            for note in resize(dataset, played.data, watcher.decoding):
                watcher.say(f"note: {note}")
            watcher.say(f"{contest.title}, recipe '{played.name}': {dataset.source}, fingerprint {dataset.fingerprint}")
            run = cross_validate(contest, played, dataset, options, watcher)
            noisy = noise_suite(contest, run, dataset, options, noise.noise_rows, watcher) if noise.noise else None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped. Finished folds are kept; go on with:\n  {again()}") from None
    if as_json:
        print(json.dumps(as_dict(run, noisy), indent=2))
    else:
        print_result(run, where.sample, noisy, contest.called)


def _train_elsewhere(
    contest: Competition,
    named: str | None,
    recipe: TrainedRecipe,
    where: DataOptions,
    folds: FoldOptions,
    noise: NoiseOptions,
    nodes: ClusterOptions,
    place: KaggleOptions,
    out: Path,
    as_json: bool,
) -> None:
    from harness.base.progress import watching
    from harness.base.storage.atomic_files import read_json
    from harness.cv.elsewhere.train import train_on_kaggle
    from harness.cv.report.summary import as_dict, print_result

    def check(contest: Competition, played: Recipe) -> None:
        _check_task(contest, played, noise.noise)

    options = _options(contest, where.sample, folds, nodes, out)
    with watching(quiet=as_json) as watcher:
        run = train_on_kaggle(contest, recipe, where, options, place, named, check, watcher)
    if run is None:
        return
    told = run.path / "noise.json"
    noisy = read_json(told) if noise.noise and told.is_file() else None
    if as_json:
        print(json.dumps(as_dict(run, noisy), indent=2))
    else:
        print_result(run, where.sample, noisy, contest.called)


def _options(contest: Competition, sample: bool, folds: FoldOptions, nodes: ClusterOptions, out: Path) -> Options:
    from harness.clean.verdicts import standing_verdicts
    from harness.cv.options import Options
    from harness.cv.report.summary import again
    from harness.distributed.executor import Cluster

    return Options(
        out=out.resolve() if nodes.cluster else out,
        folds=folds.numbers,
        resume=folds.resume,
        fresh=folds.fresh,
        workers=folds.workers,
        device=folds.device,
        verdicts=standing_verdicts(out, contest, sample) if folds.clean else None,
        cluster=Cluster(nodes.cluster, nodes.cpus_per_fold, nodes.gpus_per_fold) if nodes.cluster else None,
        command=again(),
    )


def _most_folds(recipe: TrainedRecipe) -> int:
    """So many folds a built-in recipe has at most, as far as that is known before the data are."""
    return 100 if any("folds" in setting for setting in recipe.overrides) else 5


def _check_hardware(device: str, nodes: ClusterOptions) -> None:
    """Refuse a GPU that was named and is not here, before data are read; a cluster's nodes have their own."""
    if device not in ("auto", "cpu") and not nodes.cluster:
        from harness.train.precision import usable_device

        usable_device(device)


def _check_task(contest: Competition, played: Recipe, noise: bool) -> None:
    from harness.competition.recipe import BOOSTING

    if contest.is_clustering and not played.clusters:
        raise UserError(f"recipe '{played.name}': '{contest.slug}' has no labels; the recipe needs a table [clusters]")
    if played.clusters and not contest.is_clustering:
        raise UserError(
            f"recipe '{played.name}': [clusters] is for competitions without labels; '{contest.slug}' has them"
        )
    if noise and played.model.name == BOOSTING:
        raise UserError("--noise: spoils images; model.name = 'boosting' sees columns. Leave it out")
    if noise and played.clusters:
        raise UserError("--noise: is for labelled images; it does not go with [clusters]")


if __name__ == "__main__":
    app()
