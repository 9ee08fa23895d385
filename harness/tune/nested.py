"""What tuning gained, on folds that the study did not see: the best recipe and the one it began with, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.competition.metrics import paired
from harness.cv.options import Options
from harness.cv.pipeline import cross_validate
from harness.runs import Run
from harness.tune.space import with_values
from harness.tune.trial import Trials

_OTHER_SEED = 7_919  # added to the study's fold seed: any other split of the same rows


@dataclass(frozen=True)
class Nested:
    """The best trial's recipe on other folds.

    Attributes
    ----------
    study : its mean score over the study's folds, by which it was chosen
    score, low, high : its pooled score on the other folds with a 95 % interval; mean : over those folds
    optimism : by how much the study's score was too good (positive: too good), mean against mean
    base : pooled score of the recipe that the study began with, on the same other folds
    gain, gain_low, gain_high : of tuning, paired on the same rows; positive is better
    run, base_run : names of both runs
    """

    study: float
    score: float
    low: float
    high: float
    mean: float
    optimism: float
    base: float
    gain: float
    gain_low: float
    gain_high: float
    run: str
    base_run: str

    @property
    def is_noise(self) -> bool:
        """Whether tuning may have gained nothing."""
        return self.gain_low <= 0

    def lines(self, metric: str) -> list[str]:
        """For people."""
        return [
            f"on other folds: {metric} {self.score:.5f} [{self.low:.5f}, {self.high:.5f}]; mean over folds {self.mean:.5f}, in the "
            f"study {self.study:.5f}: too good by {self.optimism:+.5f}",
            f"gain over the recipe as it was ({self.base:.5f}), same rows: {self.gain:+.5f} [{self.gain_low:+.5f}, "
            f"{self.gain_high:+.5f}]" + (": may be chance" if self.is_noise else ""),
        ]


def nested_estimate(trials: Trials, values: dict[str, Any], study_score: float) -> Nested:
    """Cross-validate the best recipe and the one as it was on folds of another seed; runs that stand are not trained again.

    `values`: what the best trial set; `study_score`: its mean over the study's folds.
    """
    recipe, metric = trials.recipe, trials.metric
    elsewhere = {"cv.seed": recipe.cv.seed + _OTHER_SEED}
    if trials.dataset.train.fold is not None:  # no seed changes folds that the data give
        elsewhere["seed"] = recipe.seed + _OTHER_SEED
    options = Options(trials.home, resume=True, device=trials.device, verdicts=trials.verdicts)

    def run(changed: dict[str, Any]) -> Run:
        return cross_validate(
            trials.competition, with_values(recipe, changed | elsewhere), trials.dataset, options, trials.watcher
        )

    where = "on the data's own folds, from other seeds" if "seed" in elsewhere else "on folds of another seed"
    trials.watcher.say(f"nested estimate: the best recipe, and the one as it was, {where}")
    best, base = run(values), run({})
    rows = best.folds.scored_rows(range(best.folds.k))
    ours, theirs = (
        r.task.judged_by(metric, r.oof[rows], r.folds.fold[rows], r.scores.get("decision")) for r in (best, base)
    )
    score, low, high, gain, gain_low, gain_high = paired(
        metric, best.labels[rows], ours, theirs, best.folds.groups[rows]
    )
    name = metric.name
    mean = best.scores["metrics"][name]["mean"]
    mean = score if mean is None else mean  # on none of its folds has the metric a value
    sign = 1 if metric.greater_is_better else -1
    return Nested(
        study=study_score,
        score=score,
        low=low,
        high=high,
        mean=mean,
        optimism=sign * (study_score - mean),
        base=base.scores["metrics"][name]["pooled"],
        gain=gain,
        gain_low=gain_low,
        gain_high=gain_high,
        run=best.name,
        base_run=base.name,
    )
