"""MLflow: a run of the experiment that is named after the competition, at MLFLOW_TRACKING_URI or where MLflow keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from harness.cv.tracking.tracker import Subject, curve


def open_log(subject: Subject) -> MlflowLog:
    """Begin."""
    return MlflowLog(subject)


class MlflowLog:
    """See `Tracker`; through its client, so that no run is active for other code of the process."""

    def __init__(self, subject: Subject) -> None:
        tracking: Any = import_module("mlflow.tracking")
        self._client: Any = tracking.MlflowClient()
        found = self._client.get_experiment_by_name(subject.competition)
        experiment = found.experiment_id if found else self._client.create_experiment(subject.competition)
        tags = {"run": subject.path.name, **dict.fromkeys(subject.tags, "")}
        tags |= {"mlflow.note.content": subject.note} if subject.note else {}
        self._id: str = self._client.create_run(experiment, run_name=subject.name, tags=tags).info.run_id
        for key, value in subject.recipe.items():
            self._client.log_param(self._id, _plain_key(key), value)

    def epoch(self, fold: int, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """A metric for each value, by fold, over epochs."""
        for name, value in values.items():
            self._client.log_metric(self._id, f"{curve(fold, seed)}/{name}", value, step=epoch)

    def end(self, scores: Mapping[str, float]) -> None:
        """The pooled scores; a run that was stopped counts as killed."""
        for name, value in scores.items():
            self._client.log_metric(self._id, f"OOF/{_plain_key(name)}", value)
        self._client.set_terminated(self._id, "FINISHED" if scores else "KILLED")


def _plain_key(key: str) -> str:
    """MLflow's names have letters, digits, and few signs."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in key)
