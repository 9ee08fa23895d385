"""Spaces: checked against the schema before anything runs, conditional parts, the recipe of a trial."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.competition import find_competition, load_recipe
from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in
from harness.competition.recipe import recipe_of
from harness.competition.tune_spec import SpaceSpec
from harness.tune.space import check_space, grid_of, in_words, parameters_of, suggest, with_values
from harness.tune.study import own_parameters
from tests.conftest import REPOSITORY, TINY_RECIPE, make_shapes

SPACE = """
[tune]
"train.lr" = { low = 1e-3, high = 1e-1, log = true }
"train.batch_size" = { choices = [8, 16] }
"train.optimizer" = { choices = ["adamw", "sgd"] }
"train.momentum" = { low = 0.5, high = 0.95, when = { "train.optimizer" = ["sgd"] } }
"model.args.stages" = { choices = [[[4]], [[4], [8]]] }
"model.args.dense" = { each = { low = 4, high = 16 }, length = [0, 2] }
"train.epochs" = { low = 1, high = 3 }
"""


def opened(folder: Path, space: str = SPACE):
    make_shapes(folder)
    path = folder / "competitions" / "shapes" / "recipes" / "tiny.toml"
    path.write_text(TINY_RECIPE + space)
    contest = find_competition(path.parent.parent)
    return contest, load_recipe(contest.folder, "tiny")


def trial(number: int):
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    return study.ask()


def test_a_trials_recipe_has_its_values_and_no_space(tmp_path: Path):
    contest, recipe = opened(tmp_path)
    space, seen = check_space(contest, recipe), set()
    for number in range(40):
        values = suggest(trial(number), space)
        found = with_values(recipe, values)
        assert 1e-3 <= found.train.lr <= 1e-1 and found.train.batch_size in (8, 16) and not found.tune
        assert len(found.model.args["dense"]) <= 2 and found.train.epochs in (1, 2, 3)
        assert ("train.momentum" in values) == (found.train.optimizer == "sgd")
        seen.add((found.train.optimizer, len(found.model.args["dense"])))
    assert len(seen) == 6


def test_the_space_is_no_part_of_what_is_trained(tmp_path: Path):
    _, recipe = opened(tmp_path / "a")
    _, plain = opened(tmp_path / "b", "")
    assert recipe.digest() == plain.digest()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '"train.lrr" = { low = 1e-3, high = 1e-1 }',
            r"train.lrr = 0.001: train.lrr: unknown key \(did you mean 'train.lr'\?\)",
        ),
        ('"train.lr" = { low = 1e-1, high = 1e-3 }', r"low = 0.1 must be below high = 0.001"),
        ('"train.lr" = { low = 0.0, high = 1e-3, log = true }', "log = true needs low > 0"),
        ('"train.lr" = { low = 1e-3 }', "a range needs both low and high"),
        ('"train.lr" = { low = 1e-3, high = 1.0, choices = [1] }', "give one of"),
        ('"train.lr" = { low = -1.0, high = 1.0 }', "train.lr = -1.0: input should be greater than 0"),
        ('"train.optimizer" = { choices = ["adamw", "adamm"] }', "train.optimizer = 'adamm'"),
        ('"model.args.stagess" = { choices = [1] }', "did you mean 'stages'"),
        ('"cv.seed" = { low = 1, high = 9 }', "cannot be tuned"),
        ('"train.lr" = { low = 1e-3, high = 1.0, when = { "train.x" = [1] } }', "names 'train.x', which is none"),
        ('"model.args.dense" = { each = { low = 1, high = 9 } }', "each and length go together"),
        ('"model.args.dense" = { each = { low = 1, high = 9 }, length = [3, 1] }', "length = "),
    ],
)
def test_a_wrong_space_is_refused_before_anything_runs(tmp_path: Path, line: str, said: str):
    with pytest.raises(UserError, match=said):
        check_space(*opened(tmp_path, f"\n[tune]\n{line}\n"))


def test_conditions_that_wait_for_each_other(tmp_path: Path):
    lines = '"train.lr" = { low = 1e-3, high = 1.0, when = { "train.epochs" = [1] } }\n'
    lines += '"train.epochs" = { low = 1, high = 2, when = { "train.lr" = [1] } }\n'
    contest, recipe = opened(tmp_path, f"\n[tune]\n{lines}")
    with pytest.raises(UserError, match="wait for each other"):
        suggest(trial(0), check_space(contest, recipe))


def test_what_changes_the_pseudo_labels_cannot_be_tuned():
    contest = find_competition(REPOSITORY / "competitions" / "flickr8k")
    recipe = load_recipe(contest.folder, "lstm_caption_labels")
    for key, spec in (("clusters.k", {"low": 2, "high": 9}), ("text.dimensions", {"low": 10, "high": 90})):
        with pytest.raises(UserError, match="changes the pseudo-labels"):
            check_space(contest, recipe.model_copy(update={"tune": {key: SpaceSpec(**spec)}}))
    with pytest.raises(UserError, match="no score to tune by"):
        alone = load_recipe(contest.folder, "caption_clusters")
        check_space(contest, alone.model_copy(update={"tune": {"train.lr": SpaceSpec(low=0.1, high=0.2)}}))


def test_a_choice_that_equals_the_recipes_value_is_found():
    assert parameters_of(SpaceSpec(choices=(0, 1e-4)), 0.0, "x") == {"x": "0"}


def test_a_grid_needs_steps(tmp_path: Path):
    _, recipe = opened(tmp_path)
    with pytest.raises(UserError, match=r"train.lr has no steps"):
        grid_of(recipe.tune)
    _, stepped = opened(
        tmp_path / "b",
        '\n[tune]\n"train.lr" = { low = 0.1, high = 0.3, step = 0.1 }\n"train.epochs" = { low = 1, high = 3 }\n',
    )
    assert {k: [round(v, 6) for v in values] for k, values in grid_of(stepped.tune).items()} == {
        "train.lr": [0.1, 0.2, 0.3],
        "train.epochs": [1, 2, 3],
    }


@given(st.lists(st.integers(4, 16), max_size=2))
@settings(max_examples=20, deadline=None)
def test_own_values_and_parameters_agree(tmp_path_factory, dense: list[int]):
    spec = SpaceSpec(each={"low": 4, "high": 16}, length=(0, 2))
    told = parameters_of(spec, dense, "d")

    class Frozen:
        def suggest_int(self, name, *args, **kwargs):
            return told[name]

    assert suggest(Frozen(), {"d": spec}) == {"d": dense}
    assert parameters_of(spec, [99], "d") == {}


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("digit-recognizer", "quick"),
        ("cifar-10", "cnn_hyperband"),
        ("bloodcells", "tune_head"),
        ("flickr8k", "tune_cnn"),
        ("flickr8k", "tune_rnn"),
    ],
)
def test_the_reports_spaces_are_spaces(slug: str, name: str):
    contest = find_competition(REPOSITORY / "competitions" / slug)
    assert check_space(contest, load_recipe(contest.folder, name))


def test_a_key_that_is_not_written_at_its_default_has_its_value_all_the_same(tmp_path: Path):
    space = '[tune]\n"train.sampling" = { choices = ["uniform", "sqrt"] }\n"train.logit_adjustment" = { low = 0.0, high = 1.0 }\n'
    _, recipe = opened(tmp_path, space)
    assert own_parameters(recipe, recipe.tune) == {"train.sampling": '"uniform"', "train.logit_adjustment": 0.0}


@pytest.mark.parametrize("name", ["quick", "strong", "transfer", "finetune", "columns"])
def test_a_recipe_without_a_space_is_searched_about_its_own_values(tmp_path: Path, name: str):
    contest, _ = opened(tmp_path)
    facts = Facts(64, 64, 3, 2_000, 4, 1.0, "single", "accuracy", weights="package", columns=3)
    recipe = recipe_of(name, built_in(name, facts), None, name)
    space = check_space(contest, recipe)
    assert ("train.lr" in space) != (name == "columns") and len(space) >= 2 and in_words(space)
    own = recipe.model_dump(mode="json")
    for key, spec in space.items():
        value = functools.reduce(lambda at, part: at[part], key.split("."), own)
        assert spec.range.low <= value <= spec.range.high and spec.range.low < spec.range.high
    _, empty = opened(tmp_path / "b", "\n[tune]\n")
    assert set(check_space(contest, empty)) == {"train.lr"} | (
        {"train.weight_decay"} if empty.train.weight_decay else set()
    )


def test_clusters_alone_have_nothing_to_search():
    contest = find_competition(REPOSITORY / "competitions" / "flickr8k")
    with pytest.raises(UserError, match="is missing or empty"):
        check_space(contest, load_recipe(contest.folder, "caption_clusters"))
