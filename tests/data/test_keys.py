"""What may be written in the two kinds of files, where it is asked for in a terminal."""

from __future__ import annotations

import json

import pytest

from harness.base.errors import UserError
from harness.competition import Competition, Recipe
from harness.data.keys import entries, find_entries
from tests.conftest import run_inside
from tests.docs.test_made import dotted_keys

EVERYTHING = entries()


@pytest.mark.parametrize(("place", "schema"), [("competition.toml", Competition), ("recipe", Recipe)])
def test_every_key_is_told(place: str, schema: type):
    told = {entry.name for entry in EVERYTHING if entry.place == place}
    ours = {"slug", "folder", "set", "classes_read"} if schema is Competition else {"name"}
    assert {key.rpartition(".")[2] for key in dotted_keys(schema)} - ours <= told
    assert all(entry.what and entry.value for entry in EVERYTHING)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("data.join", ["data.join.file", "data.join.id"]),
        ("[data.join]", ["data.join.file", "data.join.id"]),
        ("train.lr", ["train.lr"]),
        ("tta", ["predict.tta"]),
        ("quadratic_weighted_kappa", []),
        ("mcrmse", ["metrics.mcrmse"]),
    ],
)
def test_a_table_a_key_or_a_metric_is_found(name: str, found: list[str]):
    if found:
        assert [entry.dotted for entry in find_entries(name)] == found
    else:
        with pytest.raises(UserError, match=f"{name}: no key, table or metric"):
            find_entries(name)


def test_it_is_printed():
    done = run_inside("harness.data", "keys", "train.lr")
    assert done.returncode == 0 and "lr = 0.001" in done.stdout and "Peak learning rate" in done.stdout
    done = run_inside("harness.data", "keys", "train.lrr")
    assert done.returncode == 2 and "did you mean 'train.lr'" in done.stderr
    done = run_inside("harness.data", "keys", "metrics", "--json")
    assert {"accuracy", "kappa", "rmse"} <= {entry["name"] for entry in json.loads(done.stdout)}
    assert "data.join" in run_inside("harness.data", "keys").stdout
