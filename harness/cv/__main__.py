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
    from harness.cv.elsewhere.train import train_elsewhere
    from harness.cv.report.summary import again
    from harness.cv.request import Request, train
    from harness.kernels.command import Command

    asked = Request(recipe.on(where), where, folds, noise, nodes, out_root(out), again(), about)
    contest = find_competition(which.required())
    if place.check() and not recipe.show:
        with watching() as watcher:
            brought = train_elsewhere(contest, asked, place, Command.typed("harness.cv", which.competition), watcher)
        _tell(contest, brought, asked, as_json)
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
        print_result(contest, done.run, asked.where.sample, done.noisy)


if __name__ == "__main__":
    app()
