"""Finding what a training set should not hold: duplicates, label conflicts, foreign, blank and mislabelled images."""

from harness.base.python.callable_stage import make_callable

make_callable(__name__)
