"""Cross-validated image classification in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from harness.api.calls import place
from harness.api.run import FinishedRun, Score
from harness.api.samples import Samples, image_array
from harness.api.training import cv
from harness.base.errors import UserError


class InputError(UserError, ValueError):
    """A `UserError` for what scikit-learn expects a `ValueError` of: arrays that do not fit."""


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """A recipe, cross-validated by `fit`; the models of all folds together predict new images.

    Every training row is predicted by the models that did not see it, so `oof_proba_` and `oof_score_` are honest, and no further
    split is needed to know what the classifier is worth. Fitting the same rows by the same parameters again reads the run that stands.

    Parameters
    ----------
    recipe : built-in (quick, strong, transfer, finetune), or a path that ends in .toml
    folds : number of folds; None = as the recipe has it
    set : what is changed of the recipe, {"train.epochs": 3}
    metric : what `oof_score_` is of
    symmetries : changes that leave the label as it is: hflip, vflip, rot90, rot180, rot270
    image_shape : (H, W) or (H, W, C), where X has a row of pixels for each image; None: X is images (n, H, W[, C])
    random_state : seed of weights, order and augmentation; None = the recipe's, so that every fit gives the same
    device : auto, cpu, cuda, cuda:N or mps
    workers : folds side by side; None = one per GPU, else per core
    name, out : of the run's folder, <out>/oof/<name>/; out = None: in the cache
    verbose : whether progress is shown

    Attributes
    ----------
    classes_ : values of y, sorted
    oof_proba_ : float32 (n, K), of each training row by models that did not see it
    oof_score_ : (metric, value, low, high), over all rows, with the 95 % interval
    run_ : the run: scores by fold, page, errors, forecast
    n_features_in_ : pixels of an image, where X has a row for each
    """

    def __init__(
        self,
        recipe: str = "quick",
        *,
        folds: int | None = 5,
        set: Mapping[str, Any] | None = None,
        metric: str = "accuracy",
        symmetries: Sequence[str] = (),
        image_shape: Sequence[int] | None = None,
        random_state: int | None = None,
        device: str = "auto",
        workers: int | None = None,
        name: str = "estimator",
        out: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.folds = folds
        self.set = set
        self.metric = metric
        self.symmetries = symmetries
        self.image_shape = image_shape
        self.random_state = random_state
        self.device = device
        self.workers = workers
        self.name = name
        self.out = out
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> ImageClassifier:
        """Cross-validate on images and their classes.

        X : uint8 (n, H, W) or (n, H, W, C), or with `image_shape` whole numbers from 0 to 255 (n, H * W * C)
        y : classes (n,); groups : rows of equal values share a fold

        Raises
        ------
        UserError
            Of arrays that do not fit (a ValueError too), and of whatever else the user can put right.
        """
        images, target = self._images(X, y)
        check_classification_targets(target)
        try:
            kinds = len(np.unique(target))
            samples = Samples(
                images,
                target,
                groups=groups,
                task="binary" if kinds == 2 else "single",
                metric=self.metric,
                symmetries=tuple(self.symmetries),
                name=self.name,
            )
        except UserError as error:
            raise InputError(str(error)) from None
        self.run_: FinishedRun = cv(
            samples,
            str(self.recipe),
            set=self._settings(),
            device=self.device,
            workers=self.workers,
            out=samples.folder.parent if self.out is None else place(self.out),
            quiet=not self.verbose,
        )
        self.classes_: np.ndarray = samples.targets.originals
        self.oof_proba_: np.ndarray = np.array(self.run_.record.oof, dtype=np.float32)
        self.oof_score_: Score = self.run_.score
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities float32 (n, K), the columns in the order of `classes_`."""
        check_is_fitted(self, "run_")
        images = self._images(X)
        try:
            return self.run_.predict(images, device=self.device)
        except UserError as error:
            raise InputError(str(error)) from None

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class (n,)."""
        proba = self.predict_proba(X)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {} if self.folds is None else {"cv.folds": self.folds}
        settings |= {} if self.random_state is None else {"seed": int(self.random_state)}
        return settings | dict(self.set or {})

    def _images(self, X: Any, *y: Any) -> Any:
        """Images uint8 (n, H, W[, C]); with y (images, y), y (n,)."""
        if self.image_shape is not None:
            checked = validate_data(self, X, *y, reset=bool(y), ensure_min_samples=1)
            rows, target = checked if y else (checked, None)
            images = self._pictures(rows)
        else:
            try:
                images, target = image_array(X, "X"), (y[0] if y else None)
            except UserError as error:
                raise InputError(str(error)) from None
        if not y:
            return images
        if target is None:
            raise InputError("requires y to be passed, but the target y is None")
        target = column_or_1d(target, warn=True)
        if len(target) != len(images):
            raise InputError(f"y: has {len(target):,} rows, X {len(images):,}; every image needs its own")
        if len(images) < 2:
            raise InputError("n_samples = 1: from one image nothing can be learnt")
        return images, target

    def _pictures(self, rows: np.ndarray) -> np.ndarray:
        """Rows of pixels (n, H * W * C) as images."""
        shape = tuple(int(side) for side in self.image_shape or ())
        if len(shape) not in (2, 3) or int(np.prod(shape)) != rows.shape[1]:
            raise InputError(f"X: has {rows.shape[1]} values a row; image_shape = {shape} wants {int(np.prod(shape))}")
        if rows.dtype != np.uint8:
            whole = rows.round()
            wrong = np.argwhere((whole != rows) | (rows < 0) | (rows > 255))
            if len(wrong):
                row, column = wrong[0]
                raise InputError(
                    f"X: row {row}, column {column} (from 0): {rows[row, column]} is no pixel, a whole number from 0 to 255; scale X: "
                    "(255 * x / x.max()).round()"
                )
            rows = whole.astype(np.uint8)
        return rows.reshape(-1, *shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = self.image_shape is None
        return tags
