"""The rules by which built-in recipes are chosen. Each says what it looks at; tests go through them one by one.

They come from what was measured on the five competitions that the harness plays (benchmarks/RESULTS.md): a small residual network,
one cycle of AdamW, batches by the number of rows, an image size that the processor can pay, augmentation that never turns or mirrors
what the competition does not say may be turned.
"""

from __future__ import annotations

from typing import Any

from harness.base.errors import UserError
from harness.competition.builtin.facts import Facts
from harness.competition.scoring.registry import counts_classes_alike

NAMES = {
    "quick": "a small network, minutes on a CPU",
    "strong": "a wider network at a larger size, three times the images, views at prediction",
    "transfer": "a pretrained backbone, frozen; its head is trained",
    "finetune": "a pretrained backbone, all layers trained",
    "columns": "gradient-boosted trees on the columns beside the images, which they do not see",
}

ENOUGH_STEPS = 3_000
"""Below them half of a network's filters, for longer, learn more: on plankton, CIFAR-10 and digits at equal cost."""
_MOST_EPOCHS = 40
_LEAST_PRETRAINED = 32
"""Pixels: of smaller images, as of digits, a network from scratch learns as much in the same time."""


_FINETUNED_SIDE, _LEAST_FINETUNED_SIDE = 128, 96
"""Pixels; the lesser where time is short. Of images four times as large, fewer epochs fit in the same time, and less is learnt."""
_FINETUNED_STEPS = 750
_FEW_TO_FINETUNE = 4_000
"""Rows below which the early layers are better trained more slowly."""


def built_in(name: str, facts: Facts) -> dict[str, Any]:
    """The recipe of that name for these facts, as a recipe file has it.

    Raises
    ------
    UserError
        If it is of columns and there are none.
    """
    if name == "columns":
        return _columns(facts)
    if name == "transfer":
        return _transfer(facts)
    if name == "finetune":
        return _finetune(facts)
    strong = name == "strong"
    side = image_side(facts, strong)
    recipe: dict[str, Any] = {"description": _description(name, facts)}
    if side < facts.side:
        scale = side / facts.side
        recipe["data"] = {"size": [max(round(facts.height * scale), 8), max(round(facts.width * scale), 8)]}
    recipe["model"] = network(facts, side, strong)
    recipe["augment"] = augmentation(facts, side, strong)
    recipe["train"] = training(facts, side, strong)
    recipe["predict"] = {"tta": views(facts, strong)}
    recipe["cv"] = {"folds": folds(facts)}
    return recipe


def suits_pretrained(facts: Facts) -> bool:
    """Whether a pretrained network is where to begin: frozen it knows in a tenth of the time as much as one from scratch.

    Of grey images and of small ones too, since it looks at its levels (benchmarks/RESULTS.md). Not of places, which it knows worse in
    twice the time.
    """
    return bool(facts.weights) and facts.side >= _LEAST_PRETRAINED and not facts.places


def image_side(facts: Facts, strong: bool) -> int:
    """The longer side that is trained at: what a CPU can pay for so many rows; a GPU pays for twice as much."""
    many = facts.rows * (0.25 if facts.gpu else 1.0)
    affordable = 96 if many <= 3_000 else 64 if many <= 30_000 else 48 if many <= 100_000 else 32
    if strong:
        affordable = int(affordable * 1.5)
    return min(facts.side, max(int(affordable * facts.share), 24))


def network(facts: Facts, side: int, strong: bool) -> dict[str, Any]:
    """Below 16 pixels a plain network of two stages; above it a residual one, wider with more rows, pooling early where images are large.

    Half as wide where it could be trained for few steps only (`is_narrow`).
    """
    if min(facts.height, facts.width, side) < 16:
        return {
            "name": "cnn",
            "args": {"stages": [[32, 32], [64]], "batch_norm": True, "dense": [128], "dense_dropout": 0.3},
        }
    few = facts.rows < 2_000
    widths = [64, 128, 192] if few else [64, 128, 256]
    if strong and not few:
        widths = [96, 192, 384]
    filters = share_of_filters(facts, side, strong)
    args: dict[str, Any] = {
        "stem": max(int(32 * filters), 8),
        "widths": [max(int(width * filters), 8) for width in widths],
        "residuals": [1, 1, 1],
        "head": "average" if side >= 48 else "max",
    }
    if side >= 64 or (facts.share < 1 and side >= 24):  # a quarter of the work of what follows
        args |= {"stem_kernel": 5, "stem_pool": True}
    if few or strong:
        args["dropout"] = 0.2
    return {"name": "resnet", "args": args}


