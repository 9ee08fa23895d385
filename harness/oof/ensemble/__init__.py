"""Ensembles of finished runs: ways to combine, each fitted on other folds than it is scored on, saved as a run.

predictions (aligned runs) -> by_task (methods of classes, label_methods, number_methods; hill_climbing, shrunk)
                           -> cross_fit (its honest score, by the task's decision) -> build (a run); blend
"""
