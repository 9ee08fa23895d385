"""The baseline's size: what the budget buys, by rules that can be read."""

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.competition.builtin.facts import Facts
from harness.play.baseline import Baseline, Rung
from harness.play.plan.candidates import baseline
from harness.play.spending.costs import Costs, Timing, family

PLANKTON = Facts(64, 64, 1, 24_000, 121, 200.0, "single", "log_loss")
CIFAR = Facts(32, 32, 3, 10_000, 10, 1.0, "single", "accuracy", ("hflip",))
TAGS = Facts(256, 256, 3, 800, 17, 9.0, "multilabel", "fbeta", weights="package")


class Timed:
    """Times networks by their arithmetic: pixels times filters squared."""

    def __init__(self, costs: Costs, facts: Facts) -> None:
        self.costs, self.facts, self.timed = costs, facts, 0

    def must_time(self, recipe: Recipe) -> None:
        side = max(recipe.data.size or (self.facts.height, self.facts.width))
        filters = recipe.model.args.get("stem", 32)
        image = 1e-9 * side**2 * filters**2 * (0.3 if recipe.model.args.get("stem_pool") else 1.0)
        image = 5e-3 if recipe.features else image
        self.timed += family(recipe) not in self.costs.timings
        self.costs.timings[family(recipe)] = Timing(3 * image * recipe.train.batch_size, image, 1e9 * image)

    def time(self, recipe: Recipe) -> bool:
        self.must_time(recipe)
        return True


def beginning(facts: Facts, seconds: float) -> tuple[Baseline, Timed]:
    costs = Costs(facts.rows, facts.rows // 4, 5, 2, True)
    timed = Timed(costs, facts)
    accounts = SimpleNamespace(costs=costs, available=seconds, budget=SimpleNamespace(total=seconds))
    return Baseline(cast(Any, accounts), cast(Any, timed), facts, baseline(facts)), timed


def work(facts: Facts, seconds: float) -> tuple[float, float, int]:
    made, _ = beginning(facts, seconds)
    rung = made.affordable()
    return rung.share, rung.filters, rung.folds


@pytest.mark.parametrize("facts", [PLANKTON, CIFAR], ids=["plankton", "cifar"])
def test_more_time_never_makes_the_baseline_smaller(facts: Facts):
    found = [work(facts, seconds) for seconds in (30, 100, 200, 300, 450, 600, 1_000, 3_000, 10_000, 100_000)]
    works = [beginning(facts, 1.0)[0]._work(Rung(*rung)) for rung in found]
    assert works == sorted(works) and len(set(found)) >= 4
    assert found[0][1:] == (0.25, 3) and found[0][0] < 1 and found[-1] == (1.0, 1.0, 5)


def test_a_network_gets_narrower_before_images_get_smaller():
    found = [work(CIFAR, seconds)[:2] for seconds in range(4_000, 10, -10)]
    assert list(dict.fromkeys(found))[:4] == [(1.0, 1.0), (1.0, 0.5), (1.0, 0.25), (0.75, 0.25)]


@pytest.mark.parametrize("seconds", [60, 300, 600, 900, 1_500, 6_000])
def test_the_baseline_keeps_to_its_share_and_takes_what_no_other_run_could_use(seconds: float):
    made, _ = beginning(PLANKTON, seconds)
    made.take(made.affordable())
    recipe, natural = made.recipe(), made.first.recipe
    cost, whole = made.accounts.costs.run(recipe), made.accounts.costs.run(natural)
    assert cost <= 0.82 * seconds or recipe.train.epochs == 1
    assert recipe.train.epochs <= 1.6 * natural.train.epochs
    if whole <= seconds / 2.2:  # another run of its length fits beside it
        assert recipe.train.epochs <= natural.train.epochs
    elif recipe.train.epochs < round(1.6 * natural.train.epochs):  # all of its share is used
        more = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": recipe.train.epochs + 1})})
        assert made.accounts.costs.run(more) > 0.82 * seconds


def test_a_pretrained_network_comes_first_where_its_features_can_be_paid_for():
    plankton = dataclasses.replace(PLANKTON, weights="package")
    rungs = [beginning(plankton, seconds)[0].affordable() for seconds in (100_000, 1_000, 500, 100)]
    assert [rung.pretrained for rung in rungs] == [True, True, True, False]
    assert beginning(TAGS, 100_000)[0].affordable().pretrained
    assert beginning(TAGS, 1)[0].affordable().pretrained  # few rows: nothing else would learn anything
    assert not beginning(dataclasses.replace(plankton, height=28, width=28), 1_000)[0].affordable().pretrained


def test_weights_that_cannot_be_had_are_done_without():
    made, timed = beginning(TAGS, 1_000)
    said: list[str] = []
    made.accounts.table = cast(Any, SimpleNamespace(watcher=SimpleNamespace(say=said.append)))
    plain = timed.must_time

    def offline(recipe: Recipe) -> None:
        if recipe.features:
            raise UserError("the hub cannot be reached")
        plain(recipe)

    timed.must_time = offline  # type: ignore[method-assign]
    rung = made.affordable()
    assert not rung.pretrained and said == ["no pretrained network to begin with: the hub cannot be reached"]
    made.take(rung)
    assert made.first.recipe.features is None


def test_what_is_far_too_dear_is_not_timed():
    made, timed = beginning(PLANKTON, 20)
    made.affordable()
    assert timed.timed <= 3
