"""Ensembles of finished runs: ways to combine, each fitted on other folds than it is scored on, saved as a run.

predictions (aligned runs) -> methods, hill_climbing, temperature -> cross_fit (its honest score) -> build (a run); blend
"""
