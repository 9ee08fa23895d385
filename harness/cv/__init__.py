"""The k-fold pipeline: folds, fold jobs, executor, the run that comes of them."""

from harness.base.python.callable_stage import make_callable

make_callable(__name__)
