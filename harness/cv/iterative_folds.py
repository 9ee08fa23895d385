"""Folds for several labels a row: every label is spread evenly, whole groups stay together (iterative stratification).

Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data": the rarest label is dealt out first, each time
to the fold that lacks it most. Here what is dealt out is a group with all its rows, so that rows of a patient share a fold.
"""

from __future__ import annotations

import numpy as np


def iterative_folds(targets: np.ndarray, groups: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Fold of each row, int8 (n,); targets (n, T) of 0 and 1, groups int (n,)."""
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max()) + 1
    labels = np.zeros((n_groups, targets.shape[1]))
    np.add.at(labels, group, np.asarray(targets) >= 0.5)
    sizes = np.bincount(group, minlength=n_groups).astype(np.float64)
    order = np.random.default_rng(seed).permutation(n_groups)  # of equal claims the seed decides
    fold_of = np.full(n_groups, -1, dtype=np.int8)
    lacking, room = np.tile(labels.sum(axis=0) / k, (k, 1)), np.full(k, len(targets) / k)
    left = labels.sum(axis=0)
    while (left > 0).any():
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        mine = order[(labels[order, rarest] > 0) & (fold_of[order] < 0)]
        for g in mine[np.argsort(-labels[mine, rarest], kind="stable")]:  # large groups first: small ones even them out
            fold = _most_in_need(lacking[:, rarest], room)
            fold_of[g] = fold
            lacking[fold] -= labels[g]
            room[fold] -= sizes[g]
            left -= labels[g]
        left[rarest] = 0
    for g in order[fold_of[order] < 0]:  # rows without a label
        fold = int(room.argmax())
        fold_of[g] = fold
        room[fold] -= sizes[g]
    return fold_of[group]


def rarest_first_folds(labels: np.ndarray, groups: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Fold of each row, int8 (n,), for one class a row: the same for very many classes and groups, in memory of O(n + k classes).

    Groups are dealt out by how rare their rarest class is over all rows; labels int (n,), groups int (n,), k or more of them.
    """
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    totals, sizes = np.bincount(label), np.bincount(group)
    cells, counts = np.unique(group * len(totals) + label, return_counts=True)  # groups' classes, group by group
    first = np.searchsorted(cells // len(totals), np.arange(len(sizes) + 1))
    of_cell = cells % len(totals)
    rarity = np.minimum.reduceat(totals[of_cell], first[:-1])
    lacking, room = np.tile(totals / k, (k, 1)), np.full(k, len(labels) / k)
    fold_of = np.empty(len(sizes), dtype=np.int8)
    for g in np.lexsort((np.random.default_rng(seed).random(len(sizes)), -sizes, rarity)):
        own = slice(first[g], first[g + 1])
        rarest = of_cell[own][totals[of_cell[own]].argmin()]
        fold = fold_of[g] = _most_in_need(lacking[:, rarest], room)
        lacking[fold, of_cell[own]] -= counts[own]
        room[fold] -= sizes[g]
    return fold_of[group]


def _most_in_need(lacking: np.ndarray, room: np.ndarray) -> int:
    """The fold that lacks the label most; of several the emptiest."""
    most = np.flatnonzero(lacking >= lacking.max() - 1e-9)
    return int(most[room[most].argmax()])
