"""What a run will cost: from a short timing of its network, corrected by what runs have cost so far.

A fold takes   epochs * batches * step + images predicted * views * prediction,   side by side on the workers. Augmentation, the
other folds' share of memory and whatever else the timing does not see are in the ratio of spent to predicted seconds, which is
learnt from every run: first of all runs, then of the same network.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.storage.atomic_files import read_json, write_json
from harness.competition import Recipe

if TYPE_CHECKING:
    import torch.nn as nn

_FIRST_RATIO = 1.25
"""Of spent to predicted, before any run: augmentation and another process on the same memory."""

_ONCE_RATIO = 1.3  # of the same, where features are taken
_RATIOS = (0.2, 20.0)  # such are believed
_LEAST_START = 1.5

_TREE_SECONDS = 3e-4
"""Seconds of a row and output, where trees are grown on columns; the first such run corrects it."""

_HEAD_SECONDS = 8e-5
"""An epoch's cost of a row, where only a head is trained on stored features."""


@dataclass(frozen=True)
class Timing:
    """A network on this machine.

    Attributes
    ----------
    step : seconds of a training step; predict : of predicting one image
    flops : arithmetic of predicting one image
    """

    step: float
    predict: float
    flops: float


@dataclass(frozen=True)
class TimingJob:
    """Build a recipe's network, time it (or read what was timed before), and write `to`: a JSON of `Timing`.

    It runs where folds run; its timings are those that the run will use.
    """

    competition: Path
    cache: Path
    timings: Path
    recipe: Recipe
    device: str
    threads: int
    to: Path

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Time the network."""
        import torch

        from harness.competition import find_competition
        from harness.cv.jobs.prepare import check_recipe, tried_model
        from harness.data.resize import open_resized
        from harness.train.allocator import keep_freed_memory
        from harness.train.precision import usable_device

        torch.set_num_threads(self.threads)
        keep_freed_memory()
        torch.manual_seed(0)
        competition, dataset = open_resized(find_competition(self.competition), self.cache, self.recipe.data)
        check_recipe(self.recipe, competition)
        if are_trees(self.recipe):
            cost = _TREE_SECONDS * len(competition.classes)
            write_json(self.to, {"step": cost, "predict": 0.0, "flops": 1e9 * cost})
            return
        device = usable_device(self.device)
        layout = tried_model(self.recipe, competition, dataset, device, self.timings)["layout"]
        write_json(
            self.to,
            {
                "step": _chosen(layout, "ms_per_step") / 1000,
                "predict": _chosen(layout, "ms_per_prediction") / 1000 / layout.get("images_predicted", 1),
                "flops": _flops(self.recipe, competition, dataset, device),
            },
        )


def _chosen(layout: dict[str, Any], key: str) -> float:
    """Milliseconds of the layout that was chosen; 0 where it was not timed."""
    from harness.train.precision import Layout

    timed = layout.get(key, {})
    return float(timed.get(str(Layout.of(layout, key == "ms_per_prediction")), 0.0))


def _flops(recipe: Recipe, competition: Any, dataset: Any, device: Any) -> float:
    """Floating-point operations of predicting one image, counted by torch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from harness.cv.jobs.fold_data import feature_network, new_network
    from harness.train.inputs.pixels import ResidentImages

    few = ResidentImages(dataset.train.images[: min(len(dataset.train), 64)], device)
    network: nn.Module = (
        feature_network(competition, recipe, device)
        if recipe.features
        else new_network(competition, recipe, few, torch.arange(few.shape[0], device=device))
    )
    x = few.pixels[:2].permute(0, 3, 1, 2).float().div(255)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(x)
    return counter.get_total_flops() / len(x)


def cost_of_cleaning(rows: int) -> float:
    """Seconds for looking through so many images: 640 X-rays took 4, 3,352 blood cells 12, 12,000 of CIFAR-10 14, 70,000 digits 60."""
    few = min(rows, 4_000)
    return 5.0 + 2e-3 * few + 0.75e-3 * (rows - few)


