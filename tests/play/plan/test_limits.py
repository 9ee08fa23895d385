"""What limits us: each rule by the figure that it looks at."""

import dataclasses

import pytest

from harness.competition.builtin.facts import Facts
from harness.play.plan.limits import FEW_ROWS, IMBALANCE, SHIFT, SMALL_IMAGES, TIME, Seen, find_limits

FACTS = Facts(32, 32, 3, 20_000, 10, 1.0, "single", "accuracy")


def names(seen: Seen) -> set[str]:
    return {limit.name for limit in find_limits(seen)}


def test_nothing_limits_a_plain_set_with_time():
    assert names(Seen(FACTS, 20)) == set()


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({"rows": 500}, FEW_ROWS),
        ({"imbalance": 9.0, "metric": "balanced_accuracy"}, IMBALANCE),
        ({"height": 512, "width": 384}, SMALL_IMAGES),
    ],
)
def test_facts_of_the_data(change: dict, limit: str):
    assert names(Seen(dataclasses.replace(FACTS, **change), 20)) == {limit}


def test_imbalance_matters_where_the_metric_counts_classes_alike():
    assert names(Seen(dataclasses.replace(FACTS, imbalance=50.0), 20)) == set()


def test_shift_is_seen_by_the_domain_classifier_or_by_noise_where_the_test_is_hidden():
    assert names(Seen(FACTS, 20, shift={"auc": 0.8, "low": 0.7})) == {SHIFT}
    assert names(Seen(FACTS, 20, shift={"auc": 0.55, "low": 0.51})) == set()
    noise = {"clean": {"score": 0.95}, "camera": 0.6}
    assert names(Seen(FACTS, 20, noise=noise, hidden=True)) == {SHIFT}
    assert names(Seen(FACTS, 20, noise=noise)) == set()


def test_a_small_budget_is_a_limit():
    assert names(Seen(FACTS, 1.5)) == {TIME}
