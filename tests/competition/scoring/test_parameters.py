"""What the parameters of metrics may be, also while the number of classes is not known."""

from __future__ import annotations

from typing import Any

import pytest

from harness.competition.scoring.parameters import Parameter, at_least, between, one_of, prices, weight_of_each, whole


@pytest.mark.parametrize(
    ("parameter", "fit", "wrong"),
    [
        (at_least(2, 0), [0, 0.5, 3], [-1, True, "2", None, float("nan"), float("inf")]),
        (between(0.1, 0, 0.5), [1e-15, 0.4], [0, 0.5, "x"]),
        (between(0.8, 0, 1, with_low=True), [0, 0.99], [1, -0.1]),
        (whole(5, 1), [1, 7], [0, 1.0, True]),
        (one_of("a", "a", "b"), ["a", "b"], ["c", ["a"], 1]),
        (weight_of_each("classes"), [[1, 2.5, 0]], [[], [0, 0], [1, -1], [1, "2"], "12"]),
        (prices(), [[[0, 1, 2], [1, 0, 1], [-1, 1, 0]]], [None, [], [[]], [0, 1], [[0, 1], [1]], [[0, True], [1, 0]]]),
    ],
)
def test_what_fits_and_what_does_not(parameter: Parameter, fit: list[Any], wrong: list[Any]):
    assert [parameter.wrong(value, 3) for value in fit] == [None] * len(fit)
    for n in (None, 3):
        said = [parameter.wrong(value, n) for value in wrong if value is not None or parameter.required]
        assert all(said) and len(said) > 1


def test_a_parameter_that_nobody_gave_is_wrong_only_where_it_must_be_given():
    assert weight_of_each("classes").wrong(None, 3) is None
    assert "square list" in (prices().wrong(None, None) or "")
