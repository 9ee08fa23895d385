"""One fold of a clustering recipe: label by what the training rows alone say, teach a network, judge it on the others.

Beside fold-K.npz stands clusters/fold-K.npz: labels int16 (n,) of all rows in this fold's own numbering, silhouette
float32 (n_valid,) of the rows that are judged, plane float32 (n, 2) for an image, near float32 (n,) squared distance to
the row's centroid, stability, davies_bouldin, calinski_harabasz.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.command import cache_root
from harness.base.errors import UserError
from harness.base.storage.atomic_files import complete_file
from harness.base.storage.damage import DAMAGED
from harness.cv.jobs.fold_job import FoldJob, images_in_all, save_checkpoint, seed_of, telling, ticker
from harness.runs import FoldResult, Folds, RunFolder

if TYPE_CHECKING:
    from harness.clustering.labeller import Labelled, Material
    from harness.competition import Recipe
    from harness.runs.notes.progress import ProgressFile


@dataclass(frozen=True)
class ClusterFoldJob(FoldJob):
    """As `FoldJob`."""

    def train(self, folder: RunFolder, told: ProgressFile) -> None:
        """Cluster the fold's training rows, train a network on the clusters, predict validation and test rows, and save all of it."""
        import torch

        from harness.clustering.labeller import label_rows
        from harness.competition import find_competition
        from harness.cv.clustering.inputs import load_material
        from harness.data.resize import open_resized

        started = time.perf_counter()
        torch.set_num_threads(self.threads)
        recipe, folds, k = folder.recipe(), Folds.load(folder.path / "folds.csv"), _k(folder)
        _, dataset = open_resized(find_competition(self.competition), self.cache, recipe.data)
        material = load_material(recipe, dataset, cache_root(), self.device)
        rows, seed = _fitted_rows(recipe, folds, self.fold), seed_of(recipe.seed, 0, 0)
        assert recipe.clusters is not None
        by_truth = recipe.clusters.labels == "truth"
        labelled = None if by_truth else label_rows(material, rows, recipe, k, seed)
        labels = dataset.train.truth if labelled is None else labelled.labels
        assert labels is not None  # of the truth: checked before the folds
        if recipe.model.name == "kmeans":
            assert labelled is not None
            result = _clusters_alone(self.fold, labelled, folds, has_test=_has_test(folder))
        else:
            fold = _Network(self, folder, recipe, folds, material, labels, k, rows, labelled)
            result = fold.train(told)
        _save_clusters(folder.clusters_path(self.fold), labels, labelled, folds, self.fold, recipe, k)
        folder.save_fold(dataclasses.replace(result, seconds=time.perf_counter() - started))


def _k(folder: RunFolder) -> int:
    return folder.environment()["clusters"]["k"]


def _has_test(folder: RunFolder) -> bool:
    return folder.environment()["data"]["n_test"] > 0


def _fitted_rows(recipe: Recipe, folds: Folds, fold: int) -> np.ndarray:
    """Rows that words, spaces and clusters may know of; the leaky way, all."""
    assert recipe.clusters is not None
    return np.flatnonzero(folds.kept) if recipe.clusters.leaky else folds.train_rows(fold)


def _clusters_alone(fold: int, labelled: Labelled, folds: Folds, has_test: bool) -> FoldResult:
    valid = folds.valid_rows(fold)
    test = labelled.test_proba if has_test else None
    empty = np.zeros((0, labelled.proba.shape[1]), np.float32)
    return FoldResult(fold, valid, labelled.proba[valid], empty if test is None else test, [], 0.0)


