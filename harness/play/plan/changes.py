"""Changes of a recipe's values; None where a change is of no use to the recipe."""

from __future__ import annotations

import dataclasses

from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in
from harness.play.plan.candidate import Values

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


def more_symmetries(facts: Facts) -> tuple[str, ...] | None:
    """Those declared and those that are plausible; None where none is new, or they would move places that are asked for. Turns only
    together with both mirror images."""
    if facts.places:
        return None
    halves = tuple(name for name in facts.plausible if name != "rot90")
    found = halves if len(halves) == 3 else tuple(name for name in halves if name == "hflip")
    if len(halves) == 3 and "rot90" in facts.plausible and facts.height == facts.width:
        found = (*found, "rot90", "rot270")
    together = tuple(dict.fromkeys((*facts.symmetries, *found)))
    return together if len(together) > len(facts.symmetries) else None


def balanced(values: Values) -> Values | None:
    """Class weights, where the built-in rule did not let rare classes be drawn more often."""
    if values["model"]["name"] == "boosting" or values["train"].get("sampling", "uniform") != "uniform":
        return None
    values["train"]["class_weights"] = "effective"
    return values


def hardened(values: Values, noise: Values, coloured: bool) -> Values | None:
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


def turned(values: Values, facts: Facts) -> Values | None:
    """Mirrored and turned as the first race does, where the recipe is not."""
    symmetries = more_symmetries(facts)
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


def scaled_lr(values: Values, by: float) -> Values:
    """The learning rate times `by`."""
    values["train"]["lr"] *= by
    return values


def scaled_decay(values: Values, by: float) -> Values | None:
    """The weight decay times `by`, where there is any."""
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


def scaled_augmentation(values: Values, by: float) -> Values | None:
    """Augmentation `by` times as strong, within bounds."""
    found = values["augment"]
    for key in _STRENGTHS:
        if found.get(key):
            most = {"rotation": 180.0, "shear": 45.0}.get(key, 0.6)
            found[key] = min(found[key] * by, max(most, found[key]))
    return values


def enlarged(values: Values, facts: Facts, by: float) -> Values | None:
    """Larger images, where the originals have more pixels than are looked at."""
    size = (values.get("data") or {}).get("size")
    if not size or values["model"]["args"].get("image_size"):  # which the network brings its images to all the same
        return None
    larger = [min(round(size[0] * by), facts.height), min(round(size[1] * by), facts.width)]
    if larger == list(size):
        return None
    return {**values, "data": {**values["data"], "size": larger}}


def widened(values: Values) -> Values | None:
    """Half as many filters again."""
    args = values["model"]["args"]
    if "widths" not in args:
        return None
    args["widths"] = [round(1.5 * width / 8) * 8 for width in args["widths"]]
    return values


def narrowed(values: Values) -> Values | None:
    """Half the filters and twice the epochs, which cost about the same."""
    args = values["model"]["args"]
    if "widths" not in args or min(args["widths"]) < 32:
        return None
    args["widths"] = [width // 2 for width in args["widths"]]
    args["stem"] = max(args.get("stem", 32) // 2, 8)
    values["train"]["epochs"] *= 2
    return values


def dropped_out(values: Values) -> Values | None:
    """Three tenths of the features dropped before the output, of a network that drops fewer."""
    args = values["model"]["args"]
    if values["model"]["name"] != "resnet" or args.get("dropout", 0.0) >= 0.3:
        return None
    args["dropout"] = 0.3
    return values


def adjusted(values: Values) -> Values | None:
    """Logits adjusted, instead of rare classes drawn more often."""
    if values["train"].get("sampling", "uniform") == "uniform":
        return None
    values["train"] |= {"sampling": "uniform", "logit_adjustment": 1.0}
    return values


def with_cutmix(values: Values, facts: Facts) -> Values | None:
    """A third of the batches cut and mixed; of places not, which would be in two images."""
    if values["augment"].get("cutmix") or values.get("features") or facts.places:
        return None
    values["augment"] |= {"cutmix": 1.0, "mix_probability": 0.3}
    return values
