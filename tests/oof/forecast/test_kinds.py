"""What classes, labels and numbers answer: beliefs that keep their promise, bounds that hold for any predictions, falls that are seen."""

from __future__ import annotations

import numpy as np
import pytest

from harness.competition.scoring.registry import LABELS, NUMBERS, find_metric, metric_names
from harness.oof.forecast import kinds
from harness.oof.forecast.estimators import ESTIMATORS, Known, Unknown, drops, gain_of_averaging
from harness.oof.forecast.kinds import Classes, Labels, Numbers

N = 4000


def labels_of(n: int = N, seed: int = 0, n_labels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them; some are rare."""
    rng = np.random.default_rng(seed)
    proba = rng.beta(0.4, np.linspace(0.5, 3, n_labels), (n, n_labels))
    return proba, (rng.random(proba.shape) < proba).astype(np.float32)


def numbers_of(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets of two columns that err by 0.5 and 30."""
    rng = np.random.default_rng(seed)
    outputs = np.column_stack([rng.normal(3, 1, n), rng.normal(200, 80, n)])
    return outputs, outputs + rng.normal(size=(n, 2)) * [0.5, 30]


def test_dispersity_is_the_same_of_few_rows_and_of_many_classes_it_says_nothing(monkeypatch: pytest.MonkeyPatch):
    proba = np.random.default_rng(0).dirichlet(np.ones(30), 12)
    kind = Classes(np.zeros(12, dtype=np.int64), proba)
    assert (
        kind.dispersity(proba) == pytest.approx(np.linalg.norm(proba, "nuc") / np.sqrt(proba.size)) and not kind.unsaid
    )
    monkeypatch.setattr(kinds, "_MOST_CLASSES", 20)
    assert kind.dispersity(proba) > 0 and kind.unsaid == "prior"  # twelve rows are few
    many = Classes(np.zeros(48, dtype=np.int64), np.tile(proba, (4, 1)))
    assert np.isnan(many.dispersity(many.outputs)) and many.unsaid == "prior and dispersity"


@pytest.mark.parametrize("name", [n for n in metric_names(LABELS) if n != "map_at_k"])
def test_calibrated_labels_promise_the_score_that_they_get(name: str):
    metric = find_metric(name, LABELS)
    proba, labels = labels_of()
    kind = Labels(labels, proba)
    assert kind.expected(metric, proba, kind.belief(proba, 1.0)) == pytest.approx(metric(labels, proba), abs=0.02)


def test_probabilities_that_a_loss_has_moved_are_moved_back_label_by_label():
    proba, labels = labels_of(20_000)
    odds = np.log(proba / (1 - proba) + 1e-9)
    moved = 1 / (1 + np.exp(-(2.0 * odds + np.linspace(-1, 2, 6))))
    found = Labels(labels, moved).belief(moved, 1.0)
    assert np.abs(found.mean(axis=0) - labels.mean(axis=0)).max() < 0.02
    assert np.abs(found - proba).mean() < 0.03


@pytest.mark.parametrize("name", metric_names(NUMBERS))
def test_numbers_with_residuals_as_seen_promise_the_score_that_they_get(name: str):
    metric = find_metric(name, NUMBERS)
    outputs, targets = numbers_of()
    outputs, targets = outputs + 500, targets + 500  # no number below zero, of which a logarithm takes nothing
    kind = Numbers(targets, outputs)
    truth = metric(targets, outputs)
    assert kind.expected(metric, outputs, kind.belief(outputs, 1.0)) == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("name", ["rmse", "mcrmse", "mae", "rmsle"])
def test_models_that_disagree_err_at_least_so_much_whatever_the_truth(name: str):
    metric, rng = find_metric(name, NUMBERS), np.random.default_rng(0)
    for _ in range(20):
        models = [np.abs(rng.normal(2, 1, (50, 2))) * rng.lognormal() for _ in range(3)]
        truth = np.abs(rng.normal(2, 3, (50, 2)))
        alone = np.mean([metric(truth, model) for model in models])
        assert Numbers(truth, models[0]).least_error(metric, models) <= alone + 1e-9
    assert Numbers(truth, models[0]).least_error(find_metric("r2", NUMBERS), models) == -np.inf


def test_the_gain_of_averaging_squared_errors_is_their_spread():
    """Krogh and Vedelsby 1995: the mean's squared error is the models' mean one less their variance."""
    outputs, targets = numbers_of()
    rng, metric = np.random.default_rng(1), find_metric("rmse", NUMBERS)
    models = [outputs + rng.normal(size=outputs.shape) * [0.3, 20] for _ in range(4)]
    alone = float(np.mean([metric(targets, m) for m in models]))
    truth = alone - metric(targets, np.mean(models, axis=0))
    found = gain_of_averaging(metric, models, alone, kind=Numbers(targets, models[0]))
    assert found == pytest.approx(truth, rel=0.1) and truth > 0


def test_the_gain_of_averaging_labels_is_found_with_their_decision():
    proba, labels = labels_of()
    rng, metric = np.random.default_rng(1), find_metric("samples_f1", LABELS)
    odds = np.log(proba + 1e-6) - np.log(1 - proba + 1e-6)
    models = [1 / (1 + np.exp(-(odds + rng.normal(0, 1.5, odds.shape)))) for _ in range(4)]

    def judge(outputs: np.ndarray) -> np.ndarray:
        return (outputs >= 0.3).astype(np.float32)

    alone = float(np.mean([metric(labels, judge(m)) for m in models]))
    truth = metric(labels, judge(np.mean(models, axis=0))) - alone
    found = gain_of_averaging(metric, models, alone, kind=Labels(labels, models[0]), judge=judge)
    assert truth > 0.01 and found == pytest.approx(truth, abs=0.02)


def test_estimators_that_a_kind_has_not_are_nan_and_the_others_see_nothing_on_the_same_rows():
    had = {}
    for kind, (outputs, targets), name in ((Labels, labels_of(), "samples_f1"), (Numbers, numbers_of(), "rmse")):
        of = LABELS if kind is Labels else NUMBERS
        known = Known(find_metric(name, of), targets, outputs, np.arange(N), kind)
        found = dict(zip(ESTIMATORS, drops(known, Unknown(outputs, np.ones(N), auc=0.5)), strict=True))
        had[kind] = {n for n, value in found.items() if np.isfinite(value)}
        for n in had[kind]:
            assert found[n] == pytest.approx(0, abs=0.02 * known.unit), n
    assert had[Labels] == {"confidence", "threshold", "entropy", "importance", "distance", "domain"}
    assert had[Numbers] == {"prior", "importance", "distance", "domain"}


def test_outputs_that_have_moved_are_seen():
    outputs, targets = numbers_of()
    assert Numbers(targets, outputs).distance(outputs + np.array([1.0, 0.0])) == pytest.approx(
        0.5 / targets[:, 0].std(), rel=0.02
    )
    proba, labels = labels_of()
    assert Labels(labels, proba).distance(proba * 0.3) > 0.2  # a model that sees nothing gives no label


def test_the_share_of_each_label_is_found_from_how_often_it_is_given():
    proba, labels = labels_of(20_000)
    other, truth = labels_of(20_000, seed=1)
    rows = np.random.default_rng(0).choice(
        20_000, 20_000, p=np.where(truth[:, 0] > 0, 3.0, 1.0) / np.where(truth[:, 0] > 0, 3.0, 1.0).sum()
    )
    here, there = Labels(labels, proba).shares(other[rows])
    assert np.abs(here - labels.mean(axis=0)).max() < 1e-6
    assert there[0] == pytest.approx(truth[rows, 0].mean(), abs=0.03) and there[0] > here[0] + 0.1


def test_disagreement_by_hand():
    a, b = np.array([[0.9, 0.1], [0.2, 0.2]]), np.array([[0.9, 0.8], [0.2, 0.2]])
    assert Labels().apart([a, b]) == 0.25 and "labels" in Labels().says_apart(0.25)
    targets = np.array([[0.0], [2.0]])
    kind = Numbers(targets, targets)
    assert kind.apart([targets, targets + 0.5]) == pytest.approx(0.5) and "standard deviations" in kind.says_apart(0.5)
