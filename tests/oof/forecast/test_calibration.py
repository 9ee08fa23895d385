"""Which rule is believed, what it has not seen, and how wide it thinks its errors are."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.metrics import custom_metric
from harness.competition.scoring.registry import find_metric
from harness.oof.forecast.calibration import Cells, Link, calibrate
from harness.oof.forecast.estimators import ESTIMATORS, Known

E = len(ESTIMATORS)
LINK = Link(0.1, 1.0)  # accuracy 0.9


def cells(of: str = "threshold", slope: float = 1.0, noise: float = 0.0, seed: int = 0) -> Cells:
    """Twelve corruptions in five severities, whose fall is what one estimator says, times a slope."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"c{i}" for i in range(12)], 5)
    said = rng.uniform(0, 0.4, (60, E)) * np.tile(np.linspace(0.1, 1, 5), 12)[:, None]
    truth = slope * said[:, list(ESTIMATORS).index(of)]
    looks = np.tile(np.linspace(0, 2, 5), 12)[:, None]
    return Cells(
        names, np.tile(np.arange(1, 6), 12), said, truth * (1 + noise * rng.normal(size=60)), looks, 0.01, LINK
    )


@pytest.mark.parametrize("of", ["threshold", "prior"])
def test_the_estimator_that_is_right_has_most_of_the_weight(of: str):
    found = calibrate(cells(of))
    assert found.coefficients.argmax() == list(ESTIMATORS).index(of) and of in found.rule
    assert found.error < 0.01
    assert found.fall(np.full(E, 0.1)) == pytest.approx(0.1, abs=0.02)


def test_an_estimator_that_cannot_be_had_is_not_trusted():
    usable = np.array([name != "threshold" for name in ESTIMATORS])
    found = calibrate(cells("threshold"), usable)
    assert found.coefficients[list(ESTIMATORS).index("threshold")] == 0
    assert np.isfinite(found.fall(np.where(usable, 0.1, np.nan)))


def test_a_corruption_is_foretold_without_its_own_truth():
    one, other = cells(noise=0.3), cells(noise=0.3)
    own = other.names == "c3"
    other.truth[own] = 0.9

    said, other_said = (calibrate(c).foretold[own] for c in (one, other))
    np.testing.assert_allclose(said, other_said)
    assert not np.allclose(calibrate(one).coefficients, calibrate(other).coefficients)


def test_leaving_corruptions_out_takes_their_rows():
    left = cells().without({"c0", "c5"})
    assert len(left.names) == len(left.said) == len(left.truth) == 50 and not {"c0", "c5"} & set(left.names)


def test_ninety_percent_of_new_corruptions_fall_inside():
    rng, inside = np.random.default_rng(5), []
    for seed in range(30):
        found = calibrate(cells(noise=0.3, seed=seed))
        for size in (0.05, 0.2):
            truth = size * (1 + 0.3 * rng.normal())
            low, high = np.quantile(found.draws(found.fall(np.full(E, size)), 2000, rng), [0.05, 0.95])
            inside.append(low <= truth <= high)
    assert 0.8 <= np.mean(inside) <= 0.99


def test_deep_falls_are_less_sure_than_small_ones():
    found, rng = calibrate(cells(noise=0.2)), np.random.default_rng(0)
    widths = [np.subtract(*np.quantile(found.draws(f, 4000, rng), [0.95, 0.05])) for f in (0.0, 0.1, 0.4)]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize(
    ("metric", "score"), [("accuracy", 0.97), ("accuracy", 0.3), ("quadratic_kappa", 0.8), ("log_loss", 0.4)]
)
def test_a_fall_comes_back_from_the_links_scale_and_never_leaves_the_metrics_bounds(metric: str, score: float):
    known = of_score(metric, score)
    link = Link.of(known, 1000)
    falls = np.array([-0.02, 0.0, 0.01, 0.1, 0.25])
    np.testing.assert_allclose(link.back(link(falls)), falls, atol=1e-9)
    assert link(0.0) == pytest.approx(0) and (np.diff(link(falls)) > 0).all()
    scores = score - known.sign * link.back(np.array([-1e3, -5, 5, 1e3]))
    low, high = known.metric.bounds
    assert (scores >= low).all() and (scores <= high).all()


def test_a_metric_of_ones_own_has_no_bounds_and_is_taken_as_it_is():
    link = Link.of(
        Known(custom_metric(lambda labels, proba: 84.0), np.zeros(3, int), np.ones((3, 1)), np.zeros(0, int)), 3
    )
    assert link(7.5) == 7.5 and link.back(-3.0) == -3.0


def test_a_run_without_a_mistake_has_half_a_mistake():
    assert Link.of(of_score("accuracy", 1.0), 100).error == pytest.approx(0.005)


def of_score(metric: str, score: float) -> Known:
    """Rows that are known by their score only."""
    known = Known(find_metric(metric), np.zeros(4, dtype=int), np.ones((4, 2)) / 2, np.zeros(0, dtype=int))
    known.__dict__.update(score=score, by_chance=0.1)
    return known


def test_few_corruptions_that_speak_are_helped_by_what_is_usual():
    """Of one that is near and was foretold well by luck nobody concludes that forecasts are exact, nor that anything may be."""
    some = cells(noise=0.3)
    lucky = some.names == "c3"
    some.truth[lucky] = some.said[lucky, list(ESTIMATORS).index("threshold")]
    some.looks[~lucky] += 5.0
    found = calibrate(some)
    found.likeness[:] = lucky
    width = np.subtract(*np.quantile(found.draws(0.1, 4000, np.random.default_rng(0)), [0.95, 0.05]))
    usual = calibrate(some).draws(0.1, 4000, np.random.default_rng(0))
    assert 0.3 < width / np.subtract(*np.quantile(usual, [0.95, 0.05])) < 2


def test_what_only_far_images_do_says_nothing_of_near_ones():
    blind = cells(noise=0.1)
    deep = blind.names == "c3"
    blind.said[deep], blind.truth[deep], blind.looks[deep] = 0.001, 5.0, 2.0  # no estimator sees it

    def width(looks: float | None) -> float:
        found = calibrate(blind, looks=None if looks is None else np.array([looks]))
        return float(np.subtract(*np.quantile(found.draws(0.01, 4000, np.random.default_rng(0)), [0.95, 0.05])))

    assert width(0.0) < 0.1 < 0.5 < width(None) < 2 * width(2.0)


def test_a_mix_goes_with_what_it_is_made_of():
    names = np.array(["camera", "handheld", "blur", "flips", "occlusion"])
    some = Cells(names, np.ones(5, int), np.zeros((5, E)), np.zeros(5), np.zeros((5, 1)), 0.01, LINK)
    assert set(some.without({"blur"}).names) == {"flips", "occlusion"}
    assert set(some.without({"camera"}).names) == {"blur", "flips", "occlusion"}
    assert set(some.without({"occlusion"}).names) == {"camera", "handheld", "blur", "flips"}


def test_the_mixes_are_made_of_what_the_suite_has():
    from harness.oof.forecast.calibration import MADE_OF
    from harness.train.corruptions import CORRUPTIONS

    assert set(MADE_OF) | set.union(*MADE_OF.values()) <= set(CORRUPTIONS)
