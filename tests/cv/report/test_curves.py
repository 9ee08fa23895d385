"""Learning curves on a run's page: of the epochs that were looked at, validation beside training."""

from __future__ import annotations

from typing import Any

from harness.cv.report.page import curves, looks_figures
from harness.report.page import Page


def history(every: int, epochs: int = 8) -> list[dict[str, Any]]:
    """Two folds, looked at now and then; one fold's score is not defined once."""
    lines = []
    for fold in range(2):
        for epoch in range(1, epochs + 1):
            line = {"fold": fold, "seed": 0, "epoch": epoch, "loss": 2 / epoch}
            if epoch % every == 0:
                line |= {
                    "valid_loss": 2.2 / epoch + 0.01 * epoch,
                    "valid_score": 0.8 + epoch / 50,
                    "train_score": 0.8 + epoch / 40,
                }
            if fold and epoch == every:
                del line["valid_score"]
            lines.append(line)
    return lines


def test_curves_are_of_the_epochs_that_have_a_figure():
    found = curves(history(2), "valid_score")
    assert found["fold 0"][0] == [2, 4, 6, 8] and found["fold 1"][0] == [4, 6, 8]
    assert curves(history(2), "no such figure") == {}


def test_what_was_looked_at_is_drawn():
    page = Page("Run", "Lead")
    looks_figures(page.section("Training"), history(2))
    html = page.html()
    assert html.count("<figure>") == 2 and "nothing is chosen by it" in html and "validation loss" in html
    assert "stroke-dasharray" in html  # the training rows


def test_a_point_is_no_curve():
    page = Page("Run", "Lead")
    looks_figures(page.section("Training"), history(8))
    looks_figures(page.section("Nothing"), history(99))
    assert "<figure>" not in page.html()
