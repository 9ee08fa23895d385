"""python -m harness.tune: an Optuna study over a recipe's [tune], pruned early, resumed, shared, and judged on other folds."""

from harness.base.python.callable_stage import make_callable

make_callable(__name__)
