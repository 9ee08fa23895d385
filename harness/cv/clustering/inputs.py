"""A clustering recipe's raw material, and what it asks of the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.base.errors import UserError
from harness.clustering.image_features import image_features
from harness.clustering.labeller import Material, cluster_names
from harness.competition import Competition, Recipe
from harness.competition.cluster_spec import ImageSpec
from harness.data.cache import Dataset
from harness.models.captioned import NEEDS, check_captioned
from harness.text.tokens import tokenise


def check_clusters(competition: Competition, recipe: Recipe, dataset: Dataset) -> None:
    """Refuse a clustering recipe that the data cannot serve, or that asks for what clusters have not.

    Raises
    ------
    UserError
        Names the key.
    """
    from harness.train.inputs.captions import check_views

    spec = recipe.clusters
    assert spec is not None
    check_captioned(recipe.model)
    check_views(recipe.predict.tta)
    if recipe.features or recipe.pseudo:
        raise UserError("[features] and [pseudo] do not go with [clusters]")
    if recipe.predict.combine == "rank":
        raise UserError("predict.combine = 'rank' does not go with [clusters]")
    if spec.labels == "truth":
        if recipe.model.name == "kmeans":
            raise UserError("clusters.labels = 'truth' is for a network that learns them; 'kmeans' finds its own")
        if dataset.train.truth is None:
            raise UserError(f"clusters.labels = 'truth': the true kinds of these data are not known ({dataset.source})")
    wanted = {"captions"} if spec.labels != "truth" and spec.source != "images" else set()
    if "captions" in wanted | set(NEEDS[recipe.model.name]) and dataset.train.captions is None:
        raise UserError(f"recipe '{recipe.name}' reads captions; '{competition.slug}' has none here")


def needs_images(recipe: Recipe) -> bool:
    """Whether a clustering recipe looks at images at all, by its clusters or by its network."""
    assert recipe.clusters is not None
    clustered = recipe.clusters.labels != "truth" and recipe.clusters.source != "captions"
    return clustered or "images" in NEEDS[recipe.model.name]


def load_material(
    recipe: Recipe,
    dataset: Dataset,
    cache: Path,
    device: str = "cpu",
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Material:
    """Tokens and, where the recipe looks at images, their features (computed once, then read)."""
    images, test_images = None, None
    if needs_images(recipe):
        images, test_images = image_features(dataset, recipe.image or ImageSpec(), cache, device, tick)
    test = dataset.test
    return Material(
        n=len(dataset.train),
        tokens=None if dataset.train.captions is None else tokenise(dataset.train.captions),
        test_tokens=None if test is None or test.captions is None else tokenise(test.captions),
        images=images,
        test_images=test_images,
    )


def class_names(competition: Competition, dataset: Dataset, recipe: Recipe, k: int) -> list[str]:
    """What the columns of a run are called: clusters by number, or the true kinds."""
    truth = competition.hook("truth")
    assert recipe.clusters is not None
    if recipe.clusters.labels == "truth" and truth is not None:
        return list(truth(np.asarray(dataset.train.ids))[1])
    return cluster_names(k)
