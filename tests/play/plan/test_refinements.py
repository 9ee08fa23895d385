"""Refinements: each changes one thing of the recipe that won, and what gained before comes first."""

import dataclasses

from harness.play.plan.candidates import baseline, first_race
from harness.play.plan.limits import Seen, find_limits
from harness.play.plan.refinements import another_seed, more_seeds, other_looks, refinements
from tests.play.plan.test_candidates import CASES


def test_a_refinement_changes_one_thing():
    facts = CASES[2]
    winner = first_race(facts, [], None)[0].recipe
    old = winner.model_dump()
    for candidate in refinements(winner, facts, 2):
        new = candidate.recipe.model_dump()
        changed = [
            key for key in ("seed", "data", "model", "augment", "train", "predict", "cv") if new[key] != old[key]
        ]
        longer = 2 if "--narrower-" in candidate.name else 1
        assert len(changed) == longer, candidate.name
        assert candidate.recipe.train.epochs == longer * winner.train.epochs


def test_another_seed_is_another_run_of_the_same_recipe():
    recipe = baseline(CASES[0]).recipe
    again = another_seed(another_seed(recipe, 1), 2)
    assert again.seed not in (recipe.seed, another_seed(recipe, 1).seed) and again.digest() != recipe.digest()
    assert again.name == "play-quick--seed-2"
    assert more_seeds(recipe, 3).train.seeds == 3


def test_what_gained_in_the_first_race_is_tried_first_on_its_winner():
    winner = dataclasses.replace(CASES[5], plausible=("hflip", "vflip", "rot180"))
    found = {c.name: c for c in first_race(winner, find_limits(Seen(winner, 4)), None, trained=10)}
    assert found["play-narrower"].recipe.model.args["widths"] == [16, 32, 64]
    assert found["play-narrower"].most == 2 * found["play-longer"].most
    recipe = found["play-turned"].recipe
    plain = [c.name for c in refinements(recipe, winner, 1)]
    assert plain[:2] == ["play-turned--lr-up-1", "play-turned--lr-down-1"]
    gained = refinements(recipe, winner, 1, ["play-narrower", "play-turned", "play-strong"])
    assert [c.name for c in gained][:2] == ["play-turned--narrower-1", "play-turned--lr-up-1"]
    assert (
        gained[0].recipe.model.args["widths"] == [16, 32, 64]
        and gained[0].most == 2 * recipe.train.epochs > gained[0].least
    )
    assert sorted(plain) == sorted(c.name for c in gained)


def test_a_frozen_network_looks_at_larger_images_first_and_at_no_size_twice():
    recipe = baseline(dataclasses.replace(CASES[3], share=1.0), True).recipe
    looks = other_looks(recipe, {224})
    assert [look.model.args["image_size"] for look in looks] == [320, 160, 128, 256]  # 416 are too many
    assert looks[0].name == "play-frozen--look-320" and len({look.digest() for look in looks}) == 4
    again = other_looks(looks[0], {224, 320, 160})
    assert [look.name for look in again] == ["play-frozen--look-384"]
    assert other_looks(baseline(CASES[0]).recipe, set()) == []
