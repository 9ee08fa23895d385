"""Columns beside the images that should be looked at before they are believed: three checks, each of one column alone.

gives the label away    a small tree on it predicts held-out rows almost perfectly: is it known when a prediction is due?
is a row's number       it goes up or down with the rows' order: what is learnt of it is the order of the file
differs in the test     training and test rows can be told apart by it: what is learnt of it may not hold there
"""

from __future__ import annotations

import numpy as np

from harness.base.progress import LineWatcher
from harness.base.untrusted_text import plain
from harness.competition import Competition
from harness.competition.samples import Columns, Samples
from harness.data.cache import Dataset

MOST_ROWS, MOST_COLUMNS = 20_000, 2_000
_PERFECT, _ORDERED, _TOLD_APART = 0.97, 0.999, 0.6
_LEAST_ROWS, _FOLDS, _LEAVES_PER_CLASS = 20, 3, 4


def doubtful_columns(competition: Competition, dataset: Dataset, watcher: LineWatcher | None = None) -> list[str]:
    """What to say of columns, a line each; [] where there are none or nothing is odd."""
    train, test = dataset.train, dataset.test
    if train.columns is None or len(train) < _LEAST_ROWS:
        return []
    said, watcher = [], watcher or LineWatcher(quiet=True)
    names = train.columns.names[:MOST_COLUMNS]
    for place, name in enumerate(watcher.over("looking at the columns beside the images", names)):
        values, shown = _values(train.columns, place), f"column '{plain(name, 80)}'"
        if competition.kind.is_one_class and (found := _held_out_accuracy(values, train)) >= _PERFECT:
            said.append(
                f"{shown} alone predicts the label of {found:.1%} of held-out rows (mean over classes): does it give it away? If it is not known when "
                "a prediction is due, take it out of data.features"
            )
        order = _order(values)
        if order >= _ORDERED:
            said.append(
                f"{shown} goes with the order of the rows (rank correlation {order:.4f}): a row's number? Take it out of data.features, unless it measures "
                "something"
            )
        if test is None or test.columns is None or len(test) < _LEAST_ROWS:
            continue
        auc, low = _told_apart(values, _values(test.columns, place), place >= len(train.columns.number_names))
        if auc >= _TOLD_APART and low > 0.5:
            said.append(
                f"{shown} is distributed otherwise in the test: it tells training from test rows with an AUC of {auc:.3f} (0.5 = not at all). What is "
                "learnt of it may not hold there: compare runs with and without it"
            )
    if len(train.columns.names) > MOST_COLUMNS:
        said.append(f"only the first {MOST_COLUMNS:,} of {len(train.columns.names):,} columns were looked at")
    return said


def _values(columns: Columns, place: int) -> np.ndarray:
    """float64 (n,) of a column: its numbers, NaN = a gap; of a category the place of its value."""
    n = len(columns.number_names)
    return (columns.numbers[:, place] if place < n else columns.codes[:, place - n]).astype(np.float64)


def _held_out_accuracy(values: np.ndarray, train: Samples) -> float:
    """Mean recall of a small tree on this column alone, of rows that it did not see; groups are kept together."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    assert train.labels is not None
    rows = np.random.default_rng(0).permutation(len(values))[:MOST_ROWS]
    x, y = np.nan_to_num(values[rows], nan=np.nanmin(values, initial=0.0) - 1)[:, None], train.labels[rows]
    fold = np.random.default_rng(1).permutation(int(train.groups.max()) + 1)[train.groups[rows]] % _FOLDS
    n_classes = len(np.unique(y))
    if n_classes < 2 or len(np.unique(x)) < n_classes:  # it has too few values to tell all classes
        return 0.0
    said = np.full(len(y), -1)
    for number in range(_FOLDS):
        if (fold != number).any() and (fold == number).any():
            tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES_PER_CLASS * n_classes, random_state=0)
            said[fold == number] = tree.fit(x[fold != number], y[fold != number]).predict(x[fold == number])
    return float(balanced_accuracy_score(y, said))


def _order(values: np.ndarray) -> float:
    """Absolute rank correlation with the rows' order; 0 where most values are not their row's own."""
    if np.isnan(values).any() or len(np.unique(values)) < 0.9 * len(values):
        return 0.0
    ranks = values.argsort(kind="stable").argsort(kind="stable")
    return float(abs(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]))


def _told_apart(train: np.ndarray, test: np.ndarray, is_category: bool) -> tuple[float, float]:
    """AUC of the better of two ways to tell test rows by a column, and its lower end: by value or distance from the middle; of a
    category by how much more frequent its values are in the test, counted on other rows."""
    from sklearn.metrics import roc_auc_score

    both, is_test = np.concatenate([train, test]), np.repeat([0, 1], [len(train), len(test)])
    if is_category:
        aucs = [roc_auc_score(is_test, _cross_fitted_share(both.astype(np.int64), is_test))]
    else:
        gap = np.isnan(both)
        middle = float(np.nanmedian(both)) if not gap.all() else 0.0
        known = np.where(gap, middle, both)
        aucs = [roc_auc_score(is_test, score) for score in (known, np.abs(known - middle), gap.astype(float))]
    auc = max(max(a, 1 - a) if not is_category else a for a in aucs)
    error = np.sqrt((len(train) + len(test) + 1) / (12 * len(train) * len(test)))  # of 0.5, where nothing differs
    return float(auc), float(auc - 4 * error)


def _cross_fitted_share(codes: np.ndarray, is_test: np.ndarray) -> np.ndarray:
    """float (n,): share of test rows among the rows of a category's value, counted on the other half of the rows."""
    half = np.random.default_rng(0).permutation(len(codes)) % 2
    score, size = np.zeros(len(codes)), int(codes.max()) + 1
    for side in (0, 1):
        seen = half != side
        n = np.bincount(codes[seen], minlength=size)
        tests = np.bincount(codes[seen], weights=is_test[seen], minlength=size)
        score[half == side] = ((tests + is_test.mean()) / (n + 1))[codes[half == side]]
    return score
