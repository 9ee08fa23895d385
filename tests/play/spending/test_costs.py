"""Costs: laws of the prediction, and that it learns from what was spent."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.competition.builtin.facts import Facts
from harness.competition.builtin.rules import built_in
from harness.competition.recipe import recipe_of
from harness.play.plan.candidates import baseline
from harness.play.plan.refinements import another_seed, other_looks
from harness.play.spending.accounts import Accounts
from harness.play.spending.costs import Costs, Timing, cost_of_cleaning, family, with_epochs

FROZEN = Facts(96, 96, 3, 1_000, 8, 1.0, "single", "accuracy", weights="package")
RECIPE = recipe_of("r", {"model": {"name": "cnn"}, "train": {"epochs": 10, "batch_size": 50}}, None, "a test")


def costs(in_seconds: bool = True, workers: int = 2) -> Costs:
    made = Costs(1000, 500, 5, workers, in_seconds, start=5.0)
    made.timings[family(RECIPE)] = Timing(step=0.02, predict=0.001, flops=1e6)
    made.set_unit(RECIPE)
    return made


def test_a_run_takes_its_folds_side_by_side():
    fold = 10 * 16 * 0.02 + 700 * 0.001  # 800 rows in 16 batches; 200 + 500 images predicted
    assert costs().run(RECIPE) == pytest.approx(5 + 2.5 * fold * 1.25)
    assert costs(workers=1).run(RECIPE, 1) == pytest.approx(5 + fold * 1.25)


def test_two_runs_side_by_side_take_as_long_as_one_fold():
    assert costs().run(RECIPE, 1, side_by_side=2) == pytest.approx(costs().run(RECIPE, 1))


@settings(deadline=None)  # the first example imports much
@given(cost=st.floats(1, 200), least=st.integers(1, 5), more=st.integers(0, 60))
def test_the_most_epochs_that_fit_are_found(cost: float, least: int, more: int):
    c, most = costs(), least + more
    epochs = c.epochs_within(RECIPE, cost, least, most)
    fits = [e for e in range(least, most + 1) if c.run(with_epochs(RECIPE, e)) <= cost]
    assert epochs == (max(fits) if fits else 0)


def test_what_a_run_took_corrects_the_next_prediction():
    c = costs()
    c.learn(RECIPE, seconds=3 * (c.run(RECIPE) - 5) + 5, folds=5)
    assert c.run(RECIPE) == pytest.approx(3 * (costs().run(RECIPE) - 5) + 5)
    other = RECIPE.model_copy(update={"model": RECIPE.model.model_copy(update={"name": "mlp"})})
    assert c.ratio(other) == pytest.approx(3.75)  # another network is believed to be off as much


def test_fold_epochs_count_arithmetic_not_time():
    c = costs(in_seconds=False)
    one, two = c.run(with_epochs(RECIPE, 1)), c.run(with_epochs(RECIPE, 2))
    assert two - one == pytest.approx(5.0)  # an epoch of five folds
    c.learn(RECIPE, 1e6, 5)
    assert c.run(with_epochs(RECIPE, 1)) == one


@settings(deadline=None)  # the first example imports much
@given(room=st.floats(10, 500))
def test_runs_that_share_what_is_left_leave_little(room: float):
    c = costs()
    epoch = c.run(with_epochs(RECIPE, 2)) - c.run(with_epochs(RECIPE, 1))
    shortest, longest = c.run(with_epochs(RECIPE, 6)), c.run(with_epochs(RECIPE, 16))
    left = room
    while epochs := c.epochs_within(RECIPE, left / c.runs_within(RECIPE, left, 6, 16), 6, 16):
        left -= c.run(with_epochs(RECIPE, epochs))
    assert 0 <= left < (max(2 * shortest - longest, 0) + 2 * epoch if room >= shortest else shortest)


def test_features_of_a_frozen_network_are_paid_once():
    made = Costs(1_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    made.timings[family(frozen)] = Timing(0.0, 0.01, 1e9)
    first = made.run(frozen)
    made.learn(frozen, first, 5)
    again = another_seed(frozen, 1)
    assert made.run(again) < first - 10  # 1,000 images in three views, 500 in one or two: 10 ms each, by two workers
    assert made.run(frozen.model_copy(update={"seed": 9}), 1) < made.run(frozen)


def test_features_that_lay_in_the_cache_say_nothing_of_what_a_prediction_costs():
    made = Costs(1_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    made.timings[family(frozen)] = Timing(0.0, 0.01, 1e9)
    first, image = made.run(frozen), made.prediction(frozen)
    made.learn(frozen, 4.0, 5, found_features=True)
    assert made.prediction(frozen) == image  # the noise suite's images are seen for the first time
    assert made.run(another_seed(frozen, 1)) < first - 10
    made.learn(frozen, 4.0, 5)
    assert made.prediction(frozen) == image


def test_short_runs_tell_what_a_run_takes_besides_its_folds():
    made = Costs(1_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    frozen = frozen.model_copy(update={"train": frozen.train.model_copy(update={"seeds": 1})})
    made.timings[family(frozen)] = Timing(0.0, 0.0, 1e9)
    assert made.run(frozen) > 6
    made.learn(frozen, 2.5, 5)
    assert 1.5 <= made.run(frozen) < 3.5


@settings(deadline=None)
@given(cost=st.floats(0.1, 1_000), image=st.floats(1e-4, 0.05))
def test_the_noise_suite_takes_the_most_rows_that_fit(cost: float, image: float):
    made = costs()
    made.timings[family(RECIPE)] = Timing(0.02, image, 1e6)
    made.n_train = 5_000
    accounts = Accounts(cast(Any, None), cast(Any, None), made)
    accounts.noise_rows = accounts.noise_rows_within(RECIPE, cost)
    assert 300 <= accounts.noise_rows <= 1_000
    if accounts.noise_rows < 1_000:
        assert accounts.noise(RECIPE) <= cost
        accounts.noise_rows += 2
        assert accounts.noise(RECIPE) > cost * 0.999
    elif accounts.noise(RECIPE) > cost:
        accounts.noise_rows = 300
        assert accounts.noise(RECIPE) > cost


def test_the_same_network_on_other_images_is_not_timed_again():
    made = Costs(1_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    look = other_looks(frozen, set())[0]
    made.timings[family(frozen)] = Timing(0.0, 0.01, 1e9)
    made.learn(frozen, made.run(frozen) + 10, 5)
    made.take_alike(look, frozen, 2.0)
    assert made.timings[family(look)] == Timing(0.0, 0.02, 2e9) and made.prediction(look) == 2 * made.prediction(frozen)
    made.timings[family(look)] = Timing(0.0, 0.03, 2e9)
    made.take_alike(look, frozen, 2.0)
    assert made.timings[family(look)].predict == 0.03  # what was timed counts


def test_heads_are_not_taken_for_features():
    made = Costs(20_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    made.timings[family(frozen)] = Timing(0.0, 1e-5, 1e9)
    image = made.prediction(frozen)
    made.learn(frozen, made.run(frozen), 5)
    assert made.prediction(frozen) == pytest.approx(image, rel=0.5)


@pytest.mark.parametrize(("rows", "took"), [(3_352, 12.3), (12_000, 14.2), (70_000, 60.0)])
def test_it_is_about_what_was_measured_and_no_less_for_more_rows(rows: int, took: float):
    assert 0.8 * took < cost_of_cleaning(rows) < 1.5 * took
    assert cost_of_cleaning(rows) < cost_of_cleaning(rows + 1)


def test_what_training_all_layers_costs_at_least_is_known_of_a_frozen_network():
    made = Costs(1_000, 500, 5, 2, True)
    frozen = baseline(FROZEN, True).recipe
    whole = recipe_of("whole", built_in("finetune", FROZEN), None, "a test")
    assert made.at_least(whole, frozen) is None  # not timed yet
    made.timings[family(frozen)] = Timing(0.0, predict=0.016, flops=1e9)
    bound = made.at_least(with_epochs(whole, 3), frozen)
    image = 0.9 * 0.016 * (128 / 160) ** 2
    assert bound == pytest.approx(6.0 + 2.5 * 1.25 * (3 * 25 * 32 * 3 * image + 700 * image))
    made.timings[family(whole)] = Timing(3 * 32 * image / 0.9, image / 0.9, 1e9)
    assert made.run(with_epochs(whole, 3)) > bound
    other = whole.model_copy(
        update={"model": whole.model.model_copy(update={"args": {**whole.model.args, "backbone": "x"}})}
    )
    assert made.at_least(other, frozen) is made.at_least(frozen, frozen) is made.at_least(whole, RECIPE) is None
