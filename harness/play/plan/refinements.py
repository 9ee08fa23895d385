"""The recipe that won, changed in one thing, from another seed, or learning from test rows too."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.competition.recipe import PseudoSpec, recipe_of
from harness.play.plan import changes
from harness.play.plan.candidate import Candidate, Values, without_none

_MOST_SEEDS = 5
_RESIZED, _LEAST_OF_RESIZED = ("larger", "wider", "narrower"), 0.6  # cost more an epoch, and are raced at the same cost


def refinements(winner: Recipe, facts: Facts, race: int, gained: Sequence[str] = ()) -> list[Candidate]:
    """Changes of one thing of the recipe that won: what matters most first.

    gained : names of candidates of the first race that were better than the baseline's network at the same cost; their changes come first
    """
    values = winner.model_dump(mode="json", exclude={"name", "description", "answers_to"})
    known: list[tuple[str, str, Callable[[Values], Values | None]]] = [
        ("turned", "images mirrored, or turned", lambda v: changes.turned(v, facts)),
        ("lr-up", "twice the learning rate", lambda v: changes.scaled_lr(v, 2.0)),
        ("lr-down", "half the learning rate", lambda v: changes.scaled_lr(v, 0.5)),
        ("harder", "half as much augmentation again", lambda v: changes.scaled_augmentation(v, 1.5)),
        ("gentler", "two thirds of the augmentation", lambda v: changes.scaled_augmentation(v, 0.66)),
        ("larger", "images a quarter larger", lambda v: changes.enlarged(v, facts, 1.25)),
        ("wider", "a network half as wide again", changes.widened),
        ("narrower", "a network half as wide, trained for longer", changes.narrowed),
        ("dropout", "three tenths of the features dropped", changes.dropped_out),
        ("decay", "three times the weight decay", lambda v: changes.scaled_decay(v, 3.0)),
        ("mixed", "images mixed (cutmix)", lambda v: changes.with_cutmix(v, facts)),
        ("adjusted", "logits adjusted instead of rare classes drawn more often", changes.adjusted),
    ]
    stem = winner.name.split("--")[0]
    if winner.model.name == "boosting":
        return []
    places = {name: place for place, name in enumerate(gained)}
    known.sort(key=lambda change: places.get(f"play-{change[0]}", len(places)))
    found = []
    for name, why, change in known:
        changed = change(copy.deepcopy(values))
        if changed is not None and changed != values:
            recipe = recipe_of(f"{stem}--{name}-{race}", without_none(changed), None, f"'{stem}', {why}")
            epochs = recipe.train.epochs
            least = math.ceil(_LEAST_OF_RESIZED * epochs) if name in _RESIZED else epochs
            found.append(Candidate(recipe, f"{winner.name} with {why}", least, epochs))
    return found


def another_seed(recipe: Recipe, number: int) -> Recipe:
    """The same recipe from another seed."""
    stem = recipe.name.split("--seed")[0]
    return recipe.model_copy(update={"seed": recipe.seed + number, "name": f"{stem}--seed-{number}"})


_LOOKS = (1.4, 0.7, 1.8, 0.5, 1.2)  # sides, over that of the recipe: the larger know more, all err on other rows
_MOST_LOOKED_AT = 384  # pixels


def side_of(recipe: Recipe) -> int:
    """Of the images that a pretrained network looks at; 0 = as they are."""
    return int(recipe.model.args.get("image_size", 0))


def in_layout(recipe: Recipe, layout: Mapping[str, Any]) -> Recipe:
    """The recipe with the precision and memory layout that a run of its network was found fastest with (`environment.json`), so that
    neither is timed anew."""
    chosen = {key: layout[key] for key in ("precision", "channels_last")}
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=chosen)})


def other_looks(recipe: Recipe, sides: Collection[int]) -> list[Recipe]:
    """A frozen network on images of other sizes, the most promising first; `sides` were looked at."""
    args, found = recipe.model.args, dict[int, Recipe]()
    stem, own = recipe.name.split("--look")[0], side_of(recipe)
    for times in _LOOKS:
        side = max(round(own * times / 32), 2) * 32
        if own and side not in sides and side <= _MOST_LOOKED_AT:
            model = recipe.model.model_copy(update={"args": {**args, "image_size": side}})
            found.setdefault(side, recipe.model_copy(update={"model": model, "name": f"{stem}--look-{side}"}))
    return list(found.values())


def more_seeds(recipe: Recipe, seeds: int) -> Recipe:
    """The same recipe with several seeds in one run, for a platform that takes the code of one run."""
    train = recipe.train.model_copy(update={"seeds": min(seeds, _MOST_SEEDS)})
    return recipe.model_copy(update={"train": train, "name": f"{recipe.name}--seeds-{train.seeds}"})


def with_pseudo(recipe: Recipe, run: str) -> Recipe:
    """The same recipe, learning from the test rows that a run is sure of."""
    return recipe.model_copy(update={"pseudo": PseudoSpec(run=run), "name": f"{recipe.name}--pseudo"})
