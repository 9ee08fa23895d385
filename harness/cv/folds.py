"""Stratified folds that keep groups together: made once per data set and seed, saved, reused by every run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.base.storage.manifest import faults, manifest_beside, sealed_file, write_manifest
from harness.base.untrusted_text import counted
from harness.clean.verdicts import apply_verdicts
from harness.competition import Recipe, Samples
from harness.competition.recipe import CvSpec
from harness.competition.scoring.registry import LABELS
from harness.competition.tasks import TASKS, Task
from harness.cv.iterative_folds import iterative_folds, rarest_first_folds
from harness.runs import Folds, RunFolder


def folds_path(folder: Path, fingerprint: str, spec: CvSpec, cleaning: str = "") -> Path:
    """Where the folds of this data, k and seed are saved; `cleaning` tells verdicts that count from none."""
    return folder / f"{fingerprint}{f'-clean-{cleaning}' if cleaning else ''}-k{spec.folds}-seed{spec.seed}.csv"


@dataclass(frozen=True)
class FoldsJob:
    """Make the folds of a decoded data set and save them; nothing, where they stand.

    Saved folds are the truth: a newer scikit-learn may shuffle otherwise, and runs must stay comparable. It is a job, so
    that scikit-learn is imported in a worker and its memory is free again when training begins.
    """

    cache: Path
    classes: tuple[str, ...]
    spec: CvSpec
    path: Path
    verdicts: Path | None = None
    task: str = "single"

    def __call__(self, progress: Callable[[int, int, int], None]) -> None:
        """Make the folds; progress is not told, since it takes a moment."""
        from harness.data.cache import open_cache

        if not saved_faults(self.path):
            return
        samples, kept = open_cache(self.cache).train, None
        if self.verdicts:
            cleaning = apply_verdicts(self.verdicts, samples, self.classes)
            samples, kept = cleaning.samples, cleaning.kept
        with sealed_file(self.path) as temporary:
            make_folds(samples, self.classes, self.spec, kept, TASKS[self.task]).save(temporary)


def saved_faults(path: Path) -> list[str]:
    """What is wrong with saved folds, in words; those from before there were checksums are taken as they are."""
    if not path.is_file():
        return [f"{path.name} is not there"]
    sums = manifest_beside(path)
    if not sums.exists():
        write_manifest(sums, [path.name])
    return faults(sums)


def restore_folds(path: Path, homes: Path, samples: Samples, say: Callable[[str], None]) -> None:
    """Put saved folds that are lost or damaged back from a run that used them; where there is none, take them away.

    homes : the folder of the competition's runs
    """
    damaged = path.is_file()
    path.unlink(missing_ok=True)
    manifest_beside(path).unlink(missing_ok=True)
    k, seed = path.stem.split("-k")[-1].split("-seed")
    for run in sorted(homes.glob("*/folds.csv")):
        folder = RunFolder(run.parent)
        if folder.is_old or folder.start_faults():
            continue
        try:
            cv, data = folder.recipe().cv, folder.environment()["data"]
            found = Folds.load(run)
        except (UserError, KeyError, TypeError):
            continue
        cleaned = f"-clean-{data['clean']}" if data.get("clean") else ""
        if f"{data['fingerprint']}{cleaned}" != path.stem.rpartition("-k")[0] or (cv.folds, cv.seed) != (
            int(k),
            int(seed),
        ):
            continue
        if np.array_equal(found.ids, samples.ids) and np.array_equal(found.groups, samples.groups):
            with sealed_file(path) as temporary:
                found.save(temporary)
            say(f"{path}: restored from run '{folder.name}'")
            return
    if damaged:
        say(f"{path}: damaged; the folds are made anew")


def load_folds(samples: Samples, path: Path) -> Folds:
    """Saved folds of these samples.

    Raises
    ------
    UserError
        If the saved folds are of other rows or groups.
    """
    folds = Folds.load(path)
    if not (np.array_equal(folds.ids, samples.ids) and np.array_equal(folds.groups, samples.groups)):
        raise UserError(f"{path}: its ids or groups are not those of the data. Delete it to have the folds made anew.")
    return folds


def make_folds(
    samples: Samples,
    classes: tuple[str, ...],
    spec: CvSpec,
    kept: np.ndarray | None = None,
    task: Task = TASKS["single"],
) -> Folds:
    """Split rows into k folds with equal class shares; rows of a group share a fold.

    Of several labels each is spread evenly (`iterative_folds`), numbers are by their quantiles.

    Rows that are not kept (bool (n,)) are dealt out afterwards: to the fold of their group, or in turn.

    A class with fewer groups than folds is in no validation part of some folds, and where it is in one, the model there has seen the
    less of it: `rare_classes` names them. Where groups leave a fold without a class, or a quantile, that has enough of them, other seeds
    are tried.

    Raises
    ------
    UserError
        If there are fewer groups than folds, or every seed leaves a fold without such a class.
    """
    assert samples.labels is not None  # training rows always have labels
    kept = np.ones(len(samples), dtype=bool) if kept is None else kept
    rows = np.flatnonzero(kept)
    groups = samples.groups[rows]
    if samples.fold is not None:
        return _given_folds(samples, spec, kept)
    _check_counts(groups, spec.folds)
    if task.of == LABELS:
        fold = np.full(len(samples), -1, dtype=np.int8)
        fold[rows] = iterative_folds(samples.labels[rows], groups, spec.folds, spec.seed)
        _assign_left_out_rows(fold, samples.groups, spec.folds)
        return Folds(samples.ids, samples.groups, fold, kept)
    labels = task.strata(samples.labels[rows])
    common = (
        _groups_per_class(labels, groups, len(classes) if task.is_one_class else int(labels.max()) + 1) >= spec.folds
    )
    fold, lacking = _best_split(labels, groups, spec, common)
    if len(lacking) and task.is_one_class:  # a quantile that a fold lacks is no harm
        raise UserError(_lacks(lacking[0], labels, classes, spec.folds))
    found = np.full(len(samples), -1, dtype=np.int8)
    found[rows] = fold
    _assign_left_out_rows(found, samples.groups, spec.folds)
    return Folds(samples.ids, samples.groups, found, kept)


def _best_split(
    labels: np.ndarray, groups: np.ndarray, spec: CvSpec, common: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fold of each row, int8 (n,), by the first seed whose folds lack no common class, else by that of which they lack the fewest.

    Returns also what they lack, int64 (m, 2): (fold, class); common : bool (n_classes,)
    """
    best: tuple[np.ndarray, np.ndarray] | None = None
    for attempt in range(_SEEDS):
        fold = np.full(len(labels), -1, dtype=np.int8)
        for number, (_, valid) in enumerate(_splits(labels, groups, spec.folds, spec.seed + attempt * 1_000_003)):
            fold[valid] = number
        lacking = _lacking(fold, labels, spec.folds, common)
        if best is None or len(lacking) < len(best[1]):
            best = fold, lacking
        if not len(lacking):
            break
    assert best is not None
    return best


