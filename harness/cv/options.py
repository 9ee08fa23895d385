"""How a cross-validation is carried out: what the user chose, what a run notes of it, what is said before it begins."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.clean.verdicts import Cleaning
from harness.competition import Competition, Recipe
from harness.cv.jobs.prepare import describe_environment, pick_devices, plan_threads, usable_cores
from harness.cv.pseudo_labels import pseudo_line
from harness.data.cache import Dataset
from harness.distributed.executor import Cluster
from harness.runs import Folds
from harness.runs.notes.label import Label


class Watcher(Protocol):
    """Who is told how the work goes on."""

    def say(self, text: str) -> None:
        """Tell the user a line."""
        ...

    def begin(self, stage: str) -> None:
        """A new stage begins; bars of the last one end."""
        ...

    def expect(self, folds: int) -> None:
        """So many folds are worked on from now on; 0: not known."""
        ...

    def progress(self, fold: int, done: int, total: int, epoch: Mapping[str, float] | None = None) -> None:
        """Batches done of all, in a fold; and the numbers of an epoch that has just ended."""
        ...

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """Around work that cannot tell how far it is."""
        ...


_NOTHING = Label()


@dataclass(frozen=True)
class Options:
    """How a cross-validation is carried out; none of it belongs to the recipe.

    Attributes
    ----------
    out : folder that oof/ is written under
    folds : fold numbers to train, or None for all
    resume : go on with a started run
    fresh : train a started or finished run anew
    workers : processes side by side; None = one per GPU, or per CPU core up to the number of folds
    device : "auto", "cpu", "cuda", "cuda:N", "mps"
    verdicts : clean.csv to go by, or None
    cluster : the Ray cluster that folds are trained on, or None for this machine
    command : what a user types to go on with the run, "" = not known
    label : what is to be said of the run
    log : the tracker that follows it (`harness.cv.tracking`), or None
    """

    out: Path
    folds: tuple[int, ...] | None = None
    resume: bool = False
    fresh: bool = False
    workers: int | None = None
    device: str = "auto"
    verdicts: Path | None = None
    cluster: Cluster | None = None
    command: str = ""
    label: Label = _NOTHING
    log: str | None = None


def planned_workers(options: Options, k: int) -> int:
    """Processes side by side: as asked for, else one per GPU or CPU core, at most one per fold."""
    devices = pick_devices(options.device)
    return options.workers or min(usable_cores() if devices == ["cpu"] else len(devices), k)


def describe_run(
    competition: Competition,
    recipe: Recipe,
    dataset: Dataset,
    folds: Folds,
    options: Options,
    cleaning: Cleaning | None,
) -> dict[str, Any]:
    """What environment.json holds of a run before its model is built."""
    devices, workers = pick_devices(options.device), planned_workers(options, folds.k)
    return {
        "command": options.command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "competition": {
            "slug": competition.slug,
            "metric": competition.metric,
            "classes": list(competition.classes),
            **_task(competition),
        },
        "data": {
            "source": dataset.source,
            "is_sample": dataset.is_sample,
            "fingerprint": dataset.fingerprint,
            "n_train": len(dataset.train),
            "n_test": len(dataset.test) if dataset.test else 0,
            "clean": cleaning.digest if cleaning else "",
            "verdicts": cleaning.counts if cleaning else {},
        },
        "folds": {"k": folds.k, "hash": folds.hash},
        "optimistic": optimistic(recipe),
        "workers": workers,
        "devices": devices[:workers],
        "threads": plan_threads(folds.k, workers, usable_cores()),
        **describe_environment(),
    }


def _task(competition: Competition) -> dict[str, str]:
    return {} if competition.task == "single" else {"task": competition.task}


def optimistic(recipe: Recipe) -> str:
    """Why this run's OOF score is too good to be true; "" where it is honest."""
    if recipe.train.patience and recipe.train.stop_on == "validation":
        return (
            "train.stop_on = 'validation': the best epoch was picked on the rows that the score is taken from, so the OOF "
            "score is optimistic. stop_on = 'inner' is honest."
        )
    if recipe.clusters and recipe.clusters.leaky:
        return (
            "clusters.leaky: words, spaces and clusters were fitted on the rows that the score is taken from, as the report "
            "did, so the score is no estimate for new images. Without --leaky it is honest."
        )
    return ""


def say_plan(plan: dict[str, Any], missing: list[int], workers: int, watcher: Watcher) -> None:
    """Say what is about to be done, and what is doubtful about it."""
    how = f"{_parameters(plan)}; {_layout(plan['layout'])}" if plan["parameters"] else "gradient-boosted trees"
    watcher.say(f"model: {how} on {plan['device_name']}; {workers} fold{'s' if workers > 1 else ''} at a time")
    if plan.get("columns"):
        watcher.say(
            f"columns beside each image: {plan['columns']:,} numbers once encoded, fitted on each fold's training rows"
        )
    elif plan.get("columns") == 0:
        watcher.say(
            "warning: the columns beside the images (data.features) are left out: build_model in competition.py has no parameter columns"
        )
    if "features" in plan:
        watcher.say(f"features of the frozen backbone: once for all folds, kept in {plan['features']}")
    if "albumentations_ms_per_image" in plan:
        cost = plan["albumentations_ms_per_image"]
        watcher.say(
            f"albumentations: {cost:.2f} ms an image, one by one on the CPU (the batched changes of [augment] take about 0.01)"
        )
    for view in plan["doubtful_views"]:
        watcher.say(
            f"warning: predict.tta has '{view}', which is none of this competition's symmetries: it may change the label."
        )
    if plan.get("pseudo"):
        watcher.say(pseudo_line(plan["pseudo"], None))
    if plan["optimistic"]:
        watcher.say(f"warning: {plan['optimistic']}")
    if len(missing) < plan["folds"]["k"]:
        watcher.say(f"training fold{'s' if len(missing) > 1 else ''} {listed(missing)}")


def _parameters(plan: dict[str, Any]) -> str:
    trained = plan["trained_parameters"]
    return f"{plan['parameters']:,} parameters" + (f", {trained:,} trained" if trained < plan["parameters"] else "")


def _layout(layout: dict[str, Any]) -> str:
    def words(precision: str, channels_last: bool) -> str:
        return precision + (" + channels_last" if channels_last else "")

    trains = words(layout["precision"], layout["channels_last"])
    predicts = words(layout["predict_precision"], layout.get("predict_channels_last", layout["channels_last"]))
    other = f", prediction in {predicts}" if predicts != trains else ""
    return f"{trains}{other} ({layout['how']})"


def listed(folds: list[int]) -> str:
    """Fold numbers for people."""
    return ", ".join(map(str, folds))