@dataclass
class Costs:
    """Predicts the cost of runs on one data set.

    Attributes
    ----------
    n_train, n_test : rows; k : folds; workers : folds side by side
    in_seconds : else in fold-epochs of the recipe `unit`, by arithmetic
    start : seconds that a run takes besides its folds; runs that take less lower it
    devices : that the workers share; of CPU cores each worker has its own
    once_ratio : of spent to predicted, where features were taken, by network
    featured : recipes whose frozen network's features lie in the cache, as `_features` names them
    """

    n_train: int
    n_test: int
    k: int
    workers: int
    in_seconds: bool
    start: float = 6.0
    devices: int | None = None
    unit: float = 0.0
    timings: dict[str, Timing] = field(default_factory=dict)
    ratios: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    once_ratio: dict[str, float] = field(default_factory=dict)
    featured: set[str] = field(default_factory=set)

    def run(self, recipe: Recipe, folds: int | None = None, side_by_side: int = 1) -> float:
        """Cost of so many folds (default: all), trained as a run trains them; `side_by_side` such runs at once."""
        number = self.k if folds is None else folds
        if not self.in_seconds:
            return number * self._fold_work(recipe) / self.unit
        together = min(self.workers, number * side_by_side)
        rounds = number * side_by_side / max(together, 1)
        crowded = self._fold_seconds(recipe) * self._crowding(together)
        return self.start + self._once(recipe) + rounds * crowded * self.ratio(recipe)

    def _crowding(self, together: int) -> float:
        """How much longer a fold takes where so many are trained at once: on a shared GPU they take turns, and fill each other's gaps.

        Five of plankton's small network on one H200 took 2.2 times one alone.
        """
        return max(together / self.devices, 1.0) ** 0.5 if self.devices else 1.0

    def epochs_within(self, recipe: Recipe, cost: float, least: int, most: int, folds: int | None = None) -> int:
        """The most epochs, between the bounds, with which the run costs no more; 0 where not even the least do."""
        if self.run(with_epochs(recipe, least), folds) > cost:
            return 0
        low, high = least, most
        while low < high:
            middle = (low + high + 1) // 2
            if self.run(with_epochs(recipe, middle), folds) <= cost:
                low = middle
            else:
                high = middle - 1
        return low

    def runs_within(self, recipe: Recipe, cost: float, least: int, most: int) -> int:
        """Among how many runs of `least` to `most` epochs that much is to be shared, so that little of it is left; at least one.

        The first of them does not take so much that too little is left for another.
        """
        longest, shortest = self.run(with_epochs(recipe, most)), self.run(with_epochs(recipe, least))
        return max(min(math.ceil(cost / longest), int(cost / shortest)), 1)

    def at_least(self, recipe: Recipe, frozen: Recipe) -> float | None:
        """What training all layers of a network costs at least, by the timing of its backbone in a frozen one; None where that says nothing.

        A step back costs twice a step forward, and pixels cost alike at every size; a tenth of that is left for what is not known.
        """
        ours, theirs, known = recipe.model.args, frozen.model.args, self.timings.get(family(frozen))
        sides = ours.get("image_size", 0), theirs.get("image_size", 0)
        if (
            known is None
            or recipe.features
            or not (frozen.features and all(sides))
            or ours.get("backbone") != theirs.get("backbone")
        ):
            return None
        predict = 0.9 * known.predict * (sides[0] / sides[1]) ** 2
        bound = Timing(3 * recipe.train.batch_size * predict, predict, 0.0)
        return dataclasses.replace(self, timings={**self.timings, family(recipe): bound}).run(recipe)

    def take_alike(self, recipe: Recipe, known: Recipe, times: float) -> None:
        """Take a network that was not timed for so many times as dear as a known one: the same on images of another size."""
        timing = self.timings[family(known)]
        alike = Timing(timing.step * times, timing.predict * times, timing.flops * times)
        self.timings.setdefault(family(recipe), alike)
        if (ratio := self.once_ratio.get(family(known))) is not None:
            self.once_ratio.setdefault(family(recipe), ratio)

    def learn(
        self, recipe: Recipe, seconds: float, folds: int, side_by_side: int = 1, found_features: bool = False
    ) -> None:
        """Take in what folds of a recipe really took, as `run` counts them.

        found_features : whether a frozen network's features lay in the cache before: then the time says nothing of them
        """
        if not self.in_seconds:
            return
        if found_features:
            self.featured.add(_features(recipe))
        together = min(self.workers, folds * side_by_side)
        foreseen = folds * side_by_side / max(together, 1) * self._fold_seconds(recipe) * self._crowding(together)
        least, most = _RATIOS
        once = self._once(recipe)
        if once:
            heads = foreseen * self.ratio(recipe)
            seen = (seconds - self.start - heads) / (once / self.once_ratio.get(family(recipe), _ONCE_RATIO))
            self.once_ratio[family(recipe)] = float(np.clip(seen, least, most))
        beside = seconds - self._once(recipe)
        self.start = min(
            self.start, max(beside - least * foreseen, _LEAST_START)
        )  # short runs tell what the rest takes
        if recipe.features:
            self.featured.add(_features(recipe))
        if foreseen > 0:
            ratio = float(np.clip((beside - self.start) / foreseen, least, most))
            self.ratios.setdefault(_kind(recipe), {}).setdefault(family(recipe), []).append(ratio)

    def ratio(self, recipe: Recipe) -> float:
        """Spent over predicted: of this network as last seen, else the middle of all of its kind, else our guess."""
        of_kind = self.ratios.get(_kind(recipe), {})
        own = of_kind.get(family(recipe))
        if own:
            return own[-1]
        everything = [value for of_one in of_kind.values() for value in of_one]
        return float(np.median(everything)) if everything else _FIRST_RATIO

    def _fold_seconds(self, recipe: Recipe) -> float:
        timing = self.timings[family(recipe)]
        rows, predicted = self._rows()
        if are_trees(recipe):
            return rows * timing.step + 1.0
        if recipe.features:
            return recipe.train.seeds * recipe.train.epochs * rows * _HEAD_SECONDS + 1.0
        rows += self.n_test if recipe.pseudo else 0  # at most: those that it is sure of
        steps = recipe.train.epochs * max(rows // recipe.train.batch_size, 1)
        step = timing.step * min(1.0, rows / recipe.train.batch_size)
        return recipe.train.seeds * (steps * step + predicted * views(recipe) * timing.predict)

    def _once(self, recipe: Recipe) -> float:
        """Seconds of what is done once for all folds: features of a frozen backbone, by all cores."""
        if not recipe.features or _features(recipe) in self.featured:
            return 0.0
        images = self.n_train * (recipe.features.views + views(recipe) - 1) + self.n_test * views(recipe)
        ratio = self.once_ratio.get(family(recipe), _ONCE_RATIO)
        return images * self.timings[family(recipe)].predict / max(self.workers, 1) * ratio

    def prediction(self, recipe: Recipe) -> float:
        """Seconds of predicting an image in all views, by one worker."""
        of_features = self.once_ratio.get(family(recipe), _ONCE_RATIO) if recipe.features else None
        ratio = self.ratio(recipe) if of_features is None else of_features
        return self.timings[family(recipe)].predict * views(recipe) * ratio

    def _fold_work(self, recipe: Recipe) -> float:
        """Operations of a fold; a step back costs twice a step forward."""
        timing = self.timings[family(recipe)]
        rows, predicted = self._rows()
        if are_trees(recipe):
            return rows * timing.flops
        if recipe.features:
            once = self.n_train * (recipe.features.views + views(recipe) - 1) + self.n_test * views(recipe)
            return once * timing.flops / self.k
        rows += self.n_test if recipe.pseudo else 0
        per_seed = recipe.train.epochs * rows * 3 * timing.flops + predicted * views(recipe) * timing.flops
        return recipe.train.seeds * per_seed

    def _rows(self) -> tuple[int, int]:
        rows = self.n_train * (self.k - 1) // self.k
        return max(rows, 1), self.n_train - rows + self.n_test

    def set_unit(self, recipe: Recipe) -> None:
        """Count in epochs of one fold of this recipe."""
        rows, _ = self._rows()
        self.unit = rows * 3 * self.timings[family(recipe)].flops


def are_trees(recipe: Recipe) -> bool:
    """Whether no network is trained: trees on the columns beside the images."""
    return recipe.model.name == "boosting"


def family(recipe: Recipe) -> str:
    """What names a recipe's timing: network, size, batch, precision, whether only a head is trained."""
    told = recipe.model_dump(mode="json")
    kept = [told["model"], told["data"], told["train"]["batch_size"], told["train"]["precision"], told["features"]]
    return f"{kept} {told['train']['freeze_layers']} {told['train']['freeze_blocks']} {told['train']['optimizer']}"


def _kind(recipe: Recipe) -> str:
    """What is trained: how far predictions are off says nothing of another kind."""
    return "trees" if are_trees(recipe) else "head" if recipe.features else "network"


def _features(recipe: Recipe) -> str:
    """What the stored features of a frozen network depend on; nothing of its head, nor of folds."""
    told = recipe.model_dump(mode="json")
    return str([told[key] for key in ("model", "data", "features", "augment", "predict")])


def views(recipe: Recipe) -> int:
    """Views that an image is predicted in."""
    from harness.train.prediction.views import weighted_views

    return len(weighted_views(recipe.predict))


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with another number of epochs."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})


def read_timing(path: Path) -> Timing:
    """What a `TimingJob` wrote."""
    told = read_json(path)
    return Timing(**{f.name: float(told[f.name]) for f in dataclasses.fields(Timing)})
