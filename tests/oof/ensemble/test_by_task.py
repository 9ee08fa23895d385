"""Ensembles of labels, grades and numbers: each way gives outputs of the task, and is scored by its decision, cross-fitted."""

from __future__ import annotations

import numpy as np
import pytest
import typer
from sklearn.linear_model import LogisticRegression, Ridge

from harness.competition.metrics import Metric
from harness.competition.scoring.registry import LABELS, NUMBERS, find_metric
from harness.competition.tasks import TASKS
from harness.oof.ensemble.by_task import EVERY, methods_of
from harness.oof.ensemble.cross_fit import cross_fit
from harness.oof.ensemble.shrunk import linear, log_odds, logistic, sigmoid
from harness.oof.predictions import Predictions
from harness.runs import Folds


def labelled(seed: int = 0, n: int = 400, t: int = 4, noises: tuple[float, ...] = (0.5, 2.0, 2.0)):
    """Labels, and models that see them through more or less noise."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, t)) < np.linspace(0.1, 0.5, t)).astype(np.float32)
    models = [sigmoid(2 * truth - 1.5 + rng.normal(0, noise, truth.shape)) for noise in noises]
    return np.stack(models).astype(np.float32), truth


def graded(seed: int = 0, n: int = 300):
    rng = np.random.default_rng(seed)
    grade = rng.integers(0, 4, n)
    distance = np.abs(
        np.arange(4) - (grade * 0.6 + 1.0)[:, None]
    )  # pressed towards the upper grades: cuts are worth something
    models = [np.exp(-1.5 * distance + rng.normal(0, 0.4, (n, 4))) for _ in range(3)]
    return np.stack([m / m.sum(axis=1, keepdims=True) for m in models]).astype(np.float32), grade


def numbered(seed: int = 0, n: int = 400):
    rng = np.random.default_rng(seed)
    truth = np.column_stack([rng.normal(5, 1, n), rng.normal(0, 100, n)]).astype(np.float32)
    models = [truth * 0.5 + truth.std(axis=0) * rng.normal(0, s, truth.shape) for s in (0.2, 0.6, 0.6)]
    return np.stack(models).astype(np.float32), truth


CASES = {
    "multilabel": (labelled, find_metric("macro_f1", LABELS)),
    "ordinal": (graded, TASKS["ordinal"].metric(find_metric("quadratic_kappa"))),
    "regression": (numbered, find_metric("rmse", NUMBERS)),
}


def predictions(task: str, proba: np.ndarray, labels: np.ndarray, kept: np.ndarray | None = None) -> Predictions:
    n = len(labels)
    folds = Folds(np.arange(n).astype(str), np.arange(n) // 2, (np.arange(n) // 2 % 4).astype(np.int8), kept)
    return Predictions(tuple(map(str, range(len(proba)))), labels, folds, proba, None, None, TASKS[task])


@pytest.mark.parametrize(("task", "name"), [(t, name) for t in CASES for name in methods_of(TASKS[t])])
def test_every_method_gives_outputs_of_the_task(task: str, name: str):
    make, metric = CASES[task]
    proba, labels = make()
    method = methods_of(TASKS[task])[name]
    out = method.apply(proba, method.fit(proba, labels, metric))
    assert out.shape == proba.shape[1:] and not TASKS[task].wrong_rows(out).any()


@pytest.mark.parametrize("task", CASES)
def test_scores_are_of_the_decision_that_the_other_folds_have(task: str):
    make, metric = CASES[task]
    proba, labels = make()
    kept = np.arange(len(labels)) % 11 != 0
    given, kind = predictions(task, proba, labels, kept), TASKS[task]
    for result in cross_fit(given, metric, ["stacking"]):
        outputs, fold = result.oof.astype(np.float32)[kept], given.folds.fold[kept]
        by_hand = outputs
        if kind.decides:
            by_hand = outputs.copy()
            for k in range(4):
                decision = kind.fit_decision(metric, labels[kept][fold != k], outputs[fold != k])
                by_hand[fold == k] = kind.decide(outputs[fold == k], decision)
        assert result.score == pytest.approx(metric(labels[kept], by_hand), abs=1e-6)


@pytest.mark.parametrize("task", CASES)
def test_a_fold_is_combined_by_what_the_others_taught(task: str):
    """Other targets in fold 1 change no output of fold 1."""
    make, metric = CASES[task]
    proba, labels = make()
    given = predictions(task, proba, labels)
    mine, other = given.folds.fold == 1, labels.copy()
    other[mine] = labels[mine][::-1]
    for first, second in zip(cross_fit(given, metric), cross_fit(predictions(task, proba, other), metric), strict=True):
        np.testing.assert_array_equal(first.oof[mine], second.oof[mine], err_msg=first.method.name)


@pytest.mark.parametrize("task", CASES)
def test_what_learns_finds_the_best_model(task: str):
    make, metric = CASES[task]
    if task == "ordinal":
        proba, labels = make()
        proba = np.stack([proba[0], *np.random.default_rng(1).dirichlet(np.ones(4), (3, len(labels)))]).astype(
            np.float32
        )
    else:
        proba, labels = make()
    found = {
        r.method.name: r for r in cross_fit(predictions(task, proba, labels), metric, ["stacking", "hill_climbing"])
    }
    assert found["stacking"].gain_low > 0 and found["hill_climbing"].gain_low > 0


def test_labels_drawn_by_chance_are_not_found():
    """Stacked on noise the cross-fitted score is that of chance, where the in-sample score is above it."""
    metric, values, flattered = find_metric("roc_auc", LABELS), [], []
    for seed in range(6):
        proba, _ = labelled(seed, n=200)
        truth = (np.random.default_rng(seed + 100).random((200, 4)) < 0.3).astype(np.float32)
        result = cross_fit(predictions("multilabel", proba, truth), metric, ["stacking"])[1]
        values.append(result.score)
        flattered.append(result.in_sample)
    error = np.std(values, ddof=1) / np.sqrt(6)
    assert np.mean(values) < 0.5 + 3 * error and np.mean(flattered) > np.mean(values)


def test_a_label_that_no_row_has_stays_near_the_mean():
    proba, truth = labelled()
    truth[:, 0] = 0
    method = methods_of(TASKS["multilabel"])["stacking"]
    fitted = method.fit(proba, truth, find_metric("macro_f1", LABELS))
    assert np.isfinite(fitted).all()
    assert method.apply(proba, fitted)[:, 0].mean() < sigmoid(log_odds(proba).mean(axis=0))[:, 0].mean()
    few = method.fit(proba[:, :3], truth[:3], find_metric("macro_f1", LABELS))
    assert np.abs(few[:, :-1]).max() < 0.3  # three rows teach little


def test_one_model_is_left_as_it_is_by_weights_and_corrected_by_scaling():
    proba, labels = numbered()
    methods = methods_of(TASKS["regression"])
    scaling = methods["scaling"]
    out = scaling.apply(proba[:1], scaling.fit(proba[:1], labels, find_metric("rmse", NUMBERS)))
    metric = find_metric("rmse", NUMBERS)
    assert metric(labels, out) < 0.7 * metric(labels, proba[0])
    assert (out >= labels.min(axis=0)).all() and (out <= labels.max(axis=0)).all()
    np.testing.assert_allclose(methods["median"].apply(proba, None), np.median(proba.astype(float), axis=0))


def test_the_logistic_model_is_scikit_learns_where_there_is_no_offset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = (rng.random(300) < sigmoid(x @ [1.0, -2.0, 0.5])).astype(float)
    ours = logistic(np.zeros(300), x, y, np.full(3, 2.0))
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10).fit(x, y).coef_[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    far = logistic(np.full(300, 30.0), x, np.zeros(300), np.full(3, 1e-3))  # a start that is badly wrong
    assert np.isfinite(far).all()


def test_the_linear_model_is_a_ridge_regression():
    rng = np.random.default_rng(0)
    x, offset = rng.normal(size=(200, 3)), rng.normal(size=200)
    y = offset + x @ [0.3, 0.0, -0.2] + rng.normal(0, 0.1, 200)
    ours = linear(offset, x, y, np.full(3, 4.0))
    noise = ((y - offset - x @ ours) ** 2).mean()
    theirs = Ridge(alpha=4.0 * noise, fit_intercept=False).fit(x, y - offset).coef_
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_a_metric_of_ones_own_is_answered_by_the_decision_too():
    proba, truth = labelled(n=120)
    own = Metric("own", lambda y, o: lambda w: float(((o >= 0.5) == (y >= 0.5)).mean()), of_answers=True)
    kind = TASKS["multilabel"]
    [mean] = cross_fit(predictions("multilabel", proba, truth), own, ["mean"])
    told = kind.find_decision(own, truth, mean.oof.astype(np.float32), np.arange(120) // 2 % 4)
    assert len(told["folds"]) == 4 and 0 <= mean.score <= 1


def test_every_way_is_named_in_help():
    from harness.oof.__main__ import app

    (option,) = [p for p in typer.main.get_command(app).commands["ensemble"].params if p.name == "method"]
    assert {word.strip(",.;:") for word in option.help.split()} >= EVERY
