"""What a play takes from one race to the next."""

from types import SimpleNamespace
from typing import Any, cast

from harness.competition.builtin.facts import Facts
from harness.play.plan.candidates import baseline, first_race
from harness.play.plan.limits import TIME, Limit
from harness.play.player import Player

FACTS = Facts(81, 81, 1, 24_000, 121, 200.0, "single", "log_loss", plausible=("hflip", "vflip", "rot180"))


def player(raced: set[str]) -> Player:
    found = Player.__new__(Player)
    first = baseline(FACTS)
    found.limits, found.noise = [Limit(TIME, "", "")], None
    found.beginning = cast(Any, SimpleNamespace(facts=FACTS, first=first, pretrained=False, as_played=lambda c: c))
    found.races = cast(Any, SimpleNamespace(took_part=lambda number: raced))
    outcome = {"recipe": first.recipe.model_dump(mode="json")}
    found.accounts = cast(Any, SimpleNamespace(runs={"a": outcome}))
    return found


def test_after_turned_images_won_what_took_no_part_is_turned_too():
    raced = {"play-longer", "play-turned"}
    candidates = {c.name: c.recipe for c in first_race(FACTS, [Limit(TIME, "", "")], None)}
    played = player(raced)
    rest = played._rest_of([], 1, candidates["play-turned"])
    assert {c.name for c in rest} == set(candidates) - raced
    assert all(c.recipe.augment.vertical_flip and len(c.recipe.predict.tta) == 4 for c in rest)
    assert played.facts.symmetries == ("hflip", "vflip", "rot180")


def test_after_another_won_what_took_no_part_is_as_it_was():
    found = first_race(FACTS, [Limit(TIME, "", "")], None)
    longer = next(c.recipe for c in found if c.name == "play-longer")
    rest = player({"play-longer", "play-turned"})._rest_of(found, 1, longer)
    assert [c.name for c in rest] == [c.name for c in found if c.name not in ("play-longer", "play-turned")]
    assert not any(c.recipe.augment.vertical_flip for c in rest)
