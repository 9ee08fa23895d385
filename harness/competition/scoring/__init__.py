"""Metrics by name and parameters, for every kind of task.

    competition.toml  metric = {name = "fbeta", beta = 2}
        -> spec.py      one string that names it everywhere: "fbeta(beta=2)"
        -> registry.py  which tasks it is for, what it takes
        -> answers.py, ranking.py, auc.py, values.py   how it is computed under row weights
    calibration.py, temperature.py   how far probabilities can be believed

Uses harness.competition.metrics (what a metric is, intervals), knows of no stage.
"""
