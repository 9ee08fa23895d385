"""Whether a recipe fits a task: looked at before anything is opened or trained."""

from __future__ import annotations

from harness.base.errors import UserError
from harness.base.python import registered
from harness.competition.recipe import BOOSTING, Recipe
from harness.competition.scoring.registry import LABELS, NUMBERS
from harness.competition.tasks.task import Task


def check_fits(recipe: Recipe, task: Task) -> None:
    """Refuse what a recipe asks for that the task does not have.

    Raises
    ------
    UserError
        Names the key, the task and what it takes instead.
    """
    spec = recipe.train
    own = registered.find("loss", spec.loss)
    if own and (spec.class_weights != "none" or spec.label_smoothing):
        key = "class_weights" if spec.class_weights != "none" else "label_smoothing"
        raise UserError(f"train.{key}: train.loss = '{spec.loss}' is your own, and does not know of it; take it out")
    if spec.loss != "auto" and spec.loss not in task.losses and not own:
        raise UserError(
            f"train.loss = '{spec.loss}': does not train task = '{task.name}' ({task.what}); write one of: auto, {', '.join(task.losses)}"
        )
    if task.of == NUMBERS:
        for key, plain in (
            ("class_weights", "none"),
            ("label_smoothing", 0.0),
            ("sampling", "uniform"),
            ("logit_adjustment", 0.0),
        ):
            if getattr(spec, key) != plain:
                raise UserError(f"train.{key} = {getattr(spec, key)!r}: numbers have no classes; take it out")
        if recipe.pseudo:
            raise UserError(
                f"[pseudo]: takes test rows whose label a model is sure of, and a number has no probability (task = '{task.name}'). "
                "Take it out."
            )
    if spec.balances and task.of != NUMBERS:
        _check_balance(recipe, task)
    if recipe.predict.across_folds == "vote" and not task.votes:
        raise UserError(
            f"predict.across_folds = 'vote': models vote for a class, a label or a grade; task = '{task.name}' is {task.what}, and no two "
            "models say the same number. Take it out: their mean is taken."
        )


_OF_EXPECTED_GRADE = ("mse", "mae", "huber")


def _check_balance(recipe: Recipe, task: Task) -> None:
    spec = recipe.train
    key = f"train.sampling = '{spec.sampling}'" if spec.sampling != "uniform" else ""
    key = key or f"train.logit_adjustment = {spec.logit_adjustment:g}"
    if task.of == LABELS:
        raise UserError(
            f"{key}: is for rows of one class, and those of task = '{task.name}' have several labels, each with a threshold that is found on OOF. "
            "Take it out; train.class_weights = 'balanced' lets a label's presence count as much as its absence."
        )
    if recipe.model.name == BOOSTING:
        raise UserError(f"{key}: is for networks; model.name = '{BOOSTING}' learns from all rows alike. Take it out.")
    if spec.logit_adjustment and spec.loss in _OF_EXPECTED_GRADE:
        raise UserError(
            f"train.logit_adjustment = {spec.logit_adjustment:g}: is for losses of classes' probabilities, and train.loss = '{spec.loss}' is of "
            "the expected grade. Take it out, or take train.loss = 'cross_entropy'; train.sampling goes with any loss."
        )
