"""Data that TOML cannot describe: read by the competition's own `load_samples`, checked, written to the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.competition import Competition, Samples
from harness.data.files.archives import FileTree


def write_custom(competition: Competition, tree: FileTree, split: str, folder: Path) -> bool:
    """Write one split's arrays as `load_samples` gives them; False where it gives None.

    Raises
    ------
    UserError
        If the function is missing, fails, or gives what does not fit competition.toml (says which row).
    """
    load = competition.hook("load_samples")
    if load is None:
        raise UserError(
            f"{competition.folder / 'competition.toml'}: data.format = 'custom' needs load_samples in competition.py"
        )
    try:
        samples = load(tree.path, split)
    except UserError:
        raise
    except Exception as error:
        place = f"{competition.folder / 'competition.py'}: load_samples(..., '{split}')"
        raise UserError(f"{place} failed: {type(error).__name__}: {error}") from error
    if samples is None:
        return False
    _check_custom(competition, samples, split)
    np.save(folder / "images.npy", samples.images)
    np.save(folder / "ids.npy", samples.ids.astype(np.str_))
    for name in ("labels", "groups", "captions"):
        if getattr(samples, name) is not None:
            np.save(folder / f"{name}.npy", getattr(samples, name))
    return True


def _check_custom(competition: Competition, samples: Samples, split: str) -> None:
    """Refuse what `load_samples` may not give: images of another size, labels that are no class's index."""
    where = f"{competition.folder / 'competition.py'}: load_samples(..., '{split}')"
    if not isinstance(samples, Samples):
        raise UserError(f"{where} gave {type(samples).__name__}; wanted harness.competition.Samples or None")
    shape = (*competition.data.size, competition.data.channels)
    if samples.images.shape[1:] != shape:
        raise UserError(f"{where}: images are {samples.images.shape[1:]}; data.size and channels say {shape}")
    if split == "test":
        return
    labels, n_classes, task = samples.labels, len(competition.classes), competition.kind
    if not n_classes:
        raise UserError(
            f"{competition.folder / 'competition.toml'}: classes: missing; data.format = 'custom' needs them"
        )
    if not task.is_one_class:
        if labels is None or labels.ndim != 2 or labels.shape[1] != n_classes or task.wrong_rows(labels).any():
            raise UserError(f"{where}: labels must be float (n, {n_classes}), {task.what}; no NaN")
        return
    if labels is None or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"{where}: labels are {None if labels is None else labels.dtype}; wanted int64 indices of classes"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(outside):
        raise UserError(f"{where}: row {outside[0] + 1}: label {labels[outside[0]]} is no class (0 to {n_classes - 1})")