class _Network:
    """A network that learns a fold's labels."""

    def __init__(
        self,
        job: ClusterFoldJob,
        folder: RunFolder,
        recipe: Recipe,
        folds: Folds,
        material: Material,
        labels: np.ndarray,
        k: int,
        fitted: np.ndarray,
        labelled: Labelled | None,
    ) -> None:
        import torch

        from harness.clustering.labeller import text_of
        from harness.models.captioned import NEEDS, Shape
        from harness.text.sequences import sequences
        from harness.text.word_vectors import WordVectors
        from harness.train.precision import Layout, usable_device

        self.job, self.folder, self.recipe, self.folds, self.k = job, folder, recipe, folds, k
        self.device, self.layout = usable_device(job.device), Layout.of(folder.environment()["layout"])
        self.labels, text, needs = labels.astype(np.int64), text_of(recipe), NEEDS[recipe.model.name]
        self.tokens = self.test_tokens = self.images = self.test_images = vectors = mean = std = None
        train = folds.train_rows(job.fold)
        if "captions" in needs:
            assert material.tokens is not None
            words = (labelled.words if labelled else None) or WordVectors.fit(
                material.tokens, fitted.tolist(), text, seed_of(recipe.seed, 0, 0)
            )
            vectors = torch.from_numpy(words.vectors)
            self.tokens = sequences(material.tokens, words, text)
            if material.test_tokens is not None:
                self.test_tokens = sequences(material.test_tokens, words, text, self.tokens.shape[1])
        if "images" in needs:
            assert material.images is not None
            self.images, self.test_images = material.images, material.test_images
            of_train = torch.from_numpy(self.images[train])
            mean, std = of_train.mean(dim=0), of_train.std(dim=0).clamp(min=1e-3)
        self.shape = Shape(k, vectors, mean, std)
        self.rows = self._split(train)

    def train(self, told: ProgressFile) -> FoldResult:
        """Train every seed, average their probabilities, keep the weights."""
        import torch

        from harness.models.captioned import build_captioned
        from harness.train.fit import fit

        recipe, fold, valid = self.recipe, self.job.fold, self.folds.valid_rows(self.job.fold)
        has_test = _has_test(self.folder)
        n_test = self.folder.environment()["data"]["n_test"]
        tick = ticker(fold, images_in_all(recipe, len(self.rows.train), len(valid) + n_test, 1), told.progress)
        valid_proba, test_proba = (np.zeros((n, self.k)) for n in (len(valid), n_test))
        history: list[dict[str, Any]] = []
        states: dict[str, torch.Tensor] = {}
        labels = torch.from_numpy(self.labels).to(self.device)
        for seed in range(recipe.train.seeds):
            number = seed_of(recipe.seed, fold, seed)
            torch.manual_seed(number)  # weights and dropout
            network = build_captioned(recipe.model, self.shape).to(self.device)
            inputs = self._inputs(self.tokens, self.images, number)
            tell = telling(told, seed, recipe)
            lines = fit(network, inputs, labels, self.rows, recipe, self.layout, number, tick, tell=tell)
            valid_proba += self._predict(network, self.tokens, self.images, valid, tick)
            if has_test:
                test_proba += self._predict(network, self.test_tokens, self.test_images, np.arange(n_test), tick)
            history += [{"fold": fold, "seed": seed, **line} for line in lines]
            states |= {f"seed-{seed}.{name}": tensor for name, tensor in network.state_dict().items()}
        save_checkpoint(self.folder.checkpoint_path(fold), states)
        test = test_proba / recipe.train.seeds
        proba = (valid_proba / recipe.train.seeds).astype(np.float32)
        return FoldResult(fold, valid, proba, np.asarray(test, dtype=np.float32), history, 0.0)

    def _split(self, train: np.ndarray) -> Any:
        """Rows to learn from, and rows that early stopping watches; a row without a known word teaches a text network nothing."""
        import torch

        from harness.competition import Samples
        from harness.cv.folds import split_watched
        from harness.train.fit import Rows

        n = len(self.folds.ids)
        stand_in = Samples(self.folds.ids, np.zeros((n, 1, 1, 1), np.uint8), self.labels, groups=self.folds.groups)
        kept, watched = split_watched(stand_in, self.folds, self.job.fold, self.recipe)
        if self.tokens is not None and self.images is None:
            kept = kept[(self.tokens[kept] != 0).any(axis=(1, 2))]
        return Rows(torch.from_numpy(kept), None if watched is None else torch.from_numpy(watched))

    def _inputs(self, tokens: np.ndarray | None, images: np.ndarray | None, seed: int = 0) -> Any:
        from harness.clustering.labeller import text_of
        from harness.train.inputs.captions import CaptionedInputs

        dropout = text_of(self.recipe).caption_dropout
        return CaptionedInputs(tokens, images, self.recipe.predict.tta, self.device, seed, dropout)

    def _predict(
        self, network: Any, tokens: np.ndarray | None, images: np.ndarray | None, rows: np.ndarray, tick: Any
    ) -> np.ndarray:
        import torch

        from harness.train.prediction.predict import Predictor, predict

        inputs, index = self._inputs(tokens, images), torch.from_numpy(rows)
        proba = predict(Predictor(network, self.layout), inputs, index, self.recipe.predict, tick)
        return proba.numpy().astype(np.float64)


