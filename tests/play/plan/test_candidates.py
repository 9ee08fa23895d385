"""Candidates: every one is a recipe that its task takes, and changes only what it says."""

import dataclasses

import pytest

from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import suits_pretrained
from harness.competition.tasks import TASKS
from harness.competition.tasks.fitting import check_fits
from harness.play.plan.candidates import baseline, first_race
from harness.play.plan.limits import Limit, Seen, find_limits
from harness.play.plan.refinements import refinements
from harness.train.augment import check_augment

CASES = [
    Facts(8, 8, 1, 1_500, 10, 1.0, "single", "accuracy"),
    Facts(28, 28, 1, 42_000, 10, 1.2, "single", "accuracy"),
    Facts(32, 32, 3, 10_000, 10, 1.0, "single", "accuracy", ("hflip",)),
    Facts(256, 200, 3, 800, 17, 9.0, "multilabel", "fbeta", ("hflip", "vflip"), False, "package"),
    Facts(512, 512, 3, 3_500, 5, 20.0, "ordinal", "quadratic_kappa"),
    Facts(64, 64, 1, 24_000, 121, 200.0, "single", "log_loss"),
    Facts(64, 64, 1, 24_000, 121, 200.0, "single", "macro_f1"),
    Facts(96, 96, 3, 9_000, 2, 1.0, "regression", "rmse", gpu=True),
    Facts(96, 96, 1, 9_000, 9, 1.0, "single", "accuracy", plausible=("hflip", "vflip", "rot180", "rot90")),
    Facts(96, 80, 1, 9_001, 9, 1.0, "single", "accuracy", plausible=("hflip",)),
]


@pytest.mark.parametrize("facts", CASES, ids=lambda f: f"{f.task}-{f.side}-{f.rows}")
def test_every_candidate_fits_task_and_images(facts: Facts):
    limits = [*find_limits(Seen(facts, 2)), Limit("shift", "", "")]
    noise = {"greater_is_better": True, "clean": {"score": 0.9}, "corruptions": {"blur": [0.5] * 5, "hue": [0.4] * 5}}
    found = [baseline(facts), *first_race(facts, limits, noise)]
    assert len({c.name for c in found}) == len(found) >= 3
    for candidate in [*found, *refinements(found[1].recipe, facts, 1)]:
        check_fits(candidate.recipe, TASKS[facts.task])
        check_augment(candidate.recipe.augment, facts.height, facts.width, facts.channels)
        assert 1 <= candidate.least <= candidate.most and candidate.why
        sides = candidate.recipe.augment
        assert not sides.horizontal_flip or "hflip" in facts.symmetries + facts.plausible
        assert not sides.vertical_flip or "vflip" in facts.symmetries + facts.plausible


@pytest.mark.parametrize("side", [28, 96])
def test_no_candidate_moves_places(side: int):
    every = ("hflip", "vflip", "rot180", "rot90")
    facts = Facts(side, side, 1, 7_000, 30, 1.0, "regression", "rmse", weights="package", plausible=every, places=True)
    noise = {"greater_is_better": False, "clean": {"score": 0.9}, "corruptions": {"blur": [2.5] * 5}}
    found = [
        baseline(facts, True),
        *first_race(facts, [*find_limits(Seen(facts, 2)), Limit("shift", "", "")], noise, 9),
    ]
    found += [more for c in found[:4] for more in refinements(c.recipe, facts, 1)]
    assert len(found) > 10
    for candidate in found:
        augment = candidate.recipe.augment
        moving = ("rotation", "shift", "zoom", "shear", "horizontal_flip", "vertical_flip", "cutmix", "randaugment")
        assert not any(getattr(augment, key) for key in moving), candidate.name
        assert list(candidate.recipe.predict.tta) == ["identity"], candidate.name


