"""What a play takes from one race to the next."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.competition.builtin.facts import Facts
from harness.play.plan.candidates import baseline, first_race
from harness.play.plan.limits import TIME, Limit
from harness.play.player import Player
from harness.play.steps import finish

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


def test_where_no_size_is_left_to_look_at_the_best_trained_network_gets_another_seed(monkeypatch: pytest.MonkeyPatch):
    layout = {"precision": "bf16", "channels_last": True, "how": "timed now"}
    run = SimpleNamespace(environment={"layout": layout})
    monkeypatch.setattr(finish, "load", lambda table, name: run if name == "f" else None)
    photographs = Facts(96, 96, 3, 1_000, 8, 1.0, "single", "accuracy", weights="package")
    frozen, scratch = baseline(photographs, True).recipe, baseline(photographs).recipe
    played, runs = Player.__new__(Player), {"f": frozen, "s": scratch}
    played.beginning = cast(Any, SimpleNamespace(facts=photographs, first=baseline(photographs, True)))
    outcomes = {name: {"recipe": recipe.model_dump(mode="json")} for name, recipe in runs.items()}
    costs = SimpleNamespace(
        run=lambda recipe: 100.0 if recipe.features else float(recipe.train.epochs),
        runs_within=lambda recipe, room, least, most: 1,
        epochs_within=lambda recipe, cost, least, most: most,
        take_alike=lambda look, known, times: None,
    )
    played.accounts = cast(Any, SimpleNamespace(runs=outcomes, ranked=["f", "s"], room=90.0, costs=costs))
    played.costs, played.trained = cast(Any, costs), cast(Any, SimpleNamespace(time=lambda recipe: True))
    played.table = cast(Any, SimpleNamespace(hidden=False))
    found = played._seed_within(frozen)
    assert found is not None and found["name"].startswith("play-quick--seed-") and found["features"] is None
    played.accounts.ranked.remove("s")
    assert played._seed_within(frozen) is None and played.unspent
    played.accounts.room = 200.0
    look = played._seed_within(frozen)
    assert look is not None and "--look-" in look["name"]
    assert (look["train"]["precision"], look["train"]["channels_last"]) == ("bf16", True)  # not timed anew
