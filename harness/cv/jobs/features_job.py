"""The features of a frozen backbone as a unit of work: before the folds, once for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.base.progress import FEATURES


@dataclass(frozen=True)
class FeaturesJob:
    """Compute the features that a started run needs; nothing, where they stand. Killed, it goes on where it was.

    Attributes as of `FoldJob`; threads : all cores, since no other job runs beside it.
    """

    run: Path
    competition: Path
    cache: Path
    device: str
    threads: int

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Compute the features that are missing and save them."""
        import torch

        from harness.competition import find_competition
        from harness.cv.jobs.fold_data import feature_network
        from harness.data.resize import open_resized
        from harness.runs import RunFolder
        from harness.runs.notes.progress import COMPUTING, ProgressFile
        from harness.train.frozen_features import FeatureStore, compute_features, features_ticks
        from harness.train.inputs.pixels import open_images
        from harness.train.precision import Layout, usable_device

        torch.set_num_threads(self.threads)
        folder = RunFolder(self.run)
        recipe, environment = folder.recipe(), folder.environment()
        competition, dataset = open_resized(find_competition(self.competition), self.cache, recipe.data)
        store, device = FeatureStore(Path(environment["features"])), usable_device(self.device)
        if store.complete:
            return
        network = feature_network(competition, recipe, device)
        images = open_images(dataset.train.images, device)
        test = open_images(dataset.test.images, device) if dataset.test else None
        total, done, last = features_ticks(recipe, images.shape[0], test.shape[0] if test else 0), 0, 0.0

        def tick(n: int) -> None:
            nonlocal done, last
            done += n
            if time.monotonic() - last > 0.25 or done >= total:
                last = time.monotonic()
                told.progress(FEATURES, done, total)

        layout = Layout.of(environment["layout"], True)
        with ProgressFile(self.run, FEATURES, COMPUTING, progress) as told:
            compute_features(network, images, test, recipe, layout, store, self.threads, tick)
