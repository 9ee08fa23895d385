"""Whether a recipe fits a task: looked at before anything is opened or trained."""

from __future__ import annotations

from harness.base.errors import UserError
from harness.competition.recipe import Recipe
from harness.competition.scoring.registry import NUMBERS
from harness.competition.tasks.task import Task


def check_fits(recipe: Recipe, task: Task) -> None:
    """Refuse what a recipe asks for that the task does not have.

    Raises
    ------
    UserError
        Names the key, the task and what it takes instead.
    """
    spec = recipe.train
    if spec.loss != "auto" and spec.loss not in task.losses:
        raise UserError(
            f"train.loss = '{spec.loss}': does not train task = '{task.name}' ({task.what}); write one of: auto, {', '.join(task.losses)}"
        )
    if task.of == NUMBERS:
        for key, plain in (("class_weights", "none"), ("label_smoothing", 0.0)):
            if getattr(spec, key) != plain:
                raise UserError(f"train.{key} = {getattr(spec, key)!r}: numbers have no classes; take it out")
        if recipe.pseudo:
            raise UserError(
                f"[pseudo]: takes test rows whose label a model is sure of, and a number has no probability (task = '{task.name}'). "
                "Take it out."
            )
    if recipe.predict.across_folds == "vote" and not task.votes:
        raise UserError(
            f"predict.across_folds = 'vote': models vote for a class, a label or a grade; task = '{task.name}' is {task.what}, and no two "
            "models say the same number. Take it out: their mean is taken."
        )