def augmentation(facts: Facts, side: int, strong: bool) -> dict[str, Any]:
    """A little of everything that keeps the label; flips and turns only where the competition says so; of places nothing that moves them."""
    small = min(facts.height, facts.width) < 16
    found: dict[str, Any] = {"fill": "edge"}
    if not facts.places:
        found |= {"rotation": 8.0 if small else 12.0, "shift": 0.08, "zoom": 0.1}
    sides = set() if facts.places else set(facts.symmetries)
    if "hflip" in sides:
        found["horizontal_flip"] = 0.5
    if "vflip" in sides:
        found["vertical_flip"] = 0.5
    if {"rot90", "rot180", "rot270"} <= sides and facts.height == facts.width:
        found["rotation"] = 180.0
        found["fill"] = "reflect"
    if side >= 24:
        found |= {"brightness": 0.2, "contrast": 0.2}
    if facts.channels == 3 and side >= 24:
        found["saturation"] = 0.2
    if strong and side >= 24:
        found |= {"erasing": 0.25, "erasing_area": [0.02, 0.15], "noise": 0.03, "untouched": 0.2}
    return found


def training(facts: Facts, side: int, strong: bool) -> dict[str, Any]:
    """Batches by the rows; as many epochs as a budget of pixels allows, within bounds; balance where the metric counts classes alike."""
    batch = batch_size(facts)
    epochs = natural_epochs(facts, side, strong) * (2 if is_narrow(facts, side, strong) else 1)
    found: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch,
        "optimizer": "adamw",
        "lr": 0.002 if batch == 32 else 0.004,
        "weight_decay": 0.05,
        "schedule": "one_cycle",
        "ema": 0.98 if facts.rows * epochs / batch < 2_000 else 0.995,
    }
    if facts.task in ("single", "binary") and not judged_by_probability(facts.metric):
        found["label_smoothing"] = 0.05
    return found | balance(facts)


def batch_size(facts: Facts) -> int:
    """Small batches where rows are few."""
    return 32 if facts.rows < 3_000 else 64 if facts.rows < 20_000 else 128


def natural_epochs(facts: Facts, side: int, strong: bool) -> int:
    """As many as a budget of pixels allows, within bounds, of a network with all its filters."""
    budget = (3e9 if strong else 1e9) * (10 if facts.gpu else 1)
    least, most = (8, 60) if strong else (4, _MOST_EPOCHS)
    return int(min(max(budget / max(side * side * facts.rows, 1), least), most))


def share_of_filters(facts: Facts, side: int, strong: bool) -> float:
    """What is left of them where steps are few or time is short."""
    return min(facts.filters, 0.5) if is_narrow(facts, side, strong) else facts.filters


def is_narrow(facts: Facts, side: int, strong: bool) -> bool:
    """Whether half the filters for twice as many epochs, which cost about the same, serve better (benchmarks/RESULTS.md, harness.play)."""
    epochs = natural_epochs(facts, side, strong)
    if strong or facts.gpu or 2 * epochs > _MOST_EPOCHS or min(facts.height, facts.width, side) < 16:
        return False
    return epochs * facts.rows * 0.8 / batch_size(facts) < ENOUGH_STEPS


UNEVEN = 5.0
"""Rows of the largest class over those of the smallest from which classes are unequal."""


def balance(facts: Facts) -> dict[str, Any]:
    """Keys of [train] where classes are unequal and the metric counts them alike: rare ones are drawn more often.

    By the square root: on plankton it brought both macro F1 and balanced accuracy, where equal shares, logit adjustment and class weights
    bring recall and cost precision.
    """
    if facts.task in ("single", "binary") and is_uneven(facts):
        return {"sampling": "sqrt"}
    return {}


def is_uneven(facts: Facts) -> bool:
    """Whether classes are unequal and the metric counts them alike."""
    return facts.imbalance >= UNEVEN and counts_classes_alike(facts.metric)


def why_uneven(facts: Facts) -> str:
    """The figures that say so."""
    return f"the largest class has {facts.imbalance:,.0f} times the rows of the smallest, and {facts.metric} counts classes alike"


def _description(name: str, facts: Facts) -> str:
    why = f"; rare classes are drawn more often ({why_uneven(facts)})" if balance(facts) else ""
    return f"Built in, {name}: {NAMES[name]}{why}"


def views(facts: Facts, strong: bool) -> list[str]:
    """The image itself and its declared mirror image; a strong recipe also turns it, where that is declared; of places itself alone."""
    turns = [s for s in facts.symmetries if (strong or s == "hflip") and not facts.places]
    square = facts.height == facts.width
    return ["identity", *(s for s in turns if square or s in ("hflip", "vflip", "rot180"))]