def _lacks(lacking: np.ndarray, labels: np.ndarray, classes: Sequence[str], k: int) -> str:
    """What to say of a (fold, class) without a row."""
    number, missing = lacking.tolist()
    cure = "Lower it: --set cv.folds=2" if k > 2 else "Two folds are the least; its groups are too unlike in size"
    return (
        f"fold {number} has no sample of class '{classes[missing]}' ({int((labels == missing).sum()):,} samples, {k} folds; "
        f"groups stay together), by {_SEEDS} seeds. {cure}."
    )


def _given_folds(samples: Samples, spec: CvSpec, kept: np.ndarray) -> Folds:
    """The folds that the data give (data.fold).

    Raises
    ------
    UserError
        If there are more or fewer than cv.folds, one has no row, or rows of a group lie in several.
    """
    assert samples.fold is not None
    k = int(samples.fold.max()) + 1
    if k != spec.folds or len(np.unique(samples.fold[kept])) != k:
        have = np.unique(samples.fold[kept]).tolist()
        cure = (
            f"--set cv.folds={k}" if have == list(range(k)) and k > 1 else "correct the column, or take data.fold out"
        )
        raise UserError(
            f"data.fold: the rows have the folds {have}, the recipe has {spec.folds} (cv.folds). Write {cure}."
        )
    order = np.lexsort((samples.fold, samples.groups))
    group, fold = samples.groups[order], samples.fold[order]
    split = np.flatnonzero((np.diff(group) == 0) & (np.diff(fold) != 0))
    if len(split):
        one, other = order[split[0]], order[split[0] + 1]
        raise UserError(
            f"data.fold: '{samples.ids[one]}' and '{samples.ids[other]}' are of one group and lie in folds {samples.fold[one]} and "
            f"{samples.fold[other]}. Take data.fold out of competition.toml, or data.group and data.group_by."
        )
    return Folds(samples.ids, samples.groups, samples.fold.astype(np.int8), kept)


_SEEDS = 20


def rare_classes(labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], k: int) -> list[str]:
    """What to say of classes, or of several labels a row, with fewer images (or groups) than folds; labels (n,) or 0/1 (n, T)."""
    if labels.ndim > 1 and not np.isin(labels[: 1 << 16], (0, 1)).all():
        return []  # numbers
    if labels.ndim > 1:
        counts = np.array([len(np.unique(groups[column >= 0.5])) for column in labels.T])
    else:
        counts = _groups_per_class(labels, groups, len(classes))
    rare = np.flatnonzero(counts < k)
    if not len(rare):
        return []
    named = ", ".join(f"'{classes[i]}' {counts[i]}" for i in rare[:_NAMED]) + (", ..." if len(rare) > _NAMED else "")
    return [
        f"{len(rare):,} of {len(classes):,} classes have fewer images (or groups) than the {k} folds: {named}. They are trained on; a fold "
        "that is judged on one has seen the less of it, or none, so that their scores are low and say little"
    ]


