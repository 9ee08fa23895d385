"""The classes of a run's page, for a few of them, 121 and more than a thousand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.competition.train_spec import TrainSpec
from harness.cv.report.classes import balance_line, by_likeness, classes_section, most_confused
from harness.report.page import Page

NO_TEST = np.zeros((0, 2))


def page_of(n_classes: int, wrong: float, n: int = 4000) -> str:
    """Mistakes are made within threes: 0, 1, 2; 3, 4, 5; ..."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n)
    others = np.minimum(labels // 3 * 3 + rng.integers(0, 3, n), n_classes - 1)
    page = Page("Title", "Lead")
    predicted = np.where(rng.random(n) < wrong, others, labels)
    classes_section(page, labels, predicted, [f"kind-{i:04}" for i in range(n_classes)], NO_TEST)
    return page.html()


@pytest.mark.parametrize(
    ("n_classes", "maps", "folded"), [(3, 1, 0), (40, 1, 0), (41, 1, 2), (121, 1, 2), (1300, 1, 2)]
)
def test_a_page_is_small_and_complete_whatever_the_classes(n_classes: int, maps: int, folded: int):
    html = page_of(n_classes, 0.5)
    assert len(html) < 3_000_000
    assert html.count("<svg ") == maps and html.count('class="scroll long"') == folded
    named = set(re.findall(r'<th scope="row">(kind-\d+)</th>', html.split("<figure>")[0]))
    assert len(named) == min(n_classes, 1000)
    svg = re.findall("<svg.*?</svg>", html, re.DOTALL)[0]
    assert len(re.findall("<text[^>]*>kind-", svg)) == 2 * min(n_classes, 60)  # a label for each row and column


def test_a_run_without_mistakes_has_no_map():
    html = page_of(121, 0.0)
    assert "<svg" not in html and "commonest confusions" not in html


def test_the_lowest_f1_stand_first_and_of_equal_ones_the_more_frequent():
    labels = np.repeat(np.arange(50), np.arange(1, 51))
    predicted = np.where(labels < 25, 49, labels)
    page = Page("Title", "Lead")
    classes_section(page, labels, predicted, [str(i) for i in range(50)], NO_TEST)
    assert re.findall(r'<tr><th scope="row">(\d+)</th>', page.html())[:26] == [*map(str, range(24, -1, -1)), "49"]


def test_those_that_are_confused_stand_side_by_side():
    rng = np.random.default_rng(1)
    shuffle = rng.permutation(12)  # place -> class
    shares = np.eye(12) * 0.6
    for a in range(12):
        for b in range(12):
            if a != b and a // 3 == b // 3:
                shares[a, b] = 0.2 + 0.01 * rng.random()
    order = by_likeness(shares[np.ix_(shuffle, shuffle)])
    kinds = shuffle[order] // 3
    assert sorted(order) == list(range(12)) and (np.diff(kinds) != 0).sum() == 3
    assert sorted(by_likeness(np.zeros((12, 12)))) == list(range(12)) and by_likeness(np.eye(2)).tolist() == [0, 1]


def test_classes_that_take_part_in_no_mistake_are_left_out():
    labels, predicted = np.array([0, 0, 1, 2, 3, 3]), np.array([0, 1, 1, 2, 5, 5])
    assert most_confused(labels, predicted, 6, 60).tolist() == [0, 1, 3, 5]
    assert most_confused(labels, predicted, 6, 2).tolist() == [3, 5]


def test_what_a_recipe_does_about_unequal_classes_is_said():
    assert balance_line(TrainSpec(class_weights="balanced"), "log_loss") == ""
    both = TrainSpec(sampling="sqrt", logit_adjustment=0.5)
    assert balance_line(both, "log_loss").startswith(
        "train.sampling = 'sqrt', train.logit_adjustment = 0.5: predictions are brought back"
    )
    assert "favour rare classes" in balance_line(both, "f1(average=macro)")


def test_a_run_that_another_metric_judges_says_what_its_networks_do_and_how_to_have_it_otherwise():
    spec = TrainSpec(sampling="sqrt")
    said = balance_line(spec, "macro_f1", "accuracy")
    assert "brought back to the classes' shares in the training rows, since accuracy does not count" in said
    assert "macro_f1 would have it otherwise: --fresh" in said
    said = balance_line(spec, "accuracy", "macro_f1")
    assert "favour rare classes" in said and "accuracy would have it otherwise: --fresh" in said
    assert balance_line(spec, "log_loss", "accuracy") == balance_line(spec, "accuracy")
