"""A race: what goes on after a fold, and what gained in it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in
from harness.play.journal import DONE, StepRecord
from harness.play.plan.candidate import candidate
from harness.play.plan.candidates import baseline
from harness.play.racing import Races
from harness.play.spending.costs import Costs, Timing, family
from harness.play.trainer import Runs


def races(greater: bool, **folds: dict[str, float]) -> Races:
    steps = {
        key.replace("__", "/"): StepRecord(key, "fold", state=DONE, outcome={"scores": scores})
        for key, scores in folds.items()
    }
    accounts = SimpleNamespace(table=SimpleNamespace(metric=SimpleNamespace(greater_is_better=greater)))
    of_all = cast(Any, SimpleNamespace(steps=steps))
    return Races(cast(Any, accounts), cast(Any, None), cast(Any, None), of_all)


@pytest.mark.parametrize(("greater", "better"), [(True, ["c", "b"]), (False, ["d"])])
def test_what_gained_is_what_beat_the_reference_on_the_first_fold_of_the_first_race(greater: bool, better: list[str]):
    found = races(
        greater,
        **{
            "fold__race-1__0__a, b": {"a": 0.5, "b": 0.6},
            "fold__race-1__0__c, d": {"c": 0.7, "d": 0.4},
            "fold__race-1__1__b, c": {"b": 0.1, "c": 0.1},
            "fold__race-2__0__e": {"e": 0.9},
        },
    )
    assert found.better_than("a") == better
    assert found.better_than("nobody") == []
    assert found.took_part(1) == set("abcd") and found.took_part(2) == {"e"} and found.took_part(3) == set()


def test_what_cannot_fit_is_not_timed():
    """Timing it would cost seconds of a short budget."""
    facts = Facts(96, 96, 3, 1_000, 8, 1.0, "single", "accuracy", weights="package")
    frozen = baseline(facts, True).recipe
    whole, plain = (candidate(name, built_in(name, facts), "a test") for name in ("finetune", "quick"))
    costs = Costs(1_000, 500, 5, 2, True)
    costs.timings[family(frozen)] = Timing(0.0, predict=0.016, flops=1e9)
    accounts = SimpleNamespace(costs=costs, runs={"one": {"recipe": frozen.model_dump(mode="json")}}, room=1e4)
    trained = Runs(cast(Any, accounts), cast(Any, None))
    assert trained.is_in_reach(whole) and trained.is_in_reach(plain)
    accounts.room = 100.0
    assert not trained.is_in_reach(whole) and trained.is_in_reach(plain)
    costs.timings[family(whole.recipe)] = Timing(0.1, 0.01, 1e9)  # what was timed costs no more
    assert trained.is_in_reach(whole)
