"""python -m harness.train preview COMPETITION --recipe R: a grid of what the model sees.

`python -m harness.data preview` is the same command.
"""

from __future__ import annotations

from typing import Annotated

import typer

from harness.base.command import OutOption, new_app, out_root, user_command
from harness.base.errors import UserError
from harness.base.option_groups import Without
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
    where: Annotated[DataOptions, Without("data_set", "skip_broken", "stream")],
    rows: Annotated[int, typer.Option(min=1, max=100, help="Images, the classes in turn.")] = 10,
    columns: Annotated[int, typer.Option(min=1, max=50, help="Augmentations of each.")] = 8,
    out: OutOption = None,
) -> None:
    """Write a grid of training images beside augmented ones, as the recipe's model sees them."""
    out = out_root(out)
    from harness.competition import find_competition, load_recipe
    from harness.data.dataset import load_dataset
    from harness.data.resize import open_resized, resize
    from harness.train import preview as pictures

    contest = find_competition(which.required())
    played = load_recipe(contest.folder, recipe.recipe, recipe.settings)
    if played.clusters:
        raise UserError(f"preview: recipe '{played.name}' has no augmentation to show: its images are seen as they are")
    dataset = load_dataset(contest.using(played.data), where.root, sample=where.sample)
    resize(dataset, played.data)
    contest, dataset = open_resized(dataset.competition or contest, dataset.cache, played.data)
    path = (
        out / "oof" / contest.slug / f"preview-{'sample-' if where.sample else ''}{played.name}-{played.digest()}.png"
    )
    pictures.preview(contest, played, dataset, path, rows, columns)
    print(f"data:    {dataset.source}")
    print(f"preview: {path}")


if __name__ == "__main__":
    app(prog_name="python -m harness.train")