def test_images_are_turned_where_that_may_keep_the_label():
    def turned(**changes) -> dict[str, list[str]]:
        facts = dataclasses.replace(CASES[-2], **changes)
        found = [*first_race(facts, [], None), *refinements(baseline(facts).recipe, facts, 1)]
        return {c.name: list(c.recipe.predict.tta) for c in found if "turned" in c.name or "mirrored" in c.name}

    halves = ["identity", "hflip", "vflip", "rot180"]
    assert turned() == {name: [*halves, "rot90", "rot270"] for name in ("play-turned", "play-quick--turned-1")}
    assert turned(width=80)["play-turned"] == halves
    mirrored = turned(plausible=("hflip", "rot90"))
    assert mirrored == {name: ["identity", "hflip"] for name in ("play-mirrored", "play-quick--turned-1")}
    assert turned(plausible=("hflip",), symmetries=("hflip",)) == {}
    assert turned(plausible=("vflip",)) == {}


def test_a_short_budget_goes_to_epochs_then_to_pixels():
    def names(budget: float, **changes) -> list[str]:
        facts = dataclasses.replace(CASES[-2], **changes)
        return [c.name for c in first_race(facts, find_limits(Seen(facts, budget)), None)]

    assert names(2)[:3] == ["play-longer", "play-turned", "play-narrower"] and names(20)[0] == "play-strong"
    assert "play-narrower" not in names(2, filters=0.5) and "play-wider" in names(2, filters=0.5)
    short = dataclasses.replace(CASES[5], share=0.5)
    found = {c.name: c.recipe for c in first_race(short, find_limits(Seen(short, 2)), None)}
    assert list(found)[:3] == ["play-longer", "play-narrower", "play-larger"]
    sides = [max(found[name].data.size) for name in ("play-longer", "play-larger", "play-strong")]
    assert sides == [32, 48, 48]
    assert found["play-larger"].train.epochs < found["play-longer"].train.epochs
    photographs = dataclasses.replace(CASES[3], rows=5_000)
    assert next(c.name for c in first_race(photographs, find_limits(Seen(photographs, 2)), None)) == "play-frozen"


def test_few_rows_with_weights_begin_with_pretrained_ones():
    facts = CASES[3]
    names = [c.name for c in first_race(facts, find_limits(Seen(facts, 20)), None)]
    assert names[:2] == ["play-frozen", "play-finetuned"]
    small = dataclasses.replace(CASES[2], weights="package")
    assert [c.name for c in first_race(small, [], None)][1:3] == ["play-frozen", "play-finetuned"]
    assert "play-finetuned" not in [
        c.name for c in first_race(dataclasses.replace(small, height=28, width=28), [], None)
    ]
    without = dataclasses.replace(facts, weights="")
    assert not {"play-finetuned", "play-frozen"} & {c.name for c in first_race(without, [], None)}


def test_rare_classes_are_drawn_more_often_or_weigh_more_never_both():
    facts = next(f for f in CASES if f.metric == "macro_f1")
    found = first_race(facts, find_limits(Seen(facts, 20)), None)
    assert {(c.recipe.train.sampling, c.recipe.train.class_weights) for c in found} == {("sqrt", "none")}
    changed = {c.name: c.recipe.train for c in refinements(found[0].recipe, facts, 1)}["play-strong--adjusted-1"]
    assert (changed.sampling, changed.logit_adjustment) == ("uniform", 1.0)
    tags = dataclasses.replace(facts, task="multilabel")
    assert {c.recipe.train.class_weights for c in first_race(tags, find_limits(Seen(tags, 20)), None)} == {"effective"}


def test_plays_begin_with_a_pretrained_network_where_images_are_no_glyphs():
    tags, plankton = CASES[3], CASES[5]
    assert suits_pretrained(tags) and suits_pretrained(dataclasses.replace(plankton, weights="package"))
    assert not suits_pretrained(dataclasses.replace(tags, height=28, width=28))
    assert not suits_pretrained(dataclasses.replace(tags, weights=""))
    whole, half = baseline(tags, True).recipe, baseline(dataclasses.replace(tags, share=0.5), True).recipe
    assert whole.features is not None and whole.features.views == 2 and half.features.views == 1
    assert half.model.args["image_size"] == 128 < whole.model.args["image_size"]  # 224 and 160 halve to sides of 32
    assert baseline(dataclasses.replace(tags, weights=""), True).name == "play-quick"
