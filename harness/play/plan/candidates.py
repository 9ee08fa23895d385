"""Which recipes to try next: built-in ones of different kind, then changes of the one that won. Each says why."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in
from harness.competition.recipe import PseudoSpec, recipe_of
from harness.play.plan.limits import FEW_ROWS, IMBALANCE, SHIFT, TIME, Limit, is_few

Values = dict[str, Any]
Maker = Callable[["Facts"], "Candidate | None"]
"""Makes a candidate of the facts; None where it is of no use to them."""

_MOST_SEEDS = 5
_LEAST_PRETRAINED = 64  # pixels

AGAINST: dict[str, Values] = {
    "white_noise": {"noise": 0.1},
    "blur": {"blur": 1.4},
    "brightness": {"brightness": 0.35},
    "contrast": {"contrast": 0.5},
    "saturation": {"saturation": 0.5},
    "hue": {"hue": 0.05, "channel_shift": 0.1},
    "jpeg": {"jpeg": 0.8},
    "occlusion": {"erasing": 0.3, "erasing_area": [0.02, 0.12]},
    "camera": {"brightness": 0.35, "contrast": 0.5, "noise": 0.1, "blur": 1.4},
    "handheld": {"blur": 1.4, "jpeg": 0.8, "brightness": 0.35},
}
"""Augmentation against a corruption of the noise suite, as measured on the blood cells (benchmarks/RESULTS.md)."""


@dataclass(frozen=True)
class Candidate:
    """A recipe that may help.

    Attributes
    ----------
    recipe : in full, with its natural number of epochs
    why : in words
    least, most : epochs that it is worth training for
    """

    recipe: Recipe
    why: str
    least: int
    most: int

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name


def baseline(facts: Facts, pretrained: bool = False) -> Candidate:
    """The built-in `quick`; or `transfer`, where a pretrained network, frozen, is where to begin."""
    if pretrained and (frozen := _frozen(facts)):
        return dataclasses.replace(frozen, why="a baseline: a pretrained network, frozen, is sooner of use")
    return _candidate("play-quick", built_in("quick", facts), "a baseline: what everything else is held against")


def begins_pretrained(facts: Facts) -> bool:
    """Whether there are too few rows for a network from scratch to be the baseline, and pretrained weights at hand."""
    return bool(facts.weights) and is_few(facts) and facts.side >= _LEAST_PRETRAINED


def may_begin_pretrained(facts: Facts) -> bool:
    """Whether a pretrained network may be the baseline, where the budget is too short for one from scratch."""
    return bool(facts.weights) and are_photographs(facts)


def first_race(facts: Facts, limits: Iterable[Limit], noise: Values | None, trained: int = 0) -> list[Candidate]:
    """Recipes of different kind, the most promising first; where time is short, those that a short training serves best.

    trained : epochs of the baseline, which what is to be trained for longer must exceed
    """
    found = {limit.name for limit in limits}
    longer = functools.partial(_longer, trained=trained)
    makers: list[Maker] = [_strong, functools.partial(_turned, of="strong"), longer, _mixed, _larger, _gentle]
    if TIME in found:
        makers = [longer, functools.partial(_turned, of="quick", trained=trained), _wider, _larger, _strong, _gentle]
    pretrained: list[Maker] = [_frozen, _finetuned]
    if FEW_ROWS in found or (TIME in found and are_photographs(facts)):
        makers = [*pretrained, *makers]
    elif are_photographs(facts):
        makers = [makers[0], *pretrained, *makers[1:]]
    candidates = [made for make in [_trees, *makers] if (made := make(facts))]
    if IMBALANCE in found:
        candidates = [_changed(c, _balanced) for c in candidates]
    if SHIFT in found and noise:
        candidates = [_changed(c, lambda values: _hardened(values, noise, facts.channels == 3)) for c in candidates]
    return candidates


def refinements(winner: Recipe, facts: Facts, race: int) -> list[Candidate]:
    """Changes of one thing of the recipe that won: what matters most first."""
    values = winner.model_dump(mode="json", exclude={"name", "description", "answers_to"})
    changes: list[tuple[str, str, Callable[[Values], Values | None]]] = [
        ("turned", "images mirrored, or turned", lambda v: _turned_too(v, facts)),
        ("lr-up", "twice the learning rate", lambda v: _scaled_lr(v, 2.0)),
        ("lr-down", "half the learning rate", lambda v: _scaled_lr(v, 0.5)),
        ("harder", "half as much augmentation again", lambda v: _scaled_augmentation(v, 1.5)),
        ("gentler", "two thirds of the augmentation", lambda v: _scaled_augmentation(v, 0.66)),
        ("larger", "images a quarter larger", lambda v: _enlarged(v, facts, 1.25)),
        ("wider", "a network half as wide again", _widened),
        ("decay", "three times the weight decay", lambda v: _scaled_decay(v, 3.0)),
        ("mixed", "images mixed (cutmix)", _with_cutmix),
        ("adjusted", "logits adjusted instead of rare classes drawn more often", _adjusted),
    ]
    stem = winner.name.split("--")[0]
    if winner.model.name == "boosting":
        return []
    found = []
    for name, why, change in changes:
        changed = change(copy.deepcopy(values))
        if changed is not None and changed != values:
            epochs = winner.train.epochs
            recipe = recipe_of(f"{stem}--{name}-{race}", _clean(changed), None, f"'{stem}', {why}")
            found.append(Candidate(recipe, f"{winner.name} with {why}", epochs, epochs))
    return found


def another_seed(recipe: Recipe, number: int) -> Recipe:
    """The same recipe from another seed."""
    stem = recipe.name.split("--seed")[0]
    return recipe.model_copy(update={"seed": recipe.seed + number, "name": f"{stem}--seed-{number}"})


def more_seeds(recipe: Recipe, seeds: int) -> Recipe:
    """The same recipe with several seeds in one run, for a platform that takes the code of one run."""
    train = recipe.train.model_copy(update={"seeds": min(seeds, _MOST_SEEDS)})
    return recipe.model_copy(update={"train": train, "name": f"{recipe.name}--seeds-{train.seeds}"})


def with_pseudo(recipe: Recipe, run: str) -> Recipe:
    """The same recipe, learning from the test rows that a run is sure of."""
    return recipe.model_copy(update={"pseudo": PseudoSpec(run=run), "name": f"{recipe.name}--pseudo"})


def on_data_set(recipe: Recipe, name: str) -> Recipe:
    """The recipe on one of the competition's data sets, so that it trains the same wherever it is played; "" = its own [data]."""
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"set": name})})


