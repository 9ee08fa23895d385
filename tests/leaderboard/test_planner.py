"""What to send next and what to choose in the end, on candidates whose answer is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.leaderboard.planner import Candidate, make_plan
from harness.leaderboard.table import medal


def candidate(name: str, cv: float, seed: int, public: float | None = None, error: float = 0.002) -> Candidate:
    rng = np.random.default_rng(seed)
    return Candidate(name, cv, error, rng.integers(0, 10, 1000), rng.random(2000) < cv, public)


def test_the_best_untried_comes_first_and_a_copy_is_left_out():
    sent = candidate("sent", 0.90, 1, public=0.89)
    copy = Candidate("copy", 0.95, 0.002, sent.said.copy(), sent.right)
    plan = make_plan([sent, candidate("weak", 0.85, 2), candidate("strong", 0.93, 3), copy], True)
    assert [a.name for a in plan.send] == ["strong", "weak"] and plan.send[0].worth > plan.send[1].worth
    assert [a.name for a in plan.skip] == ["copy"] and "says the same as sent" in plan.skip[0].why
    assert "past offset -0.01000" in plan.send[0].why


def test_what_was_sent_by_another_metric_is_not_sent_again_and_moves_nothing():
    before = replace(candidate("before", 0.30, 1), sent=True)
    plan = make_plan([before, candidate("new", 0.20, 2)], greater_is_better=False)
    assert [a.name for a in plan.send] == ["new"] and "no score yet that CV can be held against" in plan.send[0].why
    assert [a.name for a in plan.final] == ["before"]


def test_no_more_than_is_left():
    plan = make_plan([candidate(f"r{i}", 0.9 + 0.01 * i, i) for i in range(5)], True, left=2)
    assert [a.name for a in plan.send] == ["r4", "r3"]


def test_an_uncertain_run_may_be_worth_more_than_a_sure_one_that_cannot_win():
    sent = [candidate("a", 0.90, 1, 0.90), candidate("b", 0.91, 2, 0.91)]
    plan = make_plan(
        [*sent, candidate("sure", 0.905, 3, error=0.0001), candidate("unsure", 0.904, 4, error=0.02)], True
    )
    assert plan.send[0].name == "unsure"


def test_small_is_good_where_the_metric_says_so():
    sent = candidate("sent", 0.30, 1, public=0.31)
    plan = make_plan([sent, candidate("better", 0.20, 2), candidate("worse", 0.40, 3)], False)
    assert [a.name for a in plan.send] == ["better", "worse"]
    assert plan.final[0].name == "sent"


def test_the_second_final_is_strong_and_wrong_on_other_rows():
    rng = np.random.default_rng(0)
    right = rng.random(2000) < 0.9
    best = Candidate("best", 0.90, 0.002, rng.integers(0, 10, 1000), right, 0.9)
    twin = Candidate("twin", 0.899, 0.002, rng.integers(0, 10, 1000), right, 0.899)
    other = candidate("other", 0.89, 5, public=0.89)
    plan = make_plan([best, twin, other], True)
    assert [a.name for a in plan.final] == ["best", "other"]


@pytest.mark.parametrize(
    ("rank", "teams", "won"),
    [
        (1, 50, "gold"),
        (6, 50, "silver"),
        (30, 50, None),
        (12, 500, None),
        (11, 500, "gold"),
        (100, 500, "bronze"),
        (150, 2000, "bronze"),
    ],
)
def test_medals(rank: int, teams: int, won: str | None):
    if (rank, teams) == (12, 500):
        won = "silver"
    assert medal(rank, teams) == won
