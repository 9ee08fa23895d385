"""What limits us? Each rule looks at a figure, says what it saw, and names what may help; `candidates` goes by the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import balance, image_side, is_uneven, why_uneven
from harness.competition.tasks import Task

SHIFT, FEW_ROWS, IMBALANCE, SMALL_IMAGES, TIME = "shift", "few rows", "imbalance", "small images", "time"

_TOLD_APART = 0.65  # AUC of the domain classifier from which test images are another kind
_FALLS = 0.08  # of the score, under the camera mixes, from which a model only knows its own camera
_FEW = 3_000
_PLENTY = 16.0  # times the baseline's cost: below it no three recipes of different kind, twice to seven times as dear, can race


@dataclass(frozen=True)
class Limit:
    """What holds the score back.

    Attributes
    ----------
    name : one of the names above
    seen : the figure that says so
    cure : what is tried against it
    """

    name: str
    seen: str
    cure: str


@dataclass(frozen=True)
class Seen:
    """What the plan knows of data, machine and baseline.

    Attributes
    ----------
    facts : of data and machine
    budget : in units of the baseline's cost at its natural length
    shift : {"auc", "low"} of the domain classifier; None where there are no test images
    noise : the baseline's noise.json, or None
    hidden : whether the test is hidden
    """

    facts: Facts
    budget: float
    shift: dict[str, Any] | None = None
    noise: dict[str, Any] | None = None
    hidden: bool = False


def find_limits(seen: Seen) -> list[Limit]:
    """All rules that hold, the weightiest first."""
    rules = (_shift, _few_rows, _imbalance, _small_images, _time)
    return [limit for rule in rules if (limit := rule(seen))]


def is_safe_to_label(task: Task, recipe: Recipe, shift: dict[str, Any] | None, n_train: int, n_test: int) -> bool:
    """Whether pseudo-labels are worth a run: classes, enough test rows, and test images of the same kind as training images."""
    if not task.is_one_class or recipe.features or recipe.pseudo or n_test < 0.2 * n_train:
        return False
    return shift is not None and (shift["low"] <= 0.5 or shift["auc"] < _TOLD_APART)


def _shift(seen: Seen) -> Limit | None:
    cure = "augmentation against the corruptions that hurt most, on half of the images"
    if seen.shift and seen.shift["low"] > 0.5 and seen.shift["auc"] >= _TOLD_APART:
        return Limit(SHIFT, f"test images are told from training images (AUC {seen.shift['auc']:.2f})", cure)
    if seen.hidden and seen.noise:
        fall = abs(seen.noise["clean"]["score"] - seen.noise["camera"])
        if fall >= _FALLS:
            return Limit(SHIFT, f"the test is hidden, and another camera costs {fall:.3f}", cure)
    return None


def is_few(facts: Facts) -> bool:
    """Whether there are few training rows to learn from."""
    return facts.rows < _FEW


def _few_rows(seen: Seen) -> Limit | None:
    rows = seen.facts.rows
    if not is_few(seen.facts):
        return None
    if seen.facts.weights:
        return Limit(FEW_ROWS, f"{rows:,} training rows", "pretrained weights: frozen, and trained whole")
    return Limit(
        FEW_ROWS, f"{rows:,} training rows, and no pretrained weights at hand", "longer training, stronger augmentation"
    )


def _imbalance(seen: Seen) -> Limit | None:
    if not is_uneven(seen.facts):
        return None
    cure = "rare classes drawn more often" if balance(seen.facts) else "class weights"
    return Limit(IMBALANCE, why_uneven(seen.facts), cure)


def _small_images(seen: Seen) -> Limit | None:
    side = image_side(seen.facts, strong=False)
    if side >= seen.facts.side:
        return None
    return Limit(SMALL_IMAGES, f"the baseline sees {side} of {seen.facts.side} pixels", "larger images")


def _time(seen: Seen) -> Limit | None:
    if seen.budget >= _PLENTY:
        return None
    cure = "the baseline's network for longer, on larger or on turned images, before wider ones"
    if not seen.budget:
        return Limit(TIME, "timing a network from scratch would take much of what is left", cure)
    return Limit(TIME, f"the budget is {seen.budget:.1f} times the baseline's cost", cure)
