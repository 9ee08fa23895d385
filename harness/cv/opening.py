"""A run is opened: the verdicts applied, the folds made or read, the run named; nothing is trained yet."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.places.home import from_here
from harness.base.python import registered
from harness.base.untrusted_text import counted, plain
from harness.clean.verdicts import Cleaning, apply_verdicts
from harness.competition import Competition, Recipe, Samples
from harness.competition.builtin.facts import facts_of
from harness.competition.builtin.rules import balance, why_uneven
from harness.competition.recipe import BOOSTING
from harness.competition.scoring.registry import NUMBERS
from harness.competition.scoring.spec import parsed
from harness.competition.tasks.fitting import check_fits
from harness.cv.folds import FoldsJob, folds_path, load_folds, rare_classes, restore_folds, saved_faults
from harness.cv.jobs.executor import run_jobs
from harness.cv.jobs.prepare import PrepareJob
from harness.cv.jobs.row_weights import check_row_weights
from harness.cv.options import Options, Watcher, describe_run, planned_workers
from harness.cv.pseudo_labels import check_pseudo
from harness.data.cache import Dataset
from harness.runs import Folds, RunFolder


@dataclass(frozen=True)
class OpenedRun:
    """A run's folder with its data, by the verdicts that count, and its folds; nothing is trained yet.

    Attributes
    ----------
    folder, dataset, folds : as they are passed on
    saved_folds : where the folds lie; cleaning : what the verdicts changed, or None
    """

    folder: RunFolder
    dataset: Dataset
    folds: Folds
    saved_folds: Path
    cleaning: Cleaning | None

    def start(self, competition: Competition, recipe: Recipe, options: Options, watcher: Watcher) -> None:
        """Check the recipe against code and data, and write what is known before training."""
        check_numbers(recipe, competition, self.dataset.train)
        cleaned = self.cleaning.digest if self.cleaning else ""
        environment = describe_run(competition, recipe, self.dataset, self.folds, options, self.cleaning)
        environment["pseudo"] = check_pseudo(
            recipe, self.folder.path, self.dataset, self.folds, cleaned, competition.kind
        )
        if own := registered_in(competition, recipe):
            environment["registered"] = own
        verdicts = options.verdicts if self.cleaning else None
        prepare = _prepare_job(self.folder, competition, self.dataset, recipe, self.saved_folds, environment, verdicts)
        with watcher.waiting("building the network, timing precision and memory layout"):
            run_jobs([prepare], environment["workers"], watcher.progress)


def open_run(
    competition: Competition, recipe: Recipe, dataset: Dataset, options: Options, watcher: Watcher
) -> OpenedRun:
    """Apply the verdicts, make or read the folds, and name the run."""
    check_fits(recipe, competition.kind)
    competition.check_hooks()  # else a misspelt one would come out when everything is trained
    homes = options.out / "oof" / competition.slug
    cleaning = _clean(competition, dataset, options.verdicts, watcher)
    verdicts, cleaned = (options.verdicts, cleaning.digest) if cleaning else (None, "")
    dataset = dataclasses.replace(dataset, train=cleaning.samples) if cleaning else dataset
    saved_folds = folds_path(homes / "folds", dataset.fingerprint, recipe.cv, cleaned)
    if saved_faults(saved_folds):
        restore_folds(saved_folds, homes, dataset.train, watcher.say)
    if not saved_folds.is_file():
        classes = competition.classes or ("row",)  # of clusters nothing is known yet
        job = FoldsJob(dataset.cache, classes, recipe.cv, saved_folds, verdicts, competition.task)
        try:
            with watcher.waiting("making the folds"):
                run_jobs([job], planned_workers(options, recipe.cv.folds), watcher.progress)
        except UserError as error:
            if cleaning is None or not cleaning.counts["group"]:
                raise
            joined = f"{counted(cleaning.counts['group'], 'row')} as 'group' in {from_here(verdicts)}"  # type: ignore[arg-type]
            raise UserError(
                f"{error} Copies and what looks alike share a fold, by {joined}: change those verdicts, or add --no-clean."
            ) from error
    folds = load_folds(dataset.train, saved_folds)
    if recipe.train.row_weights:
        check_row_weights(dataset.train.weight, folds)
    if competition.classes and dataset.train.labels is not None:
        for warning in rare_classes(dataset.train.labels, dataset.train.groups, competition.classes, folds.k):
            watcher.say(f"warning: {warning}")
        if hint := _balance_hint(competition, recipe, dataset):
            watcher.say(f"note: {hint}")
    folder = RunFolder(homes / run_name(competition, recipe, dataset, folds, cleaned))
    return OpenedRun(folder, dataset, folds, saved_folds, cleaning)


def check_numbers(recipe: Recipe, competition: Competition, samples: Samples) -> None:
    """Refuse numbers that the recipe's loss cannot teach: networks under "bce" give none outside of 0 to 1.

    Raises
    ------
    UserError
        Names the row and the cure.
    """
    if recipe.train.loss != "bce" or competition.kind.of != NUMBERS or samples.labels is None:
        return
    wrong = np.argwhere((samples.labels < 0) | (samples.labels > 1))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise UserError(
            f"train.loss = 'bce': is for numbers from 0 to 1, and {competition.classes[column]} of '{plain(str(samples.ids[row]), 80)}' is "
            f"{samples.labels[row, column]:g}. Take another: --set train.loss=mse (or mae, huber)."
        )


def _balance_hint(competition: Competition, recipe: Recipe, dataset: Dataset) -> str:
    """What the built-in rule would do about unequal classes, where the recipe does nothing; "" else."""
    spec, labels = recipe.train, dataset.train.labels
    if labels is None or recipe.model.name == BOOSTING or spec.balances or spec.class_weights != "none":
        return ""
    facts = facts_of(competition, dataset.train.images.shape, labels)
    if not balance(facts):
        return ""
    return f"{why_uneven(facts)}: --set train.sampling=sqrt lets rare classes be drawn more often, as the built-in recipes do"


def run_name(competition: Competition, recipe: Recipe, dataset: Dataset, folds: Folds, cleaned: str = "") -> str:
    """The recipe's name and 8 hex digits of what makes the result: recipe, data, folds, a model of one's own.

    The sample's name says that it is one.
    """
    parts = [recipe.digest(), dataset.fingerprint, folds.hash] + ([cleaned] if cleaned else [])
    if competition.task not in ("single", "binary"):
        parts.append(competition.task)
    if recipe.model.name == "custom":
        code = competition.folder / "competition.py"  # that it is missing is said where the model is built
        parts.append(code.read_text(encoding="utf-8", errors="replace") if code.is_file() else "")
    if recipe.model.name in ("timm", BOOSTING):
        parts.append(_weights(recipe.model.args))
    if recipe.image:
        parts.append(_weights({"weights": recipe.image.weights}))
    parts += [f"{key} {digest}" for key, digest in registered_in(competition, recipe).items()]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
    return f"{'sample-' if dataset.is_sample else ''}{recipe.name}-{digest}"


def registered_in(competition: Competition, recipe: Recipe) -> dict[str, str]:
    """What a script registered and this run uses, {"kind name": digest of its code}."""
    labels = [str(parsed(name)[1].get("label", "")) for name in (competition.metric, *competition.also)]
    used = {
        "model": [recipe.model.name],
        "loss": [recipe.train.loss],
        "augmentation": recipe.augment.own,
        "metric": labels,
    }
    return registered.digests(used)


def _weights(args: dict[str, Any]) -> str:
    """What tells one file of weights from another of the same name; models are imported only where there is one."""
    if args.get("weights", "scratch") in ("scratch", "pretrained", "package"):
        return ""
    from harness.models.weights import weights_digest

    return weights_digest(args)


def _clean(competition: Competition, dataset: Dataset, path: Path | None, watcher: Watcher) -> Cleaning | None:
    """What the verdicts make of the training rows; None where there are none or they change nothing."""
    if path is None:
        return None
    cleaning = apply_verdicts(path, dataset.train, competition.classes)
    if not cleaning.digest:
        return None
    counts = cleaning.counts
    watcher.say(
        f"verdicts of {from_here(path)}: {counted(counts['exclude'], 'row')} excluded, {counts['group']:,} grouped, {counts['relabel']:,} "
        "relabelled (--no-clean goes without)"
    )
    return cleaning


def _prepare_job(
    folder: RunFolder,
    competition: Competition,
    dataset: Dataset,
    recipe: Recipe,
    saved_folds: Path,
    environment: dict[str, Any],
    verdicts: Path | None,
) -> PrepareJob:
    kind = PrepareJob
    if recipe.model.name == BOOSTING:
        from harness.cv.jobs.boosting import BoostingPrepareJob as kind
    if recipe.clusters:
        from harness.cv.clustering.prepare_job import ClusterPrepareJob as kind
    return kind(
        run=folder.path,
        competition=competition.folder,
        cache=dataset.cache,
        timings=cache_root(),
        recipe=recipe,
        folds=saved_folds,
        environment=environment,
        device=environment["devices"][0],
        threads=environment["threads"][0],
        verdicts=verdicts,
    )
