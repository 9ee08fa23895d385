"""Odd rows are kept where the test holds about as many, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.clean.odd.belonging import belonging


def some(n: int, of: int) -> np.ndarray:
    return np.arange(of) < n


@pytest.mark.parametrize(
    ("odd", "n", "test_odd", "m", "kept"),
    [
        (9, 6283, 2, 1571, True),  # about as many
        (9, 6283, 3, 1571, True),
        (9, 6283, 0, 1571, False),
        (9, 6283, 1, 1571, False),  # less than half of the share
        (200, 2752, 3, 600, False),
        (200, 2752, 60, 600, True),
        (1, 6283, 1, 1571, True),
        (31, 240, 1, 20, False),
        (300, 20_000, 80, 6_000, True),  # a little less, and surely so: its world all the same
    ],
)
def test_the_share_of_the_test_decides(odd: int, n: int, test_odd: int, m: int, kept: bool):
    found = belonging(some(odd, n), some(test_odd, m))
    assert found.kept.sum() == (odd if kept else 0)
    assert not found.beyond.any()


def test_a_guess_needs_more_test_images_than_a_measurement():
    assert belonging(some(9, 6283), some(3, 1571)).kept.any()
    assert not belonging(some(9, 6283), some(3, 1571), least=5).kept.any()
    assert belonging(some(18, 6283), some(5, 1571), least=5).kept.any()


def test_both_shares_are_said():
    found = belonging(some(9, 6283), some(2, 1571))
    assert found.said(0, "as small") == "0.14 % of the training images and 0.13 % of the test images are as small: kept"
    assert belonging(some(9, 100), some(0, 50)).said(0, "as small") == (
        "9 % of the training images and none of the test images are as small"
    )


def test_too_few_test_images_to_tell_are_no_reason_that_reads_like_the_opposite():
    said = belonging(some(9, 6283), some(3, 1571), least=5).said(0, "as blurred")
    assert said.endswith(
        "0.19 % of the test images are as blurred, but 3 test images are too few to tell that they belong"
    )
    assert (
        belonging(some(2, 6283), some(1, 1571), least=5)
        .said(0, "as dark")
        .endswith("but 1 test image is too few to tell that they belong")
    )


def test_without_a_test_nothing_is_kept_and_that_is_said():
    found = belonging(some(9, 100), None)
    assert not found.kept.any() and found.said(0, "as small") == "no test images to hold it against"


def test_rows_odder_than_every_test_image_are_not_of_its_world_unless_they_are_few():
    odd, test_odd = some(60, 3000), some(10, 1000)
    level, test_level = np.zeros(3000), np.zeros(1000)
    level[:60], test_level[:10] = np.linspace(3, 5, 60), np.linspace(3, 5, 10)
    level[30:60] = 9.0
    found = belonging(odd, test_odd, level, test_level)
    assert found.kept.sum() == 30 and found.beyond.sum() == 30 and not (found.kept & found.beyond).any()
    assert found.said(59, "as dark") == "odder than every test image" and found.said(0, "as dark").endswith("kept")
    level[30:60], level[50:55] = 4.0, 9.0
    assert belonging(odd, test_odd, level, test_level).kept.all() == odd.all()
    assert belonging(odd, test_odd, level, test_level).kept.sum() == 60


def test_of_one_world_cut_at_random_most_odd_rows_are_kept():
    rng, kept, n_odd = np.random.default_rng(0), 0, 0
    for _ in range(200):
        level = rng.exponential(1.0, 5000)
        odd = level > 4.5
        found = belonging(odd[:4000], odd[4000:], level[:4000], level[4000:])
        kept, n_odd = kept + int(found.kept.sum()), n_odd + int(odd[:4000].sum())
    assert kept / n_odd > 0.9
