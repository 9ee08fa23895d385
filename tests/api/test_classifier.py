"""`harness.ImageClassifier`: as scikit-learn's, with probabilities of rows that no model saw."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

import harness
from tests.api.test_samples import drawn
from tests.conftest import TINY_RECIPE


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(TINY_RECIPE)
    return str(path)


@pytest.fixture(scope="module")
def made(recipe: str) -> harness.ImageClassifier:
    return harness.ImageClassifier(recipe, folds=2, set={"train.epochs": 4}, workers=1)


@pytest.fixture(scope="module")
def fitted(made: harness.ImageClassifier) -> harness.ImageClassifier:
    images, names = drawn()
    return clone(made).fit(images, names)


def test_every_row_is_predicted_by_models_that_did_not_see_it(fitted: harness.ImageClassifier):
    names = drawn()[1]
    assert fitted.classes_.tolist() == ["circle", "square"] and fitted.oof_proba_.shape == (40, 2)
    right = (fitted.classes_[fitted.oof_proba_.argmax(axis=1)] == names).mean()
    assert fitted.oof_score_.metric == "accuracy" and fitted.oof_score_.value == pytest.approx(right)
    assert fitted.oof_score_.low <= right <= fitted.oof_score_.high
    np.testing.assert_array_equal(fitted.run_.oof["label"], names)


def test_new_images_are_predicted(fitted: harness.ImageClassifier):
    images, names = drawn(20, seed=1)
    proba = fitted.predict_proba(images)
    assert proba.shape == (20, 2) and np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert fitted.predict(images).tolist() == fitted.classes_[proba.argmax(axis=1)].tolist()
    assert fitted.score(images, names) == (fitted.predict(images) == names).mean()


def test_a_pickle_keeps_the_run(fitted: harness.ImageClassifier):
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    images, _ = drawn(5, seed=2)
    assert again.run_.path == fitted.run_.path
    np.testing.assert_array_equal(again.predict_proba(images), fitted.predict_proba(images))


def test_parameters_and_what_is_not_fitted(made: harness.ImageClassifier):
    other = clone(made).set_params(folds=3, set={"train.lr": 0.1})
    assert other.get_params()["folds"] == 3 and made.folds == 2 and "folds=3" in repr(other)
    with pytest.raises(NotFittedError):
        other.predict(drawn(2)[0])


def test_labels_are_any_values(made: harness.ImageClassifier):
    images, names = drawn()
    numbers = np.where(names == "circle", 7, -1)
    found = clone(made).fit(images, numbers)
    assert found.classes_.tolist() == [-1, 7] and set(found.predict(images[:4])) <= {-1, 7}


def test_rows_of_pixels_are_images(made: harness.ImageClassifier, fitted: harness.ImageClassifier):
    images, names = drawn()
    rows = clone(made).set_params(image_shape=(12, 12)).fit(images.reshape(40, -1).astype(float), names)
    np.testing.assert_array_equal(rows.oof_proba_, fitted.oof_proba_)
    assert rows.n_features_in_ == 144
    with pytest.raises(ValueError, match="is no pixel"):
        rows.predict(images.reshape(40, -1) / 255)


def test_groups_share_a_fold(made: harness.ImageClassifier):
    images, names = drawn()
    found = clone(made).fit(images, names, groups=np.arange(40) // 4)
    folds = found.run_.oof["fold"].to_numpy().reshape(-1, 4)
    assert (folds == folds[:, :1]).all()


def test_it_is_searched_as_any_estimator(made: harness.ImageClassifier):
    images, names = drawn()
    search = GridSearchCV(made, {"set": [{"train.epochs": 1}, {"train.epochs": 2}]}, cv=2).fit(images, names)
    assert search.best_params_["set"]["train.epochs"] in (1, 2)


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (np.zeros((4, 5, 5)), [0, 1, 0, 1], "X: are float64"),
        (np.zeros((4, 5, 5), np.uint8), [0, 1, 0], "y: has 3 rows, X 4"),
        (np.zeros((4, 5, 5), np.uint8), [0.5, 1.5, 2.5, 3.5], "Unknown label type: continuous"),
        (np.zeros((4, 5, 5), np.uint8), [1, 1, 1, 1], "two classes or more"),
        (np.zeros((4, 5, 5), np.uint8), None, "requires y to be passed"),
    ],
)
def test_what_does_not_fit_is_a_value_error(made: harness.ImageClassifier, X: Any, y: Any, said: str):
    with pytest.raises(ValueError, match=said):
        clone(made).fit(X, y)


class OnNumbers(harness.ImageClassifier):
    """The estimator on the tables of numbers that scikit-learn's checks draw: each value is a pixel, brought to 0 to 255."""

    def _pictures(self, rows: np.ndarray) -> np.ndarray:
        pixels = (255 / (1 + np.exp(-np.asarray(rows, np.float64)))).round().astype(np.uint8)
        return np.repeat(pixels[:, None, :], 4, axis=1).repeat(4, axis=2)


def named(check: Any) -> str:
    return getattr(check, "func", check).__name__


CHECKS = [check for _, check in estimator_checks_generator(OnNumbers(image_shape=(1, 1)))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_scikit_learns_checks_pass(check: Any, recipe: str):
    """All of them: none is left out."""
    estimator = OnNumbers(recipe, folds=2, set={"train.epochs": 1}, image_shape=(1, 1), workers=1)
    check(estimator)
