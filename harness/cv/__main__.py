"""python -m harness.cv COMPETITION: train a recipe on k folds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.options import CompetitionChoice, DataOptions
from harness.cv.arguments import ClusterOptions, FoldOptions, LabelOptions, NoiseOptions, TrainedRecipe
from harness.kernels.options import KaggleOptions

if TYPE_CHECKING:
    from harness.competition import Competition, Recipe
    from harness.cv.request import Outcome, Request

app = new_app()


@app.command()
@user_command
def main(
    which: CompetitionChoice,
    recipe: TrainedRecipe,
    where: DataOptions,
    folds: FoldOptions,
    about: LabelOptions,
    noise: NoiseOptions,
    nodes: ClusterOptions,
    place: KaggleOptions,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a recipe: OOF and test probabilities, scores with intervals, a report.

    Writes oof/<slug>/<run>/. A run that was killed goes on with --resume and ends with the same numbers.
    """
    from harness.base.progress import watching
    from harness.competition import find_competition
    from harness.cv.report.summary import again
    from harness.cv.request import Request, train

    asked = Request(recipe.on(where), where, folds, noise, nodes, out_root(out), again(), about)
    contest = find_competition(which.required())
    if place.check() and not recipe.show:
        _tell(contest, _train_elsewhere(contest, which.competition, asked, place, as_json), asked, as_json)
        return
    try:
        with watching() as watcher:
            done = train(contest, asked, watcher, _show if recipe.show else None)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped. Finished folds are kept; go on with:\n  {again()}") from None
    _tell(contest, done, asked, as_json)


def _show(recipe: Recipe) -> None:
    from harness.data.recipes import recipe_text

    print(recipe_text(recipe), end="")


def _tell(contest: Competition, done: Outcome | None, asked: Request, as_json: bool) -> None:
    from harness.cv.report.summary import as_dict, print_result

    if done is None:
        return
    if as_json:
        print(json.dumps(as_dict(done.run, done.noisy), indent=2))
    else:
        print_result(done.run, asked.where.sample, done.noisy, contest.called)


def _train_elsewhere(
    contest: Competition, named: str | None, asked: Request, place: KaggleOptions, as_json: bool
) -> Outcome | None:
    from harness.base.progress import watching
    from harness.base.storage.atomic_files import read_json
    from harness.cv.elsewhere.train import train_on_kaggle
    from harness.cv.request import Outcome, check_task, options_of
    from harness.cv.tracking import tracked
    from harness.runs import RunFolder

    def check(contest: Competition, played: Recipe) -> None:
        check_task(contest, played, asked.noise.noise)

    options = options_of(contest, asked)
    with watching() as watcher:
        run = train_on_kaggle(contest, asked.recipe, asked.where, options, place, named, check, watcher)
    if run is None:
        return None
    options.label.write(run.path)
    with tracked(options.log, RunFolder(run.path), [f["fold"] for f in run.scores["folds"]], watcher.say):
        pass  # nothing is to be waited for: it is told what came back
    told = run.path / "noise.json"
    return Outcome(run, read_json(told) if asked.noise.noise and told.is_file() else None)


if __name__ == "__main__":
    app()