def folds(facts: Facts) -> int:
    """Five; three where a fold costs much."""
    return 3 if facts.rows > 60_000 and not facts.gpu else 5


def judged_by_probability(metric: str) -> bool:
    """Whether a metric judges probabilities, which smoothing would draw to the middle."""
    return any(part in metric for part in ("log_loss", "brier", "probabilistic", "cost"))


def _columns(facts: Facts) -> dict[str, Any]:
    """Trees with leaves of few rows where there are few rows; how many rounds is seen fold by fold."""
    if not facts.columns:
        raise UserError(
            "recipe 'columns': the competition names no columns beside its images. Name them: data.features in competition.toml, e.g. "
            '["age", "margin*", "image.height"]; or take another recipe: quick, strong, transfer, finetune.'
        )
    many = facts.outputs * facts.rows > 100_000  # a tree for each class in each round
    return {
        "description": f"Built in, columns: {NAMES['columns']}",
        "augment": {},
        "predict": {"tta": ["identity"]},
        "model": {
            "name": "boosting",
            "args": {"learning_rate": 0.2 if many else 0.05, "min_samples_leaf": 5 if facts.rows < 2_000 else 20},
        },
        "cv": {"folds": folds(facts)},
    }


def _transfer(facts: Facts) -> dict[str, Any]:
    """Features of a frozen backbone and of its levels at the size that its weights know, once for all folds; the weights that are at hand.

    Levels, a head that drops half, and small batches are what served best on X-rays, aerial scenes, blood cells, CIFAR-10 and plankton.
    """
    side = 224 if facts.side >= 192 and facts.rows < 10_000 else 160
    side = max(round(side * facts.share / 32), 2) * 32  # what such networks halve five times
    looks_twice = facts.rows < 20_000 and facts.share == 1
    args: dict[str, Any] = {"levels": True, "head": [256], "dropout": 0.5}
    batch = batch_size(facts)
    if facts.weights == "package":
        args |= {"backbone": "tf_efficientnet_lite0", "weights": "package", "image_size": side}
    else:
        args |= {
            "backbone": "convnext_tiny" if facts.gpu else "efficientnet_b0",
            "weights": "pretrained",
            "image_size": side,
        }
    return {
        "description": _description("transfer", facts),
        "model": {"name": "timm", "args": args},
        "features": {"views": 2 if looks_twice else 1},
        "augment": augmentation(facts, side, strong=False) if looks_twice else {},
        "train": {
            "epochs": 20,
            "batch_size": batch,
            "optimizer": "adamw",
            "lr": 0.001 if batch == 32 else 0.002,
            "weight_decay": 0.05,
            "schedule": "one_cycle",
            "seeds": 3 if batch == 32 and facts.share == 1 else 1,  # heads of few rows cost little
            **balance(facts),
        },
        "predict": {"tta": views(facts, strong=False) if facts.share == 1 else ["identity"]},
        "cv": {"folds": folds(facts)},
    }


def _finetune(facts: Facts) -> dict[str, Any]:
    """All layers of a pretrained network on images of 128 pixels, to which small ones are enlarged, for some 750 steps.

    Of sizes, epochs, learning rates, layer decays and frozen blocks these served best, each looked at by itself, on CIFAR-10, plankton and
    blood cells; aerial scenes gain a little at 224 pixels, for three times the time (benchmarks/RESULTS.md, "All layers of a pretrained network").
    """
    side = _FINETUNED_SIDE if facts.share == 1 else _LEAST_FINETUNED_SIDE
    recipe = built_in("quick", facts) | {"description": _description("finetune", facts)}
    recipe.pop("data", None)
    if side < facts.side:
        scale = side / facts.side
        recipe["data"] = {"size": [max(round(facts.height * scale), 16), max(round(facts.width * scale), 16)]}
    recipe["model"] = {
        "name": "timm",
        "args": {
            "backbone": "tf_efficientnet_lite0",
            "weights": "package" if facts.weights == "package" else "pretrained",
            "dropout": 0.3,
            "image_size": side,
        },
    }
    recipe["augment"] = augmentation(facts, side, strong=False)
    few = facts.rows < _FEW_TO_FINETUNE
    recipe["train"] |= {
        "epochs": round(min(max(_FINETUNED_STEPS * batch_size(facts) / (0.8 * max(facts.rows, 1)), 3), 10)),
        "lr": 0.002,
        "layer_decay": 0.9 if few else 1.0,
        "ema": 0.98,
    }
    return recipe
