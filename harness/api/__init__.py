"""The harness from Python: what the commands do, as functions with the same names, for scripts and notebooks.

    import harness

    comp = harness.competition("bloodcells")
    run = harness.cv(comp, "quick", set={"train.epochs": 3})
    run.scores, run.oof, run.report()

Everything a command would take from its options is an argument here, and what it prints is what a function returns. Names of runs,
folders and numbers are those of the commands. Mistakes of the user are `harness.UserError`. Importing this package loads nothing heavy.
"""

from typing import TYPE_CHECKING, Any

from harness.api import register
from harness.api.analysis import Comparison, Ensemble, Errors, Forecast, compare, ensemble, errors, forecast
from harness.api.contest import Contest, competition
from harness.api.run import FinishedRun, Score
from harness.api.samples import Samples
from harness.api.shown import Page
from harness.api.stages import Cleaned, Played, Tuned, clean, play, tune
from harness.api.submission import Submission, submit
from harness.api.training import cv
from harness.base.errors import UserError

RESULTS = (
    Contest,
    FinishedRun,
    Score,
    Page,
    Comparison,
    Errors,
    Ensemble,
    Forecast,
    Cleaned,
    Tuned,
    Played,
    Submission,
)
"""What the functions give."""

if TYPE_CHECKING:
    from harness.api.classifier import ImageClassifier

__all__ = [
    "RESULTS",
    "Cleaned",
    "Comparison",
    "Contest",
    "Ensemble",
    "Errors",
    "FinishedRun",
    "Forecast",
    "ImageClassifier",
    "Page",
    "Played",
    "Samples",
    "Score",
    "Submission",
    "Tuned",
    "UserError",
    "clean",
    "compare",
    "competition",
    "cv",
    "ensemble",
    "errors",
    "forecast",
    "play",
    "register",
    "submit",
    "tune",
]


def __getattr__(name: str) -> Any:
    """The estimator, whose base classes are scikit-learn's, when it is first asked for."""
    if name != "ImageClassifier":
        raise AttributeError(f"module 'harness.api' has no attribute '{name}'")
    from harness.api.classifier import ImageClassifier

    return ImageClassifier