def _save_clusters(
    path: Path,
    labels: np.ndarray,
    labelled: Labelled | None,
    folds: Folds,
    fold: int,
    recipe: Recipe,
    k: int,
) -> None:
    content: dict[str, Any] = {"labels": labels.astype(np.int16)}
    if labelled is not None:
        content |= _quality(labelled, folds, fold, recipe, k)
    with complete_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **content)


_MOST_ROWS = 5000  # whose silhouettes compare every two


def _quality(labelled: Labelled, folds: Folds, fold: int, recipe: Recipe, k: int) -> dict[str, Any]:
    from sklearn.metrics import silhouette_samples

    from harness.clustering.labeller import stability_spec
    from harness.clustering.quality import inner_quality, seed_stability

    train, valid = folds.train_rows(fold), folds.valid_rows(fold)
    points, labels = labelled.points, labelled.labels
    some = valid[:_MOST_ROWS]
    silhouette = np.full(len(valid), np.nan, dtype=np.float32)
    if 2 <= len(np.unique(labels[some])) < len(some):
        silhouette[: len(some)] = silhouette_samples(points[some], labels[some])
    inner = inner_quality(points[some], labels[some])
    assert recipe.clusters is not None
    plane = _plane(points, train, recipe.clusters.picture)
    centres = np.stack([points[labels == c].mean(axis=0) if (labels == c).any() else points[0] for c in range(k)])
    spec = recipe.clusters
    assert spec is not None
    drawn = train if len(train) <= _MOST_ROWS else train[:: len(train) // _MOST_ROWS + 1]
    return {
        "silhouette": silhouette,
        "plane": np.pad(plane, ((0, 0), (0, 2 - plane.shape[1]))).astype(np.float32),
        "near": ((points - centres[labels]) ** 2).sum(axis=1).astype(np.float32),
        "stability": seed_stability(points[drawn], k, first=recipe.seed, **stability_spec(spec)),
        "davies_bouldin": inner["davies_bouldin"],
        "calinski_harabasz": inner["calinski_harabasz"],
    }


def _plane(points: np.ndarray, train: np.ndarray, how: str) -> np.ndarray:
    """Points in two dimensions, float (n, 2) or (n, 1), fitted on the training rows."""
    if how == "umap":
        try:
            from umap import UMAP
        except ImportError as error:
            raise UserError(
                f"clusters.picture = 'umap': {error}; pip install umap-learn, or take picture = 'pca'"
            ) from error
        return UMAP(n_components=2, random_state=0).fit(points[train]).transform(points)
    from sklearn.decomposition import PCA

    return PCA(min(2, points.shape[1]), random_state=0).fit(points[train]).transform(points)


def load_clusters(folder: RunFolder, fold: int) -> dict[str, np.ndarray]:
    """What a fold keeps of its clusters.

    Raises
    ------
    UserError
        If it is missing or damaged.
    """
    path = folder.clusters_path(fold)
    wrong = folder.fold_faults(fold, [path.relative_to(folder.path).as_posix()])
    if wrong:
        raise UserError(folder.damaged(wrong))
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, *DAMAGED) as error:
        raise UserError(folder.damaged([f"{path.name} cannot be read ({error})"])) from error


def fold_score(folder: RunFolder, result: FoldResult, folds: Folds, metric: Any) -> float:
    """A fold's score by its own labels; of clusters alone the mean silhouette of the rows that are judged."""
    found = load_clusters(folder, result.fold)
    labels, silhouette = found["labels"].astype(np.int64), found.get("silhouette")
    rows = np.isin(result.valid_index, folds.scored_rows([result.fold]))
    if folder.recipe().model.name == "kmeans" and silhouette is not None:
        return float(np.nanmean(silhouette[rows]))
    return metric(labels[result.valid_index[rows]], result.valid_proba[rows])
