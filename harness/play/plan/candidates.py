"""Which recipes to try first: built-in ones of different kind. Each says why."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable

from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in, image_side, share_of_filters, suits_pretrained, views
from harness.competition.recipe import recipe_of
from harness.play.plan import changes
from harness.play.plan.candidate import Candidate, Values, candidate, without_none
from harness.play.plan.limits import FEW_ROWS, IMBALANCE, SHIFT, TIME, Limit

Maker = Callable[["Facts"], "Candidate | None"]
"""Makes a candidate of the facts; None where it is of no use to them."""

TURNED = ("play-turned", "play-mirrored")
"""Candidates whose images are turned and mirrored, or mirrored, beyond what competition.toml says."""


def baseline(facts: Facts, pretrained: bool = False) -> Candidate:
    """The built-in `quick`; or `transfer`, where a pretrained network, frozen, is where to begin."""
    if pretrained and (frozen := _frozen(facts)):
        return dataclasses.replace(frozen, why="a baseline: a pretrained network, frozen, is sooner of use")
    return candidate("play-quick", built_in("quick", facts), "a baseline: what everything else is held against")


def first_race(facts: Facts, limits: Iterable[Limit], noise: Values | None, trained: int = 0) -> list[Candidate]:
    """Recipes of different kind, the most promising first; where time is short, those that a short training serves best.

    trained : epochs of the baseline, which what is to be trained for longer must exceed
    """
    found = {limit.name for limit in limits}
    longer = functools.partial(_longer, trained=trained)
    makers: list[Maker] = [_strong, functools.partial(_turned, of="strong"), longer, _mixed, _larger, _gentle]
    if TIME in found:
        turned = functools.partial(_turned, of="quick", trained=trained)
        makers = [longer, turned, functools.partial(_narrower, trained=trained), _wider, _larger, _strong, _gentle]
    pretrained: list[Maker] = [_frozen, _finetuned]
    first = 0 if FEW_ROWS in found or TIME in found else 1
    makers[first:first] = pretrained
    candidates = [made for make in [_trees, *makers] if (made := make(facts))]
    if IMBALANCE in found:
        candidates = [_changed(c, changes.balanced) for c in candidates]
    if SHIFT in found and noise:
        candidates = [
            _changed(c, lambda values: changes.hardened(values, noise, facts.channels == 3)) for c in candidates
        ]
    return candidates


def _trees(facts: Facts) -> Candidate | None:
    """Trees on the columns: cheap, and wrong on other rows than what sees the images."""
    if not facts.columns:
        return None
    values = built_in("columns", facts)
    recipe = recipe_of("play-columns", without_none(values), None, "the plan's recipe 'play-columns'")
    return Candidate(recipe, "trees on the columns beside the images", recipe.train.epochs, recipe.train.epochs)


def _strong(facts: Facts) -> Candidate:
    return candidate("play-strong", built_in("strong", facts), "a wider network at a larger size, more views")


def _quick(facts: Facts) -> Values:
    """The baseline's recipe with all views: longer trainings dwarf what they cost at prediction."""
    values = built_in("quick", facts)
    values["predict"] = {"tta": views(facts, strong=True)}
    return values


def _longer(facts: Facts, trained: int) -> Candidate:
    """The baseline's network, given what a short training lacks: epochs."""
    found = candidate("play-longer", _quick(facts), "the baseline's network, trained for longer")
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
    symmetries = changes.more_symmetries(facts)
    if symmetries is None:
        return None
    name, why = (TURNED[1], "mirrored") if len(symmetries) == 1 else (TURNED[0], "mirrored and turned")
    as_turned = dataclasses.replace(facts, symmetries=symmetries)
    values = _quick(as_turned) if of == "quick" else built_in(of, as_turned)
    found = candidate(name, values, f"images {why}: their nearest neighbours have the label still")
    return _lengthened(found, trained) if of == "quick" else found


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
    return candidate(
        "play-mixed", values, "images cut and mixed, automatic augmentation: a network that cannot memorise"
    )


def _larger(facts: Facts) -> Candidate | None:
    """At a size that more rows or less time forbade; with as many epochs as the rules give it there."""
    if facts.share < 1:
        values = _quick(dataclasses.replace(facts, share=min(1.5 * facts.share, 1.0)))
        return candidate("play-larger", values, "the baseline's network on larger images")
    values = _quick(facts)
    enlarged = changes.enlarged(values, facts, 1.5)
    return None if enlarged is None else candidate("play-larger", enlarged, "the baseline's network on larger images")


def _wider(facts: Facts) -> Candidate | None:
    """With the filters that less time forbade."""
    if facts.filters >= 1:
        return None
    values = _quick(dataclasses.replace(facts, filters=min(2 * facts.filters, 1.0)))
    if values["model"] == built_in("quick", facts)["model"]:
        return None  # that wide it is already
    return candidate("play-wider", values, "the baseline's network, twice as wide")


def _narrower(facts: Facts, trained: int) -> Candidate | None:
    """With half the filters, for about twice as many epochs: what time buys most of all (benchmarks/RESULTS.md)."""
    if facts.filters < 1:
        return None  # narrower than the rules have it already
    filters = share_of_filters(facts, image_side(facts, strong=False), strong=False)
    values = _quick(dataclasses.replace(facts, filters=0.5 * filters))
    if "widths" not in values["model"]["args"]:
        return None
    values["train"]["epochs"] *= 2
    found = candidate("play-narrower", values, "the baseline's network, half as wide, trained for longer")
    return _lengthened(found, trained)


def _gentle(facts: Facts) -> Candidate:
    """The plain network with more depth, the other kind that errs on other rows."""
    values = _quick(facts)
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
        values["augment"] |= {} if facts.places else {"shear": 8.0}
        return candidate("play-plain", values, "a plain deep network instead of a residual one: it errs on other rows")
    args = values["model"]["args"]
    if "residuals" in args:
        args["residuals"] = [2] * len(args["residuals"])
    return candidate("play-deeper", values, "a network twice as deep")


def _frozen(facts: Facts) -> Candidate | None:
    if not suits_pretrained(facts):
        return None
    values = built_in("transfer", facts)
    values["train"]["seeds"] = 1  # images of other sizes differ more, and are averaged too
    return candidate("play-frozen", values, "a pretrained network, frozen: its head costs little")


def _finetuned(facts: Facts) -> Candidate | None:
    if not suits_pretrained(facts):
        return None
    values = built_in("finetune", facts)
    return candidate("play-finetuned", values, "a pretrained network, all layers trained")


def _changed(candidate: Candidate, change: Callable[[Values], Values | None]) -> Candidate:
    values = candidate.recipe.model_dump(mode="json", exclude={"name", "answers_to"})
    changed = change(values)
    if changed is None:
        return candidate
    recipe = recipe_of(candidate.name, without_none(changed), None, f"the plan's recipe '{candidate.name}'")
    return Candidate(recipe, candidate.why, candidate.least, candidate.most)
