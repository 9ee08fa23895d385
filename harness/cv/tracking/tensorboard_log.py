"""TensorBoard: event files in tensorboard/ of the run's folder, a run of TensorBoard's for each fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.cv.tracking.tracker import Subject, curve


def open_log(subject: Subject) -> TensorBoardLog:
    """Begin; look at it by `tensorboard --logdir oof/<slug>`."""
    return TensorBoardLog(subject)


class TensorBoardLog:
    """See `Tracker`."""

    def __init__(self, subject: Subject) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter
        self._home = subject.path / "tensorboard"
        self._writers: dict[str, Any] = {}
        told = [f"{key} = {value}" for key, value in subject.recipe.items()]
        text = "\n".join(
            f"    {line}" for line in filter(None, (subject.name, subject.note, " ".join(subject.tags), *told))
        )
        self._of("run").add_text("recipe", text)

    def epoch(self, fold: int, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """A scalar for each value, over epochs."""
        writer = self._of(curve(fold, seed))
        for name, value in values.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()

    def end(self, scores: Mapping[str, float]) -> None:
        """The pooled scores, and all files closed."""
        for name, value in scores.items():
            self._of("run").add_scalar(f"OOF/{name}", value)
        for writer in self._writers.values():
            writer.close()

    def _of(self, name: str) -> Any:
        if name not in self._writers:
            self._writers[name] = self._writer(log_dir=str(self._home / name))
        return self._writers[name]
