"""python -m harness.tune: an Optuna study over a recipe's [tune], pruned early, resumed, shared, and judged on other folds."""