def _candidate(name: str, values: Values, why: str) -> Candidate:
    recipe = recipe_of(name, _clean(values), None, f"the plan's recipe '{name}'")
    epochs = recipe.train.epochs
    return Candidate(recipe, why, max(3, epochs // 4), min(max(3 * epochs, 20), 150))


def _clean(values: Values) -> Values:
    """Without what is None: a recipe file has no such value."""
    return {
        key: _clean(value) if isinstance(value, dict) else value for key, value in values.items() if value is not None
    }


def _trees(facts: Facts) -> Candidate | None:
    """Trees on the columns: cheap, and wrong on other rows than what sees the images."""
    if not facts.columns:
        return None
    values = built_in("columns", facts)
    recipe = recipe_of("play-columns", _clean(values), None, "the plan's recipe 'play-columns'")
    return Candidate(recipe, "trees on the columns beside the images", recipe.train.epochs, recipe.train.epochs)


def _strong(facts: Facts) -> Candidate:
    return _candidate("play-strong", built_in("strong", facts), "a wider network at a larger size, more views")


def _longer(facts: Facts, trained: int) -> Candidate:
    """The baseline's network, given what a short training lacks: epochs."""
    found = _candidate("play-longer", built_in("quick", facts), "the baseline's network, trained for longer")
    return _lengthened(found, trained)


def _lengthened(candidate: Candidate, trained: int) -> Candidate:
    """Twice as long by nature, and a quarter longer than what was trained at least."""
    epochs = 2 * candidate.recipe.train.epochs
    train = candidate.recipe.train.model_copy(update={"epochs": epochs})
    recipe = candidate.recipe.model_copy(update={"train": train})
    most = max(candidate.most, epochs)
    return Candidate(recipe, candidate.why, min(max(candidate.least, -(-5 * trained // 4)), most), most)


def _turned(facts: Facts, of: str, trained: int = 0) -> Candidate | None:
    """A recipe on images mirrored, or mirrored and turned, where that may keep the label and competition.toml does not say so."""
    symmetries = _more_symmetries(facts)
    if symmetries is None:
        return None
    name, why = ("mirrored", "mirrored") if len(symmetries) == 1 else ("turned", "mirrored and turned")
    values = built_in(of, dataclasses.replace(facts, symmetries=symmetries))
    found = _candidate(f"play-{name}", values, f"images {why}: their nearest neighbours have the label still")
    return _lengthened(found, trained) if of == "quick" else found


def _more_symmetries(facts: Facts) -> tuple[str, ...] | None:
    """Those declared and those that are plausible; None where none is new. Turns only together with both mirror images."""
    halves = tuple(name for name in facts.plausible if name != "rot90")
    found = halves if len(halves) == 3 else tuple(name for name in halves if name == "hflip")
    if len(halves) == 3 and "rot90" in facts.plausible and facts.height == facts.width:
        found = (*found, "rot90", "rot270")
    together = tuple(dict.fromkeys((*facts.symmetries, *found)))
    return together if len(together) > len(facts.symmetries) else None


def _mixed(facts: Facts) -> Candidate | None:
    """Cutmix and automatic augmentation: what brought most on CIFAR-10 from scratch; of photographs only."""
    if facts.task not in ("single", "binary") or facts.channels != 3 or facts.side < 24:
        return None
    values = built_in("strong", facts)
    sides = {key: values["augment"][key] for key in ("horizontal_flip", "vertical_flip") if key in values["augment"]}
    values["augment"] = {
        "fill": "reflect",
        **sides,
        "shift": 0.1,
        "randaugment": {"operations": 2, "magnitude": 0.4},
        "cutout": 0.25,
        "cutmix": 1.0,
        "mix_probability": 0.4,
    }
    if facts.side <= 48:
        values["model"]["args"]["head"] = "max"
    return _candidate(
        "play-mixed", values, "images cut and mixed, automatic augmentation: a network that cannot memorise"
    )


def _larger(facts: Facts) -> Candidate | None:
    """At a size that more rows or less time forbade; with as many epochs as the rules give it there."""
    if facts.share < 1:
        values = built_in("quick", dataclasses.replace(facts, share=min(1.5 * facts.share, 1.0)))
        return _candidate("play-larger", values, "the baseline's network on larger images")
    values = built_in("quick", facts)
    enlarged = _enlarged(values, facts, 1.5)
    return None if enlarged is None else _candidate("play-larger", enlarged, "the baseline's network on larger images")


def _wider(facts: Facts) -> Candidate | None:
    """With the filters that less time forbade."""
    if facts.filters >= 1:
        return None
    values = built_in("quick", dataclasses.replace(facts, filters=min(2 * facts.filters, 1.0)))
    return _candidate("play-wider", values, "the baseline's network, twice as wide")


def _gentle(facts: Facts) -> Candidate:
    """The plain network with more depth, the other kind that errs on other rows."""
    values = built_in("quick", facts)
    small = facts.side < 40 and "data" not in values
    if small:
        values["model"] = {
            "name": "cnn",
            "args": {
                "stages": [[24, 48], [72, 72], [144, 144]],
                "batch_norm": True,
                "pool_first": True,
                "pool_last": False,
                "head": "max",
                "dense_dropout": 0.3,
            },
        }
        values["augment"] |= {"shear": 8.0}
        return _candidate("play-plain", values, "a plain deep network instead of a residual one: it errs on other rows")
    args = values["model"]["args"]
    if "residuals" in args:
        args["residuals"] = [2] * len(args["residuals"])
    return _candidate("play-deeper", values, "a network twice as deep")


def are_photographs(facts: Facts) -> bool:
    """Whether ImageNet's weights know such images: colours, and more than an icon's pixels."""
    return facts.channels == 3 and facts.side >= _LEAST_PRETRAINED


def _frozen(facts: Facts) -> Candidate | None:
    if not facts.weights or facts.side < 32:
        return None
    return _candidate("play-frozen", built_in("transfer", facts), "a pretrained network, frozen: its head costs little")


def _finetuned(facts: Facts) -> Candidate | None:
    """All layers of a pretrained network, as on the X-rays (benchmarks/RESULTS.md)."""
    if not facts.weights or facts.side < 32:
        return None
    values = built_in("quick", facts)
    side = min(facts.side, 128 if facts.rows < 8_000 else 96)
    if side < facts.side:
        scale = side / facts.side
        values["data"] = {"size": [max(round(facts.height * scale), 16), max(round(facts.width * scale), 16)]}
    values["model"] = {
        "name": "timm",
        "args": {
            "backbone": "tf_efficientnet_lite0",
            "weights": "package" if facts.weights == "package" else "pretrained",
            "dropout": 0.3,
            "image_size": max(64, side),
        },
    }
    values["train"] |= {"epochs": 10, "batch_size": 32, "lr": 0.001, "layer_decay": 0.85}
    return _candidate("play-finetuned", values, "a pretrained network, all layers trained, the early ones slower")


def _changed(candidate: Candidate, change: Callable[[Values], Values | None]) -> Candidate:
    values = candidate.recipe.model_dump(mode="json", exclude={"name", "answers_to"})
    changed = change(values)
    if changed is None:
        return candidate
    recipe = recipe_of(candidate.name, _clean(changed), None, f"the plan's recipe '{candidate.name}'")
    return Candidate(recipe, candidate.why, candidate.least, candidate.most)


def _balanced(values: Values) -> Values | None:
    """Class weights, where the built-in rule did not let rare classes be drawn more often."""
    if values["model"]["name"] == "boosting" or values["train"].get("sampling", "uniform") != "uniform":
        return None
    values["train"]["class_weights"] = "effective"
    return values


def _hardened(values: Values, noise: Values, coloured: bool) -> Values | None:
    """Augmented against the corruptions under which the baseline falls most, half of the images left as they are."""
    if values.get("features") or values["model"]["name"] == "boosting":
        return None
    sign = 1 if noise["greater_is_better"] else -1
    falls = {
        name: sign * (noise["clean"]["score"] - sum(scores) / len(scores))
        for name, scores in noise["corruptions"].items()
        if name in AGAINST
    }
    worst = sorted(falls, key=lambda name: -falls[name])[:4]
    for name in ["camera", *worst]:
        for key, value in AGAINST[name].items():
            if key in ("hue", "saturation", "channel_shift") and not coloured:
                continue
            old = values["augment"].get(key, 0)
            values["augment"][key] = max(old, value) if isinstance(value, float) else value
    values["augment"]["untouched"] = max(values["augment"].get("untouched", 0.0), 0.5)
    return values


def _turned_too(values: Values, facts: Facts) -> Values | None:
    """Mirrored and turned as `_turned` does, where the recipe is not."""
    symmetries = _more_symmetries(facts)
    if symmetries is None or values.get("features") or values["augment"].get("horizontal_flip"):
        return None
    wanted = built_in("strong", dataclasses.replace(facts, symmetries=symmetries))
    values["augment"] |= {
        key: wanted["augment"][key]
        for key in ("horizontal_flip", "vertical_flip", "rotation")
        if key in wanted["augment"]
    }
    values["predict"]["tta"], values["predict"]["weights"] = wanted["predict"]["tta"], []
    return values


def _scaled_lr(values: Values, by: float) -> Values:
    values["train"]["lr"] *= by
    return values


def _scaled_decay(values: Values, by: float) -> Values | None:
    if not values["train"]["weight_decay"]:
        return None
    values["train"]["weight_decay"] *= by
    return values


_STRENGTHS = (
    "rotation",
    "shift",
    "zoom",
    "shear",
    "brightness",
    "contrast",
    "saturation",
    "noise",
    "cutout",
    "erasing",
)


def _scaled_augmentation(values: Values, by: float) -> Values | None:
    found = values["augment"]
    for key in _STRENGTHS:
        if found.get(key):
            most = {"rotation": 180.0, "shear": 45.0}.get(key, 0.6)
            found[key] = min(found[key] * by, max(most, found[key]))
    return values


def _enlarged(values: Values, facts: Facts, by: float) -> Values | None:
    """Larger images, where the originals have more pixels than are looked at."""
    size = (values.get("data") or {}).get("size")
    if not size:
        return None
    larger = [min(round(size[0] * by), facts.height), min(round(size[1] * by), facts.width)]
    if larger == list(size):
        return None
    return {**values, "data": {**values["data"], "size": larger}}


def _widened(values: Values) -> Values | None:
    args = values["model"]["args"]
    if "widths" not in args:
        return None
    args["widths"] = [round(1.5 * width / 8) * 8 for width in args["widths"]]
    return values


def _adjusted(values: Values) -> Values | None:
    if values["train"].get("sampling", "uniform") == "uniform":
        return None
    values["train"] |= {"sampling": "uniform", "logit_adjustment": 1.0}
    return values


def _with_cutmix(values: Values) -> Values | None:
    if values["augment"].get("cutmix") or values.get("features"):
        return None
    values["augment"] |= {"cutmix": 1.0, "mix_probability": 0.3}
    return values