_NAMED = 5


def _groups_per_class(labels: np.ndarray, groups: np.ndarray, n_classes: int) -> np.ndarray:
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return np.bincount(pairs[0], minlength=n_classes)


def _assign_left_out_rows(fold: np.ndarray, groups: np.ndarray, k: int) -> None:
    """Give the rows that have no fold yet (-1) that of their group, else one in turn."""
    missing = np.flatnonzero(fold < 0)
    if not len(missing):
        return
    _, group = np.unique(groups, return_inverse=True)
    of_group = np.full(int(group.max()) + 1, -1, dtype=np.int8)
    of_group[group[fold >= 0]] = fold[fold >= 0]
    without = np.unique(group[missing][of_group[group[missing]] < 0])
    of_group[without] = np.arange(len(without)) % k
    fold[missing] = of_group[group[missing]]


_MOST_CELLS = 200_000_000
"""Groups times classes of scikit-learn's splitter, which has a table of them, and more than one."""


def _splits(labels: np.ndarray, groups: np.ndarray, parts: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stratified splits that keep groups together, by the faster splitter where every row is its own group."""
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

    n_groups, seed = len(np.unique(groups)), seed % 2**32
    grouped, all_rare = n_groups < len(groups), np.bincount(labels).max() < parts
    if grouped and (all_rare or n_groups * len(np.unique(labels)) > _MOST_CELLS):
        part = rarest_first_folds(labels, groups, parts, seed)
        yield from ((np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(parts))
        return
    kind = StratifiedGroupKFold if grouped else KFold if all_rare else StratifiedKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of rare classes, which are named by `rare_classes`
        splitter = kind(n_splits=parts, shuffle=True, random_state=seed)
        yield from splitter.split(np.zeros(len(labels)), labels, groups if grouped else None)


def _check_counts(groups: np.ndarray, k: int) -> None:
    n_groups = len(np.unique(groups))
    if n_groups < k:
        what = (
            f"{len(groups)} training rows"
            if n_groups == len(groups)
            else f"{len(groups)} training rows in {counted(n_groups, 'group')}"
        )
        cure = f"Lower it: --set cv.folds={n_groups}" if n_groups >= 2 else "Two are the least: there must be more data"
        raise UserError(f"{what} are too few for {k} folds. {cure}.")


def _lacking(fold: np.ndarray, labels: np.ndarray, k: int, common: np.ndarray) -> np.ndarray:
    """Each (fold, class) without a row, of the classes that have enough groups, int64 (m, 2)."""
    n_classes = len(common)
    counts = np.bincount(fold.astype(np.int64) * n_classes + labels, minlength=k * n_classes).reshape(k, -1)
    return np.argwhere((counts == 0) & common)


def strata_of(targets: np.ndarray) -> np.ndarray:
    """What a part of the rows is balanced on, int64 (n,): the class, the rarest label, the quantile."""
    if targets.ndim == 1:
        return targets
    labels = np.isin(targets[: 1 << 16], (0, 1)).all()
    return TASKS["multilabel" if labels else "regression"].strata(targets)


def split_watched(samples: Samples, folds: Folds, fold: int, recipe: Recipe) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows to train on and rows that early stopping watches, int64 each; None where nothing is watched.

    stop_on = "inner" holds a stratified share of the training rows out, whole groups of them; "validation" watches the
    rows that are scored, as the reports did.
    """
    train, spec = folds.train_rows(fold), recipe.train
    if not spec.patience:
        return train, None
    if spec.stop_on == "validation":
        return train, folds.valid_rows(fold)
    parts, n_groups = max(round(1 / spec.inner_fraction), 2), len(np.unique(samples.groups[train]))
    if n_groups < parts:
        raise UserError(
            f"train.patience: fold {fold} has {counted(n_groups, 'group')} to train on, too few to hold "
            f"{spec.inner_fraction:.0%} of them out. Raise train.inner_fraction, or take train.patience out."
        )
    watched = held_out(samples, train, recipe.cv.seed, parts)
    return train[~np.isin(train, watched)], watched


def held_out(samples: Samples, train: np.ndarray, seed: int, parts: int = 10) -> np.ndarray:
    """Rows (int64) of a stratified part of some training rows, whole groups of them; none where there are fewer groups than parts."""
    assert samples.labels is not None
    labels, groups = strata_of(samples.labels[train]), samples.groups[train]
    if len(np.unique(groups)) < parts:
        return train[:0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than parts: it is trained on
        _, watched = next(_splits(labels, groups, parts, seed))
    return train[watched]
