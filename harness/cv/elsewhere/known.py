"""What of a run can be settled here before it is trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.competition import Competition, Recipe, load_recipe
from harness.competition.recipe import PRETRAINED
from harness.cv.arguments import TrainedRecipe
from harness.cv.opening import open_run
from harness.cv.options import Options
from harness.cv.pseudo_labels import check_pseudo
from harness.data.chosen import load_chosen
from harness.data.dataset import is_there
from harness.data.recipes import is_built_in, load_built_in
from harness.kernels.job import Expected
from harness.kernels.options import KaggleOptions


@dataclass(frozen=True)
class Known:
    """What is known here of a run before it is trained; recipe : None where only the data tell it, and they are not here."""

    competition: Competition
    recipe: Recipe | None
    expected: Expected


def settle(
    competition: Competition,
    asked: TrainedRecipe,
    where: DataOptions,
    options: Options,
    place: KaggleOptions,
    check: Callable[[Competition, Recipe], None],
    watcher: LineWatcher,
) -> Known:
    """Settle here what can be settled here: without the data that is the recipe alone, where it has a file."""
    by_rule = is_built_in(competition, asked.recipe)
    recipe = None if by_rule else load_recipe(competition.folder, asked.recipe, asked.overrides)
    if recipe is not None:
        competition = competition.using(recipe.data)
        refuse_own_weights(recipe)
    if not (where.sample or is_there(competition, where.root)):
        watcher.say(f"the data of '{competition.slug}' do not lie here: names, folds and fingerprint are settled there")
        return Known(competition, recipe, Expected())
    if recipe is None:
        chosen = load_built_in(competition, asked.recipe, asked.overrides, where, watcher, elsewhere=place.has_gpu)
        competition, recipe, dataset = chosen.competition, chosen.recipe, chosen.dataset
        refuse_own_weights(recipe)
    else:
        competition, dataset = load_chosen(competition, where, watcher)
    check(competition, recipe)
    opened = open_run(competition, recipe, dataset, options, watcher)
    cleaned = opened.cleaning.digest if opened.cleaning else ""
    check_pseudo(recipe, opened.folder.path, opened.dataset, opened.folds, cleaned, competition.kind)
    return Known(competition, recipe, Expected(opened.folder.name, dataset.fingerprint, opened.folds.hash))


def refuse_own_weights(recipe: Recipe) -> None:
    """Refuse weights that the other machine has not (UserError)."""
    weights = str(recipe.model.args.get("weights", "scratch"))
    if weights == "package":
        raise UserError(
            f"recipe '{recipe.name}': weights = 'package' are not in Kaggle's image. There they come from the hub: --set "
            "model.args.weights=pretrained (with a backbone that timm has weights of)"
        )
    if weights not in ("scratch", "pretrained"):
        raise UserError(
            f"recipe '{recipe.name}': weights = '{weights}' is a file of this machine, and is not sent. Take weights = 'pretrained'"
        )


def from_hub(recipe: Recipe | None, name: str) -> bool:
    """Whether pretrained weights are fetched there; of a built-in recipe that is not made yet, its name tells."""
    if recipe is None:
        return name in PRETRAINED
    return bool(
        recipe.model.args.get("weights") == "pretrained" or (recipe.image and recipe.image.weights == "pretrained")
    )
