"""Which rule is believed, what it has not seen, and how wide it thinks its errors are."""

from __future__ import annotations

import numpy as np
import pytest

from harness.oof.forecast.calibration import Cells, calibrate
from harness.oof.forecast.estimators import ESTIMATORS

E = len(ESTIMATORS)


def cells(of: str = "threshold", slope: float = 1.0, noise: float = 0.0, seed: int = 0) -> Cells:
    """Twelve corruptions in five severities, whose fall is what one estimator says, times a slope."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"c{i}" for i in range(12)], 5)
    said = rng.uniform(0, 0.4, (60, E)) * np.tile(np.linspace(0.1, 1, 5), 12)[:, None]
    truth = slope * said[:, list(ESTIMATORS).index(of)]
    looks = np.tile(np.linspace(0, 2, 5), 12)[:, None]
    return Cells(names, np.tile(np.arange(1, 6), 12), said, truth * (1 + noise * rng.normal(size=60)), looks, 0.01)


@pytest.mark.parametrize(("of", "slope", "rule"), [("threshold", 1.0, "threshold"), ("prior", 2.5, "prior, scaled")])
def test_the_rule_that_is_right_is_found(of: str, slope: float, rule: str):
    found = calibrate(cells(of, slope))
    assert rule in (found.rule, "prior, scaled") and found.error == pytest.approx(0, abs=1e-9)
    said = np.full(E, 0.1)
    assert found.fall(said) == pytest.approx(slope * 0.1)


def test_an_estimator_that_cannot_be_had_is_not_trusted():
    usable = np.array([name != "threshold" for name in ESTIMATORS])
    found = calibrate(cells("threshold"), usable)
    assert found.coefficients[list(ESTIMATORS).index("threshold")] == 0
    assert np.isfinite(found.fall(np.where(usable, 0.1, np.nan)))


def test_a_corruption_is_foretold_without_its_own_truth():
    one, other = cells(noise=0.3), cells(noise=0.3)
    own = other.names == "c3"
    other.truth[own] = 0.9

    def foretold(c: Cells) -> np.ndarray:
        found = calibrate(c)
        return found.foretold[own] if found.rule == "threshold" else found.foretold[own] * np.nan

    np.testing.assert_allclose(foretold(one), foretold(other))
    assert np.isfinite(foretold(one)).all()


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


def test_what_only_far_images_do_says_nothing_of_near_ones():
    blind = cells(noise=0.1)
    deep = blind.names == "c3"
    blind.said[deep], blind.truth[deep], blind.looks[deep] = 0.001, 5.0, 2.0  # no estimator sees it

    def width(looks: float | None) -> float:
        found = calibrate(blind, looks=None if looks is None else np.array([looks]))
        return float(np.subtract(*np.quantile(found.draws(0.01, 4000, np.random.default_rng(0)), [0.95, 0.05])))

    assert width(0.0) < 0.1 < 1 < width(None) < 2 * width(2.0)


def test_a_mix_goes_with_what_it_is_made_of():
    names = np.array(["camera", "handheld", "blur", "flips", "occlusion"])
    some = Cells(names, np.ones(5, int), np.zeros((5, E)), np.zeros(5), np.zeros((5, 1)), 0.01)
    assert set(some.without({"blur"}).names) == {"flips", "occlusion"}
    assert set(some.without({"camera"}).names) == {"blur", "flips", "occlusion"}
    assert set(some.without({"occlusion"}).names) == {"camera", "handheld", "blur", "flips"}


def test_the_mixes_are_made_of_what_the_suite_has():
    from harness.oof.forecast.calibration import MADE_OF
    from harness.train.corruptions import CORRUPTIONS

    assert set(MADE_OF) | set.union(*MADE_OF.values()) <= set(CORRUPTIONS)
