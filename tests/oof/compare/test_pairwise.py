"""The paired test: rows of a group are one piece of evidence, and of groups of one row it is McNemar's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.oof.compare.pairwise import paired_test


def test_of_single_rows_it_is_mcnemars():
    better = np.r_[np.ones(14), -np.ones(5), np.zeros(40)]
    assert paired_test(better, np.arange(59)) == pytest.approx(binomtest(14, 19, 0.5).pvalue, rel=1e-12)
    assert paired_test(np.zeros(5), np.arange(5)) == 1


def test_of_groups_it_counts_all_sign_flips():
    rng = np.random.default_rng(0)
    groups, better = rng.integers(0, 9, 60), rng.choice([-1.0, 0.0, 1.0], 60, p=[0.2, 0.3, 0.5])
    sums = np.bincount(groups, better)
    flipped = [abs(float(np.dot(signs, sums))) for signs in itertools.product((-1, 1), repeat=9)]
    expected = np.mean(np.array(flipped) >= abs(sums.sum()))
    assert len(set(np.abs(sums))) > 2
    assert paired_test(better, groups + 100) == pytest.approx(expected, rel=1e-9)


def test_equally_good_runs_that_are_right_or_wrong_by_patient_seldom_differ_beyond_chance():
    rng, groups = np.random.default_rng(1), np.repeat(np.arange(30), 40)
    found = []
    for _ in range(200):
        first, second = (np.repeat(rng.random(30) < 0.3, 40) ^ (rng.random(1200) < 0.05) for _ in range(2))
        found.append(paired_test(second * 1.0 - first, groups))
    assert np.mean(np.array(found) < 0.05) <= 0.09


def test_the_chance_is_never_below_that_of_all_groups_on_one_side():
    groups = np.repeat(np.arange(60), np.arange(60) % 7 + 1)
    assert paired_test(np.ones(len(groups)), groups) == pytest.approx(2.0**-59)
