"""Races: sized so that they fit, with as many candidates as get a worthwhile share."""

import pytest

from harness.competition.recipe import recipe_of
from harness.play.plan.candidate import Candidate
from harness.play.plan.race import race_folds, size_race, survivors
from harness.play.spending.costs import Costs, Timing, family, with_epochs


def candidate(name: str, epochs: int = 10, step: float = 0.2, costs: Costs | None = None) -> Candidate:
    args = {"dense": [len(name) * 8 + ord(name[0])]}
    recipe = recipe_of(name, {"model": {"name": "cnn", "args": args}, "train": {"epochs": epochs}}, None, "a test")
    if costs is not None:
        costs.timings[family(recipe)] = Timing(step, 0.0001, 1e6)
    return Candidate(recipe, "a test", max(3, epochs // 4), 3 * epochs)


def made(n: int) -> tuple[Costs, list[Candidate]]:
    costs = Costs(2000, 100, 5, 2, True)
    return costs, [candidate(name, costs=costs) for name in "abcdef"[:n]]


def test_race_folds_counts_what_is_trained_where_one_fold_decides():
    assert race_folds(6, 5, 2) == 6 + 2 * 4
    assert race_folds(4, 5, 1) == 4 + 4
    assert race_folds(2, 5, 2) == 10 and race_folds(1, 5, 1) == 5


@pytest.mark.parametrize("available", [60, 120, 250, 1000, 5000])
def test_a_race_fits_what_is_available(available: float):
    costs, candidates = made(6)
    entrants = size_race(candidates, available, costs, 5, 2)
    if not entrants:
        assert costs.run(with_epochs(candidates[0].recipe, candidates[0].least)) > available
        return
    n, finalists = len(entrants), min(2, len(entrants))
    dearest = max(costs.run(e.recipe) for e in entrants)
    assert dearest / 5 * race_folds(n, 5, finalists) <= available * 1.001
    assert all(e.candidate.least <= e.recipe.train.epochs <= e.candidate.most for e in entrants)


def test_more_budget_lets_more_candidates_in():
    costs, candidates = made(6)
    numbers = [len(size_race(candidates, available, costs, 5, 2)) for available in (40, 80, 200, 900)]
    assert numbers == sorted(numbers) and numbers[0] <= 1 and numbers[-1] == 6


def test_a_candidate_too_dear_gives_its_place_to_the_next():
    costs, candidates = made(3)
    dear = candidate("dear", step=50.0, costs=costs)
    entrants = size_race([dear, *candidates], 400, costs, 5, 2)
    assert entrants and dear.name not in {e.recipe.name for e in entrants}


def test_survivors_go_by_the_metric_s_direction():
    scores = {"a": 0.1, "b": 0.3, "c": 0.2, "d": 0.3}
    assert survivors(scores, 2, True) == ["b", "d"] and survivors(scores, 2, False) == ["a", "c"]


def test_without_a_score_those_that_came_first_survive():
    """The AUC of a fold with rows of one class."""
    none = {"a": None, "b": None, "c": None}
    assert survivors(none, 2, True) == survivors(none, 2, False) == ["a", "b"]
    assert survivors({**none, "d": 0.1}, 2, True) == ["d", "a"]
