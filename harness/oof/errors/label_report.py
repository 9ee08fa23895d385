"""Errors of several labels, told; a mistake is a row and a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.competition.scoring.calibration import ece_of
from harness.oof.errors.analysis import judged_rows
from harness.oof.errors.labels import LabelScores, find_label_errors
from harness.oof.errors.report import GALLERY, ErrorReport, Pictures, Table, lowest
from harness.report import error_figures
from harness.report.gallery import Shot, in_turns, top_bars, which_of
from harness.report.page import Page
from harness.runs import Run

_PICTURED, _PANELS, _LISTED = 40, 12, 20


class LabelReport(ErrorReport):
    """Of labels, as the thresholds of the other folds give them."""

    harm_is = "wrong labels"

    def __init__(self, run: Run) -> None:
        self.run, self.found = run, find_label_errors(run, judged_rows(run))
        self.rows, self.groups = self.found.rows, self.found.groups
        labels = self.found.labels
        self.by_f1 = lowest(list(labels), [scores.f1.value for scores in labels.values()], len(labels))

    @property
    def headline(self) -> str:
        """See `ErrorReport`."""
        found = self.found
        touched = len(np.unique(found.wrong[:, 0]))
        return f"{len(found.wrong):,} wrong labels in {touched:,} of {len(self.rows):,} rows"

    def summary(self) -> dict[str, Any]:
        """See `ErrorReport`."""
        found, names = self.found, self.run.classes
        return {
            "wrong": len(found.wrong),
            "wrong_rows": len(np.unique(found.wrong[:, 0])),
            "rows": len(self.rows),
            "suspected": len(found.suspected),
            "ece": ece_of(*found.bins),
            "labels": {name: _told(scores) for name, scores in found.labels.items()},
            "instead": [(names[a], names[b], n) for a, b, n in found.instead[:_LISTED]],
        }

    def table(self) -> Table:
        """Each label with its scores and their 95 % intervals, the lowest F1 first."""
        rows = []
        for name in self.by_f1:
            s = self.found.labels[name]
            shown = [
                s.precision.shown(without="never given"),
                *(v.shown() for v in (s.recall, s.f1, s.average_precision, s.auc)),
            ]
            rows.append([name, f"{s.rows:,}", *shown, f"{s.ece:.4f}", f"{s.threshold:.3f}"])
        intervals = [f"{score} [95 %]" for score in ("precision", "recall", "F1", "AP", "AUC")]
        return ["label", "rows", *intervals, "ECE", "given from"], rows

    def lines(self) -> list[str]:
        """See `ErrorReport`."""
        found, names = self.found, self.run.classes
        instead = ", ".join(f"{names[b]} instead of {names[a]} {n:,}" for a, b, n in found.instead[:5]) or "none"
        return [
            f"given instead of another: {instead}",
            f"calibration: ECE {ece_of(*found.bins):.4f} over all labels; worst: "
            + ", ".join(f"{name} {found.labels[name].ece:.4f}" for name in self._worst_calibrated(3)),
            f"labels in doubt: {len(found.suspected):,}, in {counted(len(np.unique(found.suspected[:, 0])), 'row')}",
        ]

    def frame(self) -> Any:
        """A line for each mistake or doubted label: id, which, whether it is there and was given, probability, group, fold, why."""
        import pandas as pd

        found, folds = self.found, self.run.folds
        doubted = np.zeros(found.truth.shape, dtype=bool)
        doubted[tuple(found.suspected.T)] = True
        right = found.suspected[(found.truth == found.said)[tuple(found.suspected.T)]]
        cells = np.vstack([found.wrong, right])
        place, rows = tuple(cells.T), found.rows[cells[:, 0]]
        return pd.DataFrame(
            {
                "id": folds.ids[rows],
                "name": np.array(self.run.classes)[cells[:, 1]],
                "label": found.truth[place].astype(int),
                "predicted": found.said[place].astype(int),
                "proba": found.outputs[place],
                "group": folds.groups[rows],
                "fold": folds.fold[rows],
                "wrong": (found.truth != found.said)[place],
                "label_suspected": doubted[place],
            }
        )

    def sections(self, page: Page, pictures: Pictures) -> None:
        """See `ErrorReport`."""
        found = self.found
        wrong = len(found.wrong)
        page.card("wrong labels", f"{wrong:,}", f"{100 * wrong / found.truth.size:.2f} % of all rows and labels")
        page.card("rows with one", f"{len(np.unique(found.wrong[:, 0])):,}", f"of {len(self.rows):,}")
        page.card("labels in doubt", f"{len(found.suspected):,}", "confident learning, each label for itself")
        page.card("ECE", f"{ece_of(*found.bins):.4f}", "over all labels")
        self._labels(page)
        self._calibration(page)
        self._beside(page)
        self._cells(page, pictures, "Most confident mistakes", found.wrong)
        self._cells(page, pictures, "Labels in doubt", found.suspected)
        worst = found.furthest[: GALLERY // 2]
        pictures.show(
            page,
            "Rows furthest off",
            found.rows[worst],
            [self._row(place) for place in worst],
            "By log loss over all labels.",
        )

    def _labels(self, page: Page) -> None:
        section, labels = page.section("Labels"), self.found.labels
        shown = self.by_f1[:_PICTURED]
        scores = {
            name: [(v.value, v.low, v.high) for v in (getattr(labels[label], key) for label in shown)]
            for name, key in (
                ("precision", "precision"),
                ("recall", "recall"),
                ("F1", "f1"),
                ("AP", "average_precision"),
            )
        }
        section.figure(
            error_figures.scores_with_intervals(shown, scores),
            f"The {counted(len(shown), 'label')} with the lowest F1 of {len(labels):,}, with 95 % intervals; each fold by the thresholds of the others.",
        )
        section.table(*self.table(), folded=True)

    def _worst_calibrated(self, most: int) -> list[str]:
        labels = self.found.labels
        return lowest(list(labels), [-scores.ece for scores in labels.values()], most)

    def _calibration(self, page: Page) -> None:
        labels, worst = self.found.labels, self._worst_calibrated(_PANELS - 1)
        curves = {f"all labels (ECE {ece_of(*self.found.bins):.3f})": self.found.bins}
        curves |= {f"{name} ({labels[name].ece:.3f})": labels[name].bins for name in worst}
        page.section("Can the probabilities be believed?").figure(
            error_figures.reliabilities(curves),
            "Share of rows that have the label, by its probability; the worst calibrated labels.",
        )

    def _beside(self, page: Page) -> None:
        found, names = self.found, self.run.classes
        section = page.section("Taken for each other")
        if 1 < len(names) <= _PICTURED:
            picture = error_figures.instead_matrix(found.instead_matrix, names)
            section.figure(picture, "Rows of which one label is missed and another given that is not there.")
        swapped = [[names[a], names[b], f"{n:,}"] for a, b, n in found.instead[:_LISTED]]
        section.table(["missed", "given instead", "rows"], swapped, left=2)
        paired = [[names[a], names[b], f"{n:,}", f"{m:,}"] for a, b, n, m in found.together[:_LISTED]]
        section.text("Pairs of labels that are given together too often, or too seldom.")
        section.table(["label", "with", "rows that have both", "rows given both"], paired)

    def _cells(self, page: Page, pictures: Pictures, title: str, cells: np.ndarray) -> None:
        some = cells[in_turns(cells[:, 1], GALLERY)]
        shots = [self._cell(place, label) for place, label in some]
        pictures.show(page, title, self.found.rows[some[:, 0]], shots, which_of(len(cells), GALLERY, "labels"))

    def _cell(self, place: int, label: int) -> Shot:
        found, name = self.found, self.run.classes[label]
        there, given = found.truth[place, label], found.said[place, label]
        told = f"{'is there' if there else 'is not there'}, {'given' if given else 'not given'}"
        sure = float(found.outputs[place, label])
        answer = "right" if there == given else "missed" if there else "given, not there"
        facts = {"label": name, "answer": answer}
        return self._shot(place, f"{name} {told} ({100 * sure:.0f} %)", facts, sure, [label])

    def _row(self, place: int) -> Shot:
        found, task, names = self.found, self.run.task, self.run.classes
        true, said = (task.describe(cells[place], names) for cells in (found.truth, found.said))
        facts = {"wrong labels": str(int((found.truth[place] != found.said[place]).sum()))}
        return self._shot(place, f"{true} taken for {said}", facts, None, np.flatnonzero(found.truth[place])[:10])

    def _shot(
        self, place: int, told: str, facts: dict[str, str], confidence: float | None, own: Sequence[int] | np.ndarray
    ) -> Shot:
        found, names, row = self.found, self.run.classes, self.found.rows[place]
        return Shot(
            caption=f"{told}, id {self.run.folds.ids[row]}",
            id=str(self.run.folds.ids[row]),
            facts=facts | {"fold": str(self.run.folds.fold[row])},
            confidence=confidence,
            bars=top_bars(names, found.outputs[place], np.asarray(own).tolist()),
            own=[names[i] for i in np.flatnonzero(found.truth[place])],
        )


def _told(scores: LabelScores) -> dict[str, Any]:
    intervals = ("precision", "recall", "f1", "average_precision", "auc")
    plain = {key: getattr(scores, key) for key in ("rows", "threshold", "ece")}
    return plain | {
        key: {k: v if np.isfinite(v) else None for k, v in vars(getattr(scores, key)).items()} for key in intervals
    }
