"""Pseudo-labels: everything fitted on the given rows, every row labelled by the nearest centroid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.clustering.feature_space import Space
from harness.clustering.kmeans import distances, fit_centroids, soft_labels
from harness.competition import Recipe
from harness.competition.cluster_spec import ClusterSpec, TextSpec
from harness.text.tfidf import Tfidf
from harness.text.tokens import Tokens
from harness.text.word_vectors import WordVectors


@dataclass(frozen=True)
class Material:
    """What rows are clustered by, before anything is fitted.

    Attributes
    ----------
    n : training rows
    tokens : of their captions, or None; test_tokens : of the test's, or None
    images : float32 (n, F) or None; test_images : float32 (t, F) or None
    """

    n: int
    tokens: Tokens | None
    test_tokens: Tokens | None
    images: np.ndarray | None
    test_images: np.ndarray | None


@dataclass(frozen=True)
class Labelled:
    """Clusters of all rows by a fit on some of them.

    Attributes
    ----------
    points : float64 (n, D), in the space that was fitted
    labels : int64 (n,); proba : float32 (n, k), by distance
    test_proba : float32 (t, k), or None where the test lacks what is clustered
    words : word vectors, where captions are clustered by them
    """

    points: np.ndarray
    labels: np.ndarray
    proba: np.ndarray
    test_proba: np.ndarray | None
    words: WordVectors | None


def text_of(recipe: Recipe) -> TextSpec:
    """The recipe's [text], or its defaults."""
    return recipe.text or TextSpec()


def label_rows(material: Material, rows: np.ndarray, recipe: Recipe, k: int, seed: int) -> Labelled:
    """Fit words, spaces and centroids on `rows` (int (m,)) and label all.

    Raises
    ------
    UserError
        If the data lack images or captions that the recipe clusters, or k does not fit.
    """
    spec = recipe.clusters
    assert spec is not None
    if spec.labels == "dominant":
        return _by_dominant_caption(material, rows, recipe, k, seed)
    parts, words = _parts(material, rows, recipe, seed)
    points = np.hstack([part.points for part in parts])
    centroids = fit_centroids(points[rows], k, spec.n_init, seed)
    squared = distances(points, centroids)
    scale = _variance(squared[rows], points.shape[1])
    test = _test_proba(parts, centroids, scale)
    return Labelled(points, squared.argmin(axis=1), soft_labels(squared, scale), test, words)


def points_of(material: Material, rows: np.ndarray, recipe: Recipe, seed: int) -> np.ndarray:
    """Points float64 (m, D) of the rows, in a space fitted on them."""
    parts, _ = _parts(material, rows, recipe, seed)
    return np.hstack([part.points for part in parts])[rows]


@dataclass(frozen=True)
class _Part:
    points: np.ndarray
    test_points: np.ndarray | None


def _parts(material: Material, rows: np.ndarray, recipe: Recipe, seed: int) -> tuple[list[_Part], WordVectors | None]:
    spec, parts, words = recipe.clusters, [], None
    assert spec is not None
    joined = spec.source == "both"
    if spec.source in ("images", "both"):
        if material.images is None:
            raise UserError(f"clusters.source = '{spec.source}': these data hold captions only")
        space = Space.fit(material.images[rows], spec, seed, joined)
        parts.append(_part(space, material.images, material.test_images))
    if spec.source in ("captions", "both"):
        if material.tokens is None:
            raise UserError(f"clusters.source = '{spec.source}': these data hold no captions")
        vectors, test_vectors, words = _text_vectors(material, rows, recipe, seed)
        if text_of(recipe).embedding == "tfidf":
            spec = spec.model_copy(update={"scale": False, "pca": None})  # SVD's variances say what matters
        space = Space.fit(vectors[rows], spec, seed, joined, spec.text_weight if joined else 1.0)
        parts.append(_part(space, vectors, test_vectors))
    return parts, words


def _part(space: Space, features: np.ndarray, test: np.ndarray | None) -> _Part:
    return _Part(space(features), None if test is None else space(test))


def _text_vectors(
    material: Material, rows: np.ndarray, recipe: Recipe, seed: int
) -> tuple[np.ndarray, np.ndarray | None, WordVectors | None]:
    spec, tokens, test = text_of(recipe), material.tokens, material.test_tokens
    assert tokens is not None
    if spec.embedding == "tfidf":
        fitted = Tfidf(tokens, rows.tolist(), spec, seed)
        return fitted.row_vectors(tokens), None if test is None else fitted.row_vectors(test), None
    words = WordVectors.fit(tokens, rows.tolist(), spec, seed)
    return words.row_means(tokens, rows), None if test is None else words.row_means(test), words


def _test_proba(parts: list[_Part], centroids: np.ndarray, scale: float) -> np.ndarray | None:
    """By the parts that the test has: a test image without captions goes by its image."""
    squared, start = None, 0
    for part in parts:
        width = part.points.shape[1]
        if part.test_points is not None:
            found = distances(part.test_points, centroids[:, start : start + width])
            squared = found if squared is None else squared + found
        start += width
    return None if squared is None else soft_labels(squared, scale)


def _by_dominant_caption(material: Material, rows: np.ndarray, recipe: Recipe, k: int, seed: int) -> Labelled:
    """Captions are clustered one by one; an image has the cluster that most of its captions have, of equals the nearer."""
    spec, text = recipe.clusters, text_of(recipe)
    assert spec is not None
    if material.tokens is None:
        raise UserError("clusters.labels = 'dominant': these data hold no captions")
    if text.embedding != "word2vec":
        raise UserError("clusters.labels = 'dominant' takes captions one by one: set text.embedding = 'word2vec'")
    words = WordVectors.fit(material.tokens, rows.tolist(), text, seed)
    vectors, of_row = words.caption_means(material.tokens)
    fitted = np.isin(of_row, rows)
    space = Space.fit(vectors[fitted], spec, seed, joined=False)
    points = space(vectors)
    centroids = fit_centroids(points[fitted], k, spec.n_init, seed)
    squared = distances(points, centroids)
    scale = _variance(squared[fitted], points.shape[1])

    def votes(squared: np.ndarray, of_row: np.ndarray, n: int) -> np.ndarray:
        counted = np.full((n, k), 1e-6)
        np.add.at(counted, of_row, np.eye(k)[squared.argmin(axis=1)] + 0.1 * soft_labels(squared, scale))
        return (counted / counted.sum(axis=1, keepdims=True)).astype(np.float32)

    proba, test = votes(squared, of_row, material.n), None
    if material.test_tokens is not None:
        test_vectors, test_of_row = words.caption_means(material.test_tokens)
        test = votes(distances(space(test_vectors), centroids), test_of_row, len(material.test_tokens))
    return Labelled(space(words.row_means(material.tokens, rows)), proba.argmax(axis=1), proba, test, words)


def _variance(squared: np.ndarray, dimensions: int) -> float:
    """Of the fitted points about their centroids, per dimension."""
    return float(squared.min(axis=1).mean() / dimensions)


def cluster_names(k: int) -> list[str]:
    """What stands for class names."""
    return [f"cluster {number}" for number in range(k)]


def stability_spec(spec: ClusterSpec) -> dict[str, Any]:
    """Arguments of `quality.stability`: half of the starts, since it fits often."""
    return {"n_init": max(spec.n_init // 2, 1), "seeds": spec.seeds}
