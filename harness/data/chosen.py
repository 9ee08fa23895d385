"""The data that a command's options choose."""

from __future__ import annotations

import os

from harness.base.errors import UserError
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.competition import Competition
from harness.data.cache import Dataset
from harness.data.dataset import load_dataset


def load_chosen(competition: Competition, where: DataOptions, watcher: LineWatcher) -> tuple[Competition, Dataset]:
    """Find, decode (once) and check the data, and tell the watcher; the competition comes back with what they say of it.

    Raises
    ------
    UserError
        If the data are missing or wrong.
    """
    dataset = load_dataset(
        competition,
        where.root,
        sample=where.sample,
        skip_broken=where.skip_broken,
        stream=where.stream,
        tick=watcher.decoding,
        unpack_tick=watcher.unpacking,
        say=watcher.say,
    )
    _refuse_others(dataset)
    return dataset.competition or competition, dataset


def _refuse_others(dataset: Dataset) -> None:
    """$HARNESS_FINGERPRINT, where it is set, names the data that are wanted: those of the machine that sent us."""
    wanted = os.environ.get("HARNESS_FINGERPRINT")
    if wanted and dataset.fingerprint != wanted:
        raise UserError(
            f"{dataset.source}: has fingerprint {dataset.fingerprint}, wanted {wanted} (HARNESS_FINGERPRINT): other files, or decoded by "
            "another version of Pillow. To train on these all the same, name a data root without this competition's files: --data EMPTY_FOLDER"
        )
