"""Errors of predicted numbers, told; residual = prediction - target."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.base.untrusted_text import counted
from harness.oof.errors.analysis import judged_rows
from harness.oof.errors.numbers import NumberScores, Quantile, find_number_errors
from harness.oof.errors.report import GALLERY, ErrorReport, Pictures, Table
from harness.report import error_figures
from harness.report.gallery import Shot, in_turns
from harness.report.page import Page
from harness.runs import Run

_PICTURED = 8  # numbers that have their own figures and tables


class NumberReport(ErrorReport):
    """Of numbers: bias, spread, where on their range, which rows."""

    harm_is = "error beyond the mean, in standard deviations"

    def __init__(self, run: Run) -> None:
        self.run, self.found = run, find_number_errors(run, judged_rows(run))
        self.rows, self.groups = self.found.rows, self.found.groups

    @property
    def headline(self) -> str:
        """See `ErrorReport`."""
        explained = ", ".join(f"{name} R2 {s.r2.shown('.3f')}" for name, s in list(self.found.numbers.items())[:3])
        return f"{counted(len(self.rows), 'row')}, {explained}"

    def summary(self) -> dict[str, Any]:
        """See `ErrorReport`."""
        told = {
            name: {key: vars(getattr(s, key)) for key in ("bias", "mae", "rmse", "r2")}
            for name, s in self.found.numbers.items()
        }
        return {"rows": len(self.rows), "suspected": len(self.found.suspected), "numbers": _without_nan(told)}

    def table(self) -> Table:
        """Each number with its scores and their 95 % intervals."""
        rows = []
        for name, s in self.found.numbers.items():
            rows.append([name, s.bias.shown("+.4g"), s.mae.shown(".4g"), s.rmse.shown(".4g"), s.r2.shown()])
        return ["number", "bias [95 %]", "MAE [95 %]", "RMSE [95 %]", "R2 [95 %]"], rows

    def lines(self) -> list[str]:
        """See `ErrorReport`."""
        found = [f"{name}: {_direction(s)}" for name, s in list(self.found.numbers.items())[:5]]
        doubted = len(np.unique(self.found.suspected[:, 0]))
        return [*found, f"targets in doubt: {counted(doubted, 'row')} (residual beyond 5 robust standard deviations)"]

    def frame(self) -> Any:
        """A line for each row and number, the largest residual first, each in its number's standard deviations."""
        import pandas as pd

        found, folds = self.found, self.run.folds
        doubted = np.zeros(found.truth.shape, dtype=bool)
        doubted[tuple(found.suspected.T)] = True
        place, rows = tuple(found.largest.T), found.rows[found.largest[:, 0]]
        return pd.DataFrame(
            {
                "id": folds.ids[rows],
                "name": np.array(self.run.classes)[found.largest[:, 1]],
                "label": found.truth[place],
                "predicted": found.outputs[place],
                "residual": found.residuals[place],
                "group": folds.groups[rows],
                "fold": folds.fold[rows],
                "label_suspected": doubted[place],
            }
        )

    def sections(self, page: Page, pictures: Pictures) -> None:
        """See `ErrorReport`."""
        found = self.found
        for name, s in list(found.numbers.items())[:3]:
            page.card(f"R2 of {name}", s.r2.shown(".4f").split(" ")[0], f"95 %: {s.r2.low:.4f} to {s.r2.high:.4f}")
        page.card("targets in doubt", f"{len(found.suspected):,}", "beyond 5 robust standard deviations")
        section = page.section("Predicted against true")
        names = self.run.classes[:_PICTURED]
        pairs = {name: (found.truth[:, k], found.outputs[:, k]) for k, name in enumerate(names)}
        section.figure(
            error_figures.predicted_against_true(pairs),
            "Darker where more rows are; on the line predictions are right.",
        )
        section.table(*self.table(), folded=True)
        for name in names:
            _by_quantile(page, name, found.numbers[name])
        some = found.largest[in_turns(found.largest[:, 1], GALLERY)]
        pictures.show(
            page,
            "Largest residuals",
            found.rows[some[:, 0]],
            [self._shot(*cell) for cell in some],
            "Look here first for wrong targets.",
        )

    def _shot(self, place: int, number: int) -> Shot:
        found, name = self.found, self.run.classes[number]
        true, said, off = (v[place, number] for v in (found.truth, found.outputs, found.residuals))
        row = found.rows[place]
        row_id = str(self.run.folds.ids[row])
        facts = {
            "number": name,
            "predicted": "too high" if off > 0 else "too low",
            "fold": str(self.run.folds.fold[row]),
        }
        return Shot(f"{name} {true:.4g} predicted as {said:.4g} ({off:+.4g}), id {row_id}", row_id, facts)

    def _harm(self, harm: float) -> str:
        return f"{harm:.2f}"


def _direction(scores: NumberScores) -> str:
    first, last = scores.by_target[0], scores.by_target[-1]
    return (
        f"bias {scores.bias.shown('+.4g')}; {first.bias.value:+.4g} on the lowest tenth of the targets, "
        f"{last.bias.value:+.4g} on the highest"
    )


def _by_quantile(page: Page, name: str, scores: NumberScores) -> None:
    section = page.section(f"Residuals of {name}")
    curves = {
        "by target": [(q.truth, q.bias.value, q.bias.low, q.bias.high) for q in scores.by_target],
        "by prediction": [(q.said, q.bias.value, q.bias.low, q.bias.high) for q in scores.by_prediction],
    }
    section.figure(
        error_figures.biases(curves, f"{name} (mean of a tenth of the rows)", "mean residual"),
        "Mean residual with its 95 % interval. By target a slope downwards is regression to the mean; by prediction any bias could be "
        "corrected.",
    )
    section.table(*_quantile_table("target", scores.by_target))
    section.table(*_quantile_table("prediction", scores.by_prediction))


def _quantile_table(of: str, quantiles: list[Quantile]) -> Table:
    rows = [
        [f"{q.low:.4g} to {q.high:.4g}", f"{q.rows:,}", f"{q.truth:.4g}", f"{q.said:.4g}", q.bias.shown("+.4g"), f"{q.mae:.4g}", f"{q.rmse:.4g}"]
        for q in quantiles
    ]  # fmt: skip
    return [of, "rows", "mean target", "mean prediction", "bias [95 %]", "MAE", "RMSE"], rows


def _without_nan(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _without_nan(value) for key, value in told.items()}
    return told if np.isfinite(told) else None
