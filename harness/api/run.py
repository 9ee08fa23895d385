"""A finished run: its probabilities and scores as tables, its pages, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.api.calls import api_call
from harness.api.shown import Page, html_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from harness.api.analysis import Errors, Forecast
    from harness.api.contest import Contest
    from harness.runs import Run


class Score(NamedTuple):
    """A score over all OOF rows with its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float


class FinishedRun:
    """A run or an ensemble in oof/<slug>/, as `harness.cv` gave it.

    Attributes
    ----------
    contest : the competition with its data; path : the run's folder, out : the folder that oof/ lies in
    noisy : what the noise suite found (noise.json), where it was asked for
    """

    def __init__(self, contest: Contest, path: Path, noisy: dict[str, Any] | None = None) -> None:
        self.contest, self.path, self.noisy = contest, path, noisy

    @cached_property
    def record(self) -> Run:
        """The run as it was read back and verified: labels, folds, arrays, scores, recipe, environment."""
        from harness.runs import load_run

        return load_run(self.path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def out(self) -> Path:
        """The folder that oof/ lies in."""
        return self.path.parent.parent.parent

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities' columns."""
        return self.record.classes

    @property
    def complete(self) -> bool:
        """Whether every fold was trained."""
        return self.record.complete

    @property
    def oof(self) -> pd.DataFrame:
        """Every training row in the competition's order: id, fold, its target, and what the model that did not see it says.

        `label` is the class's name, of several labels and of numbers a column `label_<name>` each; `proba_<class>` are NaN where
        the row's fold was not trained.
        """
        import pandas as pd

        run, task = self.record, self.record.task
        table = {"id": run.folds.ids, "fold": run.folds.fold}
        if task.is_one_class:
            table["label"] = _names(run.classes)[run.labels]
        else:
            table |= {f"label_{name}": run.labels[:, i] for i, name in enumerate(run.classes)}
        return pd.DataFrame(table | self._probabilities(run.oof))

    @property
    def test(self) -> pd.DataFrame | None:
        """Every test row: id and probabilities, the folds' models together; None where the test is hidden."""
        import pandas as pd

        run = self.record
        if run.test is None or run.test_ids is None:
            return None
        return pd.DataFrame({"id": run.test_ids} | self._probabilities(run.test))

    def _probabilities(self, table: np.ndarray) -> dict[str, Any]:
        from harness.runs.run import proba_column

        return {proba_column(name): table[:, i] for i, name in enumerate(self.record.classes)}

    @property
    def scores(self) -> pd.DataFrame:
        """By metric, the leaderboard's first: mean and std over folds, pooled over all OOF rows with the 95 % interval low to high."""
        import pandas as pd

        columns = ["mean", "std", "pooled", "low", "high", "greater_is_better"]
        found = self.record.scores["metrics"]
        rows = [[told.get(column) for column in columns] for told in found.values()]
        return pd.DataFrame(rows, columns=columns, index=pd.Index(list(found), name="metric"))

    @property
    def fold_scores(self) -> pd.DataFrame:
        """By fold: rows and every metric."""
        import pandas as pd

        return pd.DataFrame(self.record.scores["folds"]).set_index("fold")

    @property
    def score(self) -> Score:
        """The leaderboard's metric over all OOF rows."""
        name = self.record.scores["metric"]
        told = self.record.scores["metrics"][name]
        return Score(name, told["pooled"], told["low"], told["high"])

    @api_call
    def predict(self, images: Any, *, device: str = "auto", workers: int = 1) -> np.ndarray:
        """Outputs float32 (n, C) for images that were not there when the run was trained: of all folds' models together, as `test`.

        images : uint8 (n, H, W) or (n, H, W, C) of the size and channels of the training images

        Raises
        ------
        UserError
            If they are of another kind, the run has no networks that take images alone, or its data are not there any more.
        """
        from harness.api.samples import image_array
        from harness.cv.jobs.predict_job import predict_images

        array = image_array(images, "images")
        array = array[..., None] if array.ndim == 3 else array
        spec = self.contest.spec.using(self.record.recipe.data)
        data = self.contest.data(quiet=True)
        return predict_images(data.competition or spec, self.record, data.cache, array, device, workers)

    def report(self) -> Page:
        """The run's page; as the value of a notebook's cell it is shown, `.open()` takes the browser."""
        return Page(self.path / "report.html")

    def errors(self) -> Errors:
        """Where the run is wrong; see `harness.errors`."""
        from harness.api.analysis import errors

        return errors(self.contest, self, out=self.out)

    def forecast(self) -> Forecast:
        """The leaderboard's scores to expect; see `harness.forecast`."""
        from harness.api.analysis import forecast

        return forecast(self.contest, self, out=self.out)

    def __getstate__(self) -> dict[str, Any]:
        """Where it lies; what was read of it is read again."""
        return {key: value for key, value in self.__dict__.items() if key != "record"}

    def __repr__(self) -> str:
        metric, value, low, high = self.score
        return f"<run {self.name}: {metric} {value:.4f} [{low:.4f}, {high:.4f}]{self._remark()}>"

    def _remark(self) -> str:
        done = [f["fold"] for f in self.record.scores["folds"]]
        remarks = [] if self.complete else [f"only fold{'s' if len(done) > 1 else ''} {', '.join(map(str, done))}"]
        remarks += ["embedded sample"] if self.record.environment["data"]["is_sample"] else []
        return f" ({'; '.join(remarks)})" if remarks else ""

    def _repr_html_(self) -> str:
        rows = list(_score_rows(self.record.scores["metrics"]))
        title = f"{self.contest.spec.title}: {self.name}{self._remark()}"
        foot = " ".join(filter(None, [str(self.record.environment.get("optimistic") or ""), str(self.path)]))
        return html_table(title, ["metric", "pooled OOF", "95 % interval", "mean over folds", "std"], rows, foot=foot)


def _score_rows(metrics: dict[str, Any]) -> Iterator[list[str]]:
    for name, told in metrics.items():
        numbers = [_shown(told.get(key)) for key in ("pooled", "low", "high", "mean", "std")]
        yield [name, numbers[0], f"{numbers[1]} to {numbers[2]}", *numbers[3:]]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _names(classes: list[str]) -> np.ndarray:
    import numpy as np

    return np.array(classes, dtype=object)
