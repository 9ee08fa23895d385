"""Of a run's page: how well each class is found, and which are taken for which; for two classes as for a thousand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.competition.metrics import argmax_rows, confused_pairs, confusion, tally
from harness.competition.scoring.registry import counts_classes_alike
from harness.competition.train_spec import TrainSpec
from harness.report import figures
from harness.report.page import TABLE_IN_FULL, Page, Section

MOST_PICTURED = 40
"""Classes up to which the confusion matrix has them all, in their order, with its numbers."""

_MOST_MAPPED, _PAIRS = 60, 100


def classes_section(
    page: Page, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str], test: np.ndarray
) -> Section:
    """A table of the classes, of many of them the lowest F1 first, and their confusions; returns the section.

    labels, predicted : int64 (n,), rows that are scored; test : float (n_test, C), or empty
    """
    n_classes = len(classes)
    counts = tally(labels, predicted, n_classes)
    truth, said, hits = counts.truth, counts.said, counts.hits
    precision, recall, f1 = (
        hits / np.maximum(said, 1),
        hits / np.maximum(truth, 1),
        2 * hits / np.maximum(truth + said, 1),
    )
    test_share = np.bincount(argmax_rows(test), minlength=n_classes) / len(test) if len(test) else None
    section = page.section("Classes")
    order = list(range(n_classes))
    if n_classes > TABLE_IN_FULL:
        order = np.lexsort((-truth, f1)).tolist()
        section.text(f"{n_classes:,} classes, the lowest F1 first; of equal ones the more frequent.")
    rows = [
        [classes[i], f"{truth[i]:,.0f}", *(f"{value[i]:.5f}" for value in (precision, recall, f1))]
        + [f"{100 * said[i] / max(len(labels), 1):.2f} %"]
        + ([f"{100 * test_share[i]:.2f} %"] if test_share is not None else [])
        for i in order
    ]
    header = ["class", "rows", "precision", "recall", "F1", "predicted share, OOF"]
    section.table(header + (["predicted share, test"] if test_share is not None else []), rows, folded=True)
    confusions_block(section, labels, predicted, classes)
    return section


def balance_line(spec: TrainSpec, metric: str, trained_by: str = "") -> str:
    """What a recipe does about unequal classes, and which shares of them its probabilities are of; "" where it does nothing.

    metric : that judges now; trained_by : the one when the run was started, which decided what its networks predict; "" = the same
    """
    if not spec.balances:
        return ""
    decided = trained_by or metric
    alike = counts_classes_alike(decided)
    keys = [f"train.sampling = '{spec.sampling}'"] if spec.sampling != "uniform" else []
    keys += [f"train.logit_adjustment = {spec.logit_adjustment:g}"] if spec.logit_adjustment else []
    if alike:
        did = f"predictions favour rare classes as it learnt them, since {decided} counts classes alike; its probabilities are no shares"
    else:
        did = f"predictions are brought back to the classes' shares in the training rows, since {decided} does not count classes alike"
    if alike == counts_classes_alike(metric):
        return f"{', '.join(keys)}: {did}"
    return f"{', '.join(keys)}: {did}. The run was started under that metric; {metric} would have it otherwise: --fresh trains it anew"


def confusions_block(section: Section, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> None:
    """The confusion matrix; of many classes those that are confused most, put in order by what is taken for what, and the commonest pairs."""
    n_classes = len(classes)
    if n_classes <= MOST_PICTURED:
        matrix = confusion(labels, predicted, n_classes)
        section.figure(figures.confusion_matrix(matrix, classes), "Confusion matrix of the OOF predictions, in rows.")
        return
    chosen = most_confused(labels, predicted, n_classes, _MOST_MAPPED)
    if len(chosen) > 1:
        section.figure(
            _map(labels, predicted, classes, chosen),
            f"Of {n_classes:,} classes the {len(chosen)} that are confused most, those that are taken for each other side by side. Orange: share "
            "of the row's class that is taken for the column's; blue: share that is right.",
        )
    rows = np.bincount(labels, minlength=n_classes)
    pairs = [
        [classes[a], classes[b], f"{n:,}", f"{100 * n / rows[a]:.0f} %"]
        for a, b, n in confused_pairs(labels, predicted, n_classes, _PAIRS)
    ]
    if pairs:
        section.text("The commonest confusions.")
        section.table(["true", "predicted", "rows", "of the class"], pairs, folded=True, left=2)


def _map(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str], chosen: np.ndarray) -> bytes:
    """The heat map of some classes; rows are shares of all rows of a class, wherever they went."""
    place = np.full(len(classes), -1)
    place[chosen] = np.arange(len(chosen))
    inside = (place[labels] >= 0) & (place[predicted] >= 0)
    counts = confusion(place[labels[inside]], place[predicted[inside]], len(chosen))
    shares = counts / np.maximum(np.bincount(labels, minlength=len(classes))[chosen, None], 1)
    order = by_likeness(shares)
    return figures.confusion_map(shares[np.ix_(order, order)], [classes[i] for i in chosen[order]])


def most_confused(labels: np.ndarray, predicted: np.ndarray, n_classes: int, most: int) -> np.ndarray:
    """The classes int64 (m,), sorted, that take part in most mistakes, as truth or as prediction; those that take part in none are left out."""
    wrong = labels != predicted
    mistakes = np.bincount(labels[wrong], minlength=n_classes) + np.bincount(predicted[wrong], minlength=n_classes)
    order = np.argsort(-mistakes, kind="stable")[:most]
    return np.sort(order[mistakes[order] > 0])


def by_likeness(shares: np.ndarray) -> np.ndarray:
    """An order of classes in which those that are taken for each other stand side by side: leaves of average linkage on a confusion matrix."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(shares) < 3:
        return np.arange(len(shares))
    mutual = shares + shares.T
    np.fill_diagonal(mutual, 0)
    away = 1 - mutual / max(mutual.max(), 1e-12)
    return leaves_list(linkage(away[np.triu_indices(len(shares), 1)], "average", optimal_ordering=True))
