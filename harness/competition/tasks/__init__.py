"""What a row's target is, and all that follows from it: one frozen object per kind of task, passed down; no stage asks which it is.

    task = "multilabel" in competition.toml
        -> task.py       what targets and outputs are, what a model's logits become, which metrics judge
        -> decisions.py  what turns outputs into answers: thresholds, cut points; found on OOF, cross-fitted
        -> answering.py  answers by what was found, and several models' outputs as one, by vote; bundles carry its text
        -> scaling.py    what makes probabilities as sure as they are right: found on OOF, cross-fitted

Uses harness.competition.scoring; knows of no stage.
"""

from harness.competition.tasks.task import TASKS, Task

__all__ = ["TASKS", "Task"]
