"""Gradient-boosted trees on the columns beside the images, and on features of a frozen backbone where [features] is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.competition.recipe import BOOSTING, ModelSpec
from harness.competition.tasks import Task

_BACKBONE = ("backbone", "weights", "weights_sha256", "image_size", "levels", "drop_path")
_MOST_CATEGORIES = 254
"""Of a categorical column of scikit-learn's trees; rarer values are as unknown."""


@dataclass(frozen=True)
class Boosting:
    """What [model.args] of `boosting` says; scikit-learn's HistGradientBoosting does the work.

    Attributes
    ----------
    learning_rate, max_leaf_nodes, min_samples_leaf, l2, max_features : as scikit-learn has them
    max_iter : most rounds; how many are best is seen on a tenth of the training rows, whole groups of them
    """

    learning_rate: float
    max_iter: int
    max_leaf_nodes: int
    min_samples_leaf: int
    l2: float
    max_features: float

    def __post_init__(self) -> None:
        for name in ("learning_rate", "max_iter", "min_samples_leaf"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.max_leaf_nodes < 2 or self.l2 < 0 or not 0 < self.max_features <= 1:
            raise ValueError("max_leaf_nodes must be 2 or more, l2 0 or more, max_features above 0 and up to 1")


def boosting(
    height: int,
    width: int,
    channels: int,
    n_classes: int,
    *,
    learning_rate: float = 0.1,
    max_iter: int = 300,
    max_leaf_nodes: int = 15,
    min_samples_leaf: int = 10,
    l2: float = 1.0,
    max_features: float = 1.0,
    backbone: str = "",
    weights: str = "",
    weights_sha256: str = "",
    image_size: int = 0,
    levels: bool = False,
    drop_path: float = 0.0,
) -> Boosting:
    """Gradient-boosted trees on the columns (scikit-learn's HistGradientBoosting), and on features of a frozen backbone with [features].

    Parameters
    ----------
    learning_rate : factor of each tree
    max_iter : most rounds; how many are best is seen on a tenth of the training rows, whole groups of them
    max_leaf_nodes : most leaves of a tree
    min_samples_leaf : fewest rows of a leaf
    l2 : regularisation of the leaves' values
    max_features : share of the features that each split chooses from
    backbone, weights, weights_sha256, image_size, levels, drop_path : as of model `timm`; only with [features]
    """
    return Boosting(learning_rate, max_iter, max_leaf_nodes, min_samples_leaf, l2, max_features)


def backbone_of(spec: ModelSpec) -> ModelSpec:
    """The network whose pooled features a recipe with [features] is about: that of the recipe, or the one that trees see through."""
    if spec.name != BOOSTING:
        return spec
    return ModelSpec(name="timm", args={key: value for key, value in spec.args.items() if key in _BACKBONE})


class Trees:
    """Trees of one fold: fitted on its training rows, giving outputs as networks do.

    Parameters
    ----------
    spec : how they grow; task, n_outputs : what they predict
    categories : bool (F,), which columns hold places of a category
    """

    def __init__(self, spec: Boosting, task: Task, n_outputs: int, categories: np.ndarray, seed: int) -> None:
        self.spec, self.task, self.n_outputs, self.seed = spec, task, n_outputs, seed
        self.categories = categories
        self.parts: list[_Part] = []

    def fit(self, x: np.ndarray, targets: np.ndarray, held: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Fit on x float32 (n, F), NaN = not known, and targets as `Samples` has labels.

        held : bool (n,), rows by which the number of rounds is chosen before all rows are learnt from; none: a fixed number
        weights : float (n,) of each row, or (n, T) of each row's targets, in the loss that trees learn by; the number of rounds is chosen
            without them, as early stopping of networks watches a plain loss
        """
        tables = [targets] if self.task.is_one_class else list(targets.T)
        of_table = [weights] * len(tables) if weights is None or weights.ndim == 1 else list(weights.T)
        self.parts = [_Part(self, x, target, held, weight) for target, weight in zip(tables, of_table, strict=True)]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Outputs float32 (n, n_outputs): probabilities of classes or labels, or numbers."""
        if self.task.is_one_class:
            return self.parts[0].proba(x, self.n_outputs)
        if self.task.activation == "sigmoid":
            return np.stack([part.proba(x, 2)[:, 1] for part in self.parts], axis=1)
        return np.stack([part.numbers(x) for part in self.parts], axis=1)


_STEP, _PATIENCE = 10, 30
_ROUNDS = 50  # where too few rows are there to choose by


class _Part:
    """The trees of one target: a class, a label, a number."""

    def __init__(
        self, trees: Trees, x: np.ndarray, target: np.ndarray, held: np.ndarray, weights: np.ndarray | None
    ) -> None:
        self.trees = trees
        self.classifies = trees.task.activation != "identity"
        self.known = np.unique(target.astype(np.int64)) if self.classifies else np.zeros(0, np.int64)
        self.n, self.rounds, self.model = len(target), 0, None
        if self.classifies and len(self.known) < 2:
            return  # of one class only
        y = np.searchsorted(self.known, target) if self.classifies else target
        self.rounds = self._best_rounds(x, y, held, weights) if held.any() else min(_ROUNDS, trees.spec.max_iter)
        self.model = self._new(self.rounds).fit(x, y, sample_weight=weights)

    def _new(self, rounds: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        spec = self.trees.spec
        kind = HistGradientBoostingClassifier if self.classifies else HistGradientBoostingRegressor
        return kind(
            learning_rate=spec.learning_rate,
            max_iter=rounds,
            max_leaf_nodes=spec.max_leaf_nodes,
            min_samples_leaf=spec.min_samples_leaf,
            l2_regularization=spec.l2,
            max_features=spec.max_features,
            categorical_features=self.trees.categories if self.trees.categories.any() else None,
            early_stopping=False,
            random_state=self.trees.seed,
        )

    def _best_rounds(self, x: np.ndarray, y: np.ndarray, held: np.ndarray, weights: np.ndarray | None) -> int:
        """The number of rounds with the least loss of the held rows, by trees that have not seen them."""
        if self.classifies and len(np.unique(y[~held])) < 2:
            return min(_ROUNDS, self.trees.spec.max_iter)
        model, best, least = self._new(_STEP), _STEP, np.inf
        of_learnt = None if weights is None else weights[~held]
        model.set_params(warm_start=True)
        for rounds in range(_STEP, max(self.trees.spec.max_iter, _STEP) + 1, _STEP):
            model.set_params(max_iter=rounds).fit(x[~held], y[~held], sample_weight=of_learnt)
            loss = self._loss(model, x[held], y[held])
            if loss < least:
                best, least = rounds, loss
            elif rounds - best >= _PATIENCE:
                break
        return best

    def _loss(self, model: Any, x: np.ndarray, y: np.ndarray) -> float:
        """Mean squared error, or mean log loss of the rows whose class the trees know of."""
        if not self.classifies:
            return float(np.mean((y - model.predict(x)) ** 2))
        place = np.full(len(self.known), -1)
        place[model.classes_] = np.arange(len(model.classes_))
        of_row = place[y]
        rows = np.flatnonzero(of_row >= 0)
        said = model.predict_proba(x)[rows, of_row[rows]]
        return float(-np.log(np.maximum(said, 1e-15)).mean()) if len(rows) else 0.0

    def proba(self, x: np.ndarray, n_classes: int) -> np.ndarray:
        """float32 (n, n_classes), rows sum to one; a class that no training row has gets what a tenth of a row would."""
        said = np.full((len(x), n_classes), 0.1 / self.n)
        said[:, self.known] = 1.0 if self.model is None else self.model.predict_proba(x)
        return (said / said.sum(axis=1, keepdims=True)).astype(np.float32)

    def numbers(self, x: np.ndarray) -> np.ndarray:
        """float32 (n,)."""
        assert self.model is not None
        return self.model.predict(x).astype(np.float32)


def tree_columns(
    numbers: np.ndarray, places: np.ndarray, shares: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """What trees take of each row, float32 (n, N + M), NaN = not known, and which of these columns are categories.

    numbers : float32 (n, N); places : int64 (n, M) of categories, -1 = unknown
    shares : of each category the share of the training rows that each of its places has
    """
    codes = np.full((len(places), len(shares)), np.nan, dtype=np.float32)
    for number, of_place in enumerate(shares):
        kept = _commonest(of_place)[places[:, number]]
        codes[:, number] = np.where((places[:, number] >= 0) & (kept >= 0), kept, np.nan)
    which = np.repeat([False, True], [numbers.shape[1], codes.shape[1]])
    return np.concatenate([numbers, codes], axis=1), which


def _commonest(shares: np.ndarray) -> np.ndarray:
    """The number that each place has among the commonest ones, in their order, int64; -1 of those that are too rare."""
    kept = np.sort(np.argsort(-shares, kind="stable")[:_MOST_CATEGORIES])
    numbers = np.full(len(shares), -1, dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    return numbers
