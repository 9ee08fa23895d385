"""The harness from Python: what the commands do, as functions with the same names, for scripts and notebooks.

    import harness

    comp = harness.competition("bloodcells")
    run = harness.cv(comp, "quick", set={"train.epochs": 3})
    run.scores, run.oof, run.report()

Everything a command would take from its options is an argument here, and what it prints is what a function returns. Names of runs,
folders and numbers are those of the commands. Mistakes of the user are `harness.UserError`. Importing this package loads nothing heavy.
"""

from harness.api.analysis import compare, ensemble, errors, forecast
from harness.api.contest import Contest, competition
from harness.api.page import Page
from harness.api.run import FinishedRun
from harness.api.samples import Samples
from harness.api.training import cv
from harness.base.errors import UserError

__all__ = [
    "Contest",
    "FinishedRun",
    "Page",
    "Samples",
    "UserError",
    "compare",
    "competition",
    "cv",
    "ensemble",
    "errors",
    "forecast",
]
