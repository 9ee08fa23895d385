"""python -m harness.data preview COMPETITION --recipe R: a grid of what the model sees.

`python -m harness.train preview` is the same command.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.base.command import JsonOption, OutOption, new_app, out_root, user_command
from harness.base.errors import UserError
from harness.base.options import CompetitionChoice, DataOptions, RecipeChoice

app = new_app(no_args_is_help=True)


@app.callback()
def main() -> None:
    """What training does to the images; to train, see harness.cv."""


@app.command()
@user_command
def preview(
    which: CompetitionChoice,
    recipe: RecipeChoice,
    where: DataOptions,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Images, the classes in turn.")] = 10,
    columns: Annotated[int, typer.Option(min=1, max=50, help="Augmentations of each.")] = 8,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a grid of training images beside augmented ones, as the recipe's model sees them."""
    out = out_root(out)
    from harness.base.progress import watching
    from harness.competition import DataChoice, find_competition, load_recipe
    from harness.data.chosen import load_chosen
    from harness.data.recipes import is_built_in, load_built_in
    from harness.data.resize import open_resized, resize
    from harness.train import preview as pictures

    contest = find_competition(which.required())
    by_rule, settings = is_built_in(contest, recipe.recipe), [*(recipe.settings or []), *where.settings]
    played = None if by_rule else load_recipe(contest.folder, recipe.recipe, settings)
    if played and played.clusters:
        raise UserError(f"preview: recipe '{played.name}' has no augmentation to show: its images are seen as they are")
    with watching() as watcher:
        if played:
            contest, dataset = load_chosen(contest.using(played.data), where, watcher)
        else:
            contest = contest.using(DataChoice(set=where.data_set))
            made = load_built_in(contest, recipe.recipe, settings, where, watcher)
            contest, played, dataset = made.competition, made.recipe, made.dataset
        resize(dataset, played.data, watcher.decoding)
    contest, dataset = open_resized(dataset.competition or contest, dataset.cache, played.data)
    path = (
        out / "oof" / contest.slug / f"preview-{'sample-' if where.sample else ''}{played.name}-{played.digest()}.png"
    )
    pictures.preview(contest, played, dataset, path, rows, columns)
    if as_json:
        print(json.dumps({"path": str(path), "data": dataset.source, "recipe": played.name}, indent=2))
        return
    print(f"data:    {dataset.source}")
    print(f"preview: {path}")


if __name__ == "__main__":
    app(prog_name="python -m harness.data")
