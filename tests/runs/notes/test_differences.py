"""What differs between recipes: nothing that is the same, everything that is not, defaults told where a key came later."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition import Recipe
from harness.competition.recipe import ModelSpec
from harness.runs.notes.differences import changed_keys, deviations, difference_table, differences


def recipe(**changed: Any) -> dict[str, Any]:
    """A resolved recipe with keys (a__b for a.b) changed."""
    told = Recipe(name="one", model=ModelSpec(name="cnn", args={"filters": [8, 16]})).model_dump(mode="json")
    for key, value in changed.items():
        table, *path = told, *key.split("__")
        for part in path[:-1]:
            table = table[part]
        table[path[-1]] = value
    return told


def test_one_epoch_is_seen_and_names_are_not():
    found = differences([recipe(), recipe(train__epochs=11, name="two", description="other")])
    assert found == {"train.epochs": [str(Recipe.model_fields["train"].default.epochs), "11"]}
    assert differences([recipe(), recipe(name="two")]) == {} and differences([]) == {}


def test_a_key_that_came_later_is_at_its_default():
    older, newer = recipe(), recipe()
    assert "fill" not in older["data"]
    newer["data"]["columns"] = False
    assert differences([older, newer]) == {"data.columns": ["true", "false"]}
    newer["data"]["columns"] = True
    assert differences([older, newer]) == {}


def test_arguments_and_tables():
    found = differences(
        [recipe(), recipe(model__args={"filters": [8, 32], "dropout": 0.1}, features={"views": 2, "x": {}})]
    )
    assert found["model.args.filters"] == ["[8, 16]", "[8, 32]"] and found["model.args.dropout"] == ["-", "0.1"]
    assert found["features.views"] == ["-", "2"] and "features.x" not in found


def test_only_what_is_otherwise_than_most_is_told():
    told = deviations([recipe(), recipe(), recipe(train__epochs=11), recipe(train__lr=0.5, predict__batch_size=9)])
    assert told == ["", "", "epochs 11", "lr 0.5, batch_size 9"]
    assert deviations([recipe(train__epochs=1), recipe(train__epochs=2)]) == ["epochs 1", "epochs 2"]
    blend = recipe(model__name="ensemble", model__args={"members": {"a-1": "00", "b-2": "11"}})
    assert deviations([recipe(), blend, recipe(train__epochs=3)])[1] == "ensemble of 2"
    assert deviations([recipe(), {}, recipe()]) == ["", "", ""]


def test_the_table_has_a_column_for_each_key_until_they_are_many():
    header, rows = difference_table(["a", "b"], [recipe(), recipe(train__epochs=3, cv__folds=4)]) or ([], [])
    assert header == ["run", "epochs", "folds"] and rows[1] == ["b", "3", "4"]
    many = {f"model__args__k{i}": i for i in range(9)}
    header, rows = difference_table(["a", "b", "c"], [recipe(), recipe(), recipe(**many)]) or ([], [])
    assert header == ["run", "differs from most by"] and "k8 8" in rows[2][1]
    assert difference_table(["a"], [recipe()]) is None


def test_what_is_not_at_its_default():
    changed = changed_keys(recipe(train__epochs=11))
    assert ("model.name", "cnn", "-") in changed and ("model.args.filters", "[8, 16]", "-") in changed
    assert [key for key, *_ in changed if key.startswith("train.")] == ["train.epochs"]


JSON = st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda v: st.lists(v, max_size=2))
TABLE = st.recursive(
    st.dictionaries(st.text(max_size=4), JSON, max_size=3), lambda v: st.dictionaries(st.text(max_size=3), v)
)


@settings(max_examples=50, deadline=None)
@given(one=TABLE, other=TABLE)
def test_any_two_tables(one: dict[str, Any], other: dict[str, Any]):
    """The same ones never differ; the order does not matter; what is told is one plain line each."""
    assert differences([one, one]) == {}
    there, back = differences([one, other]), differences([other, one])
    assert {k: v[::-1] for k, v in there.items()} == back
    assert all("\n" not in text for values in there.values() for text in values)
