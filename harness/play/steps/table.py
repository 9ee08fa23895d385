"""What all steps work with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import write_text
from harness.clean.verdicts import standing_verdicts
from harness.competition import Competition, Recipe
from harness.competition.metrics import Metric
from harness.cv.options import Options
from harness.cv.scores import competition_metrics
from harness.data.cache import Dataset
from harness.distributed.executor import Cluster


@dataclass
class Table:
    """A competition with its data, and where results go.

    Attributes
    ----------
    out : folder that oof/ and submissions/ are written under; home : oof/<slug>/play in it
    watcher : told how the work goes on; ends it at the deadline
    workers, device, cluster : as of harness.cv
    sample : whether the data are the embedded sample
    replays : whether a plan is replayed, whose files are left as they are
    named : how the user named the competition, for commands that are shown
    """

    competition: Competition
    dataset: Dataset
    out: Path
    home: Path
    watcher: LineWatcher
    named: str
    workers: int | None = None
    device: str = "auto"
    cluster: Cluster | None = None
    sample: bool = False
    replays: bool = False

    @property
    def plan(self) -> str:
        """Name of the plan as it goes, in `home`."""
        return "replay.toml" if self.replays else "play.toml"

    @property
    def recipes(self) -> str:
        """Name of the folder of its recipes, in `home`."""
        return "replay-recipes" if self.replays else "recipes"

    @property
    def metric(self) -> Metric:
        """The leaderboard's."""
        return competition_metrics(self.competition)[0]

    @property
    def hidden(self) -> bool:
        """Whether the platform hides the test."""
        return self.dataset.test is None

    def options(self, recipe: Recipe, folds: tuple[int, ...] | None = None, out: Path | None = None) -> Options:
        """Of a run: what stands is kept, what is missing trained, by the verdicts that stand."""
        return Options(
            out=out or self.out,
            folds=folds,
            resume=True,
            workers=self.workers,
            device=self.device,
            verdicts=standing_verdicts(self.out, self.competition, self.sample),
            cluster=self.cluster,
            command=self.command(recipe),
        )

    @property
    def called(self) -> str:
        """The competition on the data that are played, as a command line names them."""
        chosen = f" --data-set {shlex.quote(self.competition.set)}" if self.competition.set else ""
        return f"{shlex.quote(self.named)}{' --sample' if self.sample else ''}{chosen}"

    def command(self, recipe: Recipe) -> str:
        """What a person types for the same run."""
        return f"python -m harness.cv {self.called} --recipe {shlex.quote(str(self.recipe_path(recipe)))} --resume"

    def recipe_path(self, recipe: Recipe) -> Path:
        """Where the recipe is written."""
        return self.home / self.recipes / f"{recipe.name}.toml"

    def keep_recipe(self, recipe: Recipe) -> None:
        """Write the recipe in full, so that harness.cv can repeat the run."""
        from harness.data.recipes import recipe_text

        path = self.recipe_path(recipe)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, recipe_text(recipe))


Outcome = dict[str, Any]
"""What a step found, as JSON."""
