"""A fold of a recipe with model 'boosting': trees on columns, and on stored features where [features] is there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.cv.jobs.fold_job import FoldJob, save_checkpoint, seed_of
from harness.cv.jobs.prepare import PrepareJob

if TYPE_CHECKING:
    from harness.competition import Competition, Recipe, Samples
    from harness.data.cache import Dataset
    from harness.data.columns.encoder import ColumnEncoder
    from harness.runs import RunFolder
    from harness.runs.notes.progress import ProgressFile


def check_boosting(recipe: Recipe, competition: Competition, dataset: Dataset) -> None:
    """Refuse what trees on columns cannot do.

    Raises
    ------
    UserError
        Names the key and the cure.
    """
    if dataset.train.columns is None and not recipe.features:
        raise UserError(
            f"model.name = 'boosting': '{competition.slug}' has no columns beside its images"
            f"{'' if recipe.data.columns else ' (data.columns = false)'}. Name them: data.features in competition.toml; or let it see features "
            "of a frozen backbone: a table [features] and model.args.backbone."
        )
    if recipe.features and not recipe.model.args.get("backbone"):
        raise UserError(
            "[features] with model.name = 'boosting' needs model.args.backbone, and where its weights come from: model.args.weights"
        )
    if recipe.pseudo:
        raise UserError("[pseudo] is for networks; model.name = 'boosting' learns from labelled rows. Take it out.")


@dataclass(frozen=True)
class BoostingPrepareJob(PrepareJob):
    """As `PrepareJob`: of trees nothing is timed but the backbone whose features they see."""

    def tried(self, competition: Competition, dataset: Dataset, device: Any) -> dict[str, Any]:
        """What is known of the trees before they are fitted; with [features] of the backbone too."""
        from harness.cv.jobs.fold_data import fitted_encoder
        from harness.models import build_network

        check_boosting(self.recipe, competition, dataset)
        build_network(self.recipe.model, competition)  # are its arguments possible?
        encoder = fitted_encoder(competition, self.recipe, dataset, np.arange(len(dataset.train)))
        told: dict[str, Any] = {"columns": encoder.width} if encoder else {}
        plain = {"precision": "fp32", "predict_precision": "fp32", "channels_last": False, "how": "trees"}
        found = super().tried(competition, dataset, device) if self.recipe.features else {"layout": plain}
        return {**found, **told, "parameters": 0, "trained_parameters": 0}


@dataclass(frozen=True)
class BoostingFoldJob(FoldJob):
    """As `FoldJob`."""

    def train(self, folder: RunFolder, told: ProgressFile) -> None:
        """Fit the trees on the fold's training rows, predict validation and test rows, and save."""
        import torch
        from threadpoolctl import threadpool_limits

        from harness.clean.verdicts import apply_verdicts
        from harness.competition import find_competition
        from harness.cv.folds import held_out
        from harness.cv.jobs.fold_data import fitted_encoder
        from harness.data.resize import open_resized
        from harness.models import build_network
        from harness.models.tabular.boosting import Trees
        from harness.runs import FoldResult, Folds

        started = time.perf_counter()
        told.progress(self.fold, 0, 2)
        recipe, folds = folder.recipe(), Folds.load(folder.path / "folds.csv")
        competition, dataset = open_resized(find_competition(self.competition), self.cache, recipe.data)
        samples = dataset.train
        if folder.verdicts_path.is_file():
            samples = apply_verdicts(folder.verdicts_path, samples, competition.classes).samples
        rows, valid, labels = folds.train_rows(self.fold), folds.valid_rows(self.fold), samples.labels
        assert labels is not None  # training rows always have labels
        encoder = fitted_encoder(competition, recipe, dataset, rows)
        seen = _Seen(dataset, encoder, folder)
        seed = seed_of(recipe.seed, self.fold, 0)
        trees = Trees(
            build_network(recipe.model, competition), competition.kind, len(competition.classes), seen.categories, seed
        )
        learnt, weights = learnt_rows(samples, rows, len(competition.classes), recipe)
        with threadpool_limits(self.threads, user_api="openmp"):
            held = np.isin(learnt, held_out(samples, learnt, recipe.cv.seed))
            trees.fit(seen.train[learnt], labels[learnt], held, weights)
            told.progress(self.fold, 1, 2)
            proba = trees.predict(seen.train[valid])
            test = trees.predict(seen.test) if seen.test is not None else np.zeros((0, proba.shape[1]), np.float32)
        if self.after_epoch:
            self._tell(competition, folds.kept[valid], labels[valid], proba)
        if encoder is not None:
            arrays = {f"columns.encoder_{name}": torch.from_numpy(array) for name, array in encoder.arrays().items()}
            save_checkpoint(folder.checkpoint_path(self.fold), arrays)
        seconds = time.perf_counter() - started
        folder.save_fold(FoldResult(self.fold, valid, proba, test, [], seconds))  # trees have no epochs to tell of
        told.progress(self.fold, 2, 2)

    def _tell(self, competition: Competition, kept: np.ndarray, labels: np.ndarray, proba: np.ndarray) -> None:
        """The score of the rows that are judged, as a network's is told after each epoch."""
        from harness.cv.scores import competition_metrics

        assert self.after_epoch is not None
        self.after_epoch(1, competition_metrics(competition)[0](labels[kept], proba[kept]))


def learnt_rows(
    samples: Samples, rows: np.ndarray, n_classes: int, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows (int64) of a fold's training rows that trees learn from, and their weights as `Trees.fit` takes them.

    A row of weight 0 is left out: trees count their rows of a leaf whatever those weigh.
    """
    import torch

    from harness.cv.jobs.row_weights import row_weights
    from harness.train.balance.weights import target_weights

    assert samples.labels is not None  # training rows always have labels
    of_rows = None
    if samples.weight is not None and recipe.train.row_weights:
        rows = rows[samples.weight[rows] > 0]
        found = row_weights(samples.weight, rows, len(samples))
        of_rows = None if found is None else torch.from_numpy(found[rows])
    weights = target_weights(torch.from_numpy(samples.labels[rows]), n_classes, recipe.train, of_rows)
    return rows, None if weights is None else weights.numpy()


class _Seen:
    """What trees see of each row: train float32 (n, F), test (n_test, F) or None; categories bool (F,)."""

    def __init__(self, dataset: Dataset, encoder: ColumnEncoder | None, folder: RunFolder) -> None:
        from harness.models.tabular.boosting import tree_columns
        from harness.train.frozen_features import FeatureStore
        from harness.train.inputs.network_inputs import open_features

        store = FeatureStore(Path(told)) if (told := folder.environment().get("features")) else None
        self.categories = np.zeros(0, bool)
        tables: list[np.ndarray | None] = []
        for samples, path in ((dataset.train, "predict"), (dataset.test, "test")):
            if samples is None:
                tables.append(None)
                continue
            parts, which = [], []
            if encoder is not None and samples.columns is not None:
                places = encoder.place_of(samples.columns.codes)
                x, categories = tree_columns(samples.columns.numbers, places, encoder.shares)
                parts.append(x)
                which.append(categories)
            if store is not None:
                x = open_features(getattr(store, path))[0].astype(np.float32)
                parts.append(x)
                which.append(np.zeros(x.shape[1], bool))
            tables.append(np.concatenate(parts, axis=1))
            self.categories = np.concatenate(which)
        self.train, self.test = np.asarray(tables[0]), tables[1]
