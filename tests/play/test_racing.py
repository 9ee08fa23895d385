"""A race: what goes on after a fold, and what gained in it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.play.journal import DONE, StepRecord
from harness.play.racing import Races


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
