"""Clusters: honest about the rows they have not seen, the same for a seed, matched, judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import UserError
from harness.clustering.feature_space import Space
from harness.clustering.kmeans import distances, fit_centroids, soft_labels
from harness.clustering.labeller import Material, label_rows
from harness.clustering.matching import consensus, match
from harness.clustering.quality import against_truth, agreement, balance, hungarian_accuracy, inner_quality, over_k
from harness.competition.cluster_spec import ClusterSpec
from harness.competition.recipe import Recipe

RNG = np.random.default_rng(0)
KINDS = np.repeat(np.arange(3), 30)
FEATURES = (RNG.normal(size=(3, 8))[KINDS] * 6 + RNG.normal(size=(90, 8))).astype(np.float32)
WORDS = [["red", "ball"], ["blue", "sea"], ["green", "wood"]]
TOKENS = [[[*WORDS[kind], f"w{i % 5}"] for _ in range(2)] for i, kind in enumerate(KINDS)]


def recipe(text: dict | None = None, **clusters) -> Recipe:
    return Recipe(
        name="r", model={"name": "kmeans"}, clusters={"k": 3, **clusters}, text=text or {"embedding": "tfidf"}
    )


def material(features=FEATURES, tokens=TOKENS, test=True) -> Material:
    return Material(len(features), tokens, None, features, features[:6] if test else None)


@pytest.mark.parametrize("source", ["images", "captions", "both"])
def test_rows_that_are_not_fitted_on_change_nothing_for_the_others(source: str):
    rows = np.arange(0, 90, 2)
    found = label_rows(material(), rows, recipe(source=source), 3, 0)
    other, tokens = FEATURES.copy(), list(TOKENS)
    other[1::2] = RNG.normal(size=other[1::2].shape) * 99
    tokens[1::2] = [[["nonsense"]]] * 45
    again = label_rows(material(other, tokens), rows, recipe(source=source), 3, 0)
    assert np.array_equal(found.points[rows], again.points[rows])
    assert np.array_equal(found.labels[rows], again.labels[rows])
    assert hungarian_accuracy(KINDS, found.labels) == 1.0


def test_word2vec_labels_are_the_same_for_a_seed():
    pytest.importorskip("gensim")
    rows = np.arange(90)
    for labels in ("mean", "dominant"):
        played = recipe({"dimensions": 8, "epochs": 20}, source="captions", labels=labels)
        first = label_rows(material(), rows, played, 3, 0)
        again = label_rows(material(), rows, played, 3, 0)
        assert np.array_equal(first.labels, again.labels) and np.array_equal(first.proba, again.proba)
        assert np.allclose(first.proba.sum(axis=1), 1, atol=1e-5)


def test_a_test_picture_without_captions_goes_by_its_picture():
    found = label_rows(material(), np.arange(90), recipe(source="both"), 3, 0)
    assert found.test_proba.argmax(axis=1).tolist() == found.labels[:6].tolist()
    assert label_rows(material(), np.arange(90), recipe(source="captions"), 3, 0).test_proba is None


def test_what_is_not_there_is_said():
    with pytest.raises(UserError, match="captions only"):
        label_rows(Material(90, TOKENS, None, None, None), np.arange(90), recipe(source="images"), 3, 0)
    with pytest.raises(UserError, match="no captions"):
        label_rows(Material(90, None, None, FEATURES, None), np.arange(90), recipe(source="captions"), 3, 0)
    with pytest.raises(UserError, match="more clusters than rows"):
        label_rows(material(), np.arange(2), recipe(source="images"), 3, 0)
    with pytest.raises(UserError, match="a cluster would be empty"):
        fit_centroids(np.ones((20, 2)), 3, 1, 0)
    with pytest.raises(UserError, match="components at most"):
        Space.fit(FEATURES[:5], ClusterSpec(pca=50), 0, False)


def test_the_largest_cluster_comes_first_and_distances_are_squared():
    points = np.array([[0.0], [0.1], [0.2], [9.0]])
    centroids = fit_centroids(points, 2, 3, 0)
    squared = distances(points, centroids)
    assert squared.argmin(axis=1).tolist() == [0, 0, 0, 1]
    assert np.allclose(squared, (points - centroids.T) ** 2)
    assert np.allclose(soft_labels(squared, 1.0).sum(axis=1), 1)


@given(st.permutations(range(5)), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_renumbered_clustering_is_matched_back(numbers: list[int], seed: int):
    labels = np.concatenate([np.arange(5), np.random.default_rng(seed).integers(0, 5, 200)])
    renumbered = np.array(numbers)[labels]
    assert np.array_equal(match(renumbered, labels, 5)[renumbered], labels)
    assert agreement([labels, renumbered]) == pytest.approx(1) and hungarian_accuracy(labels, renumbered) == 1


def test_a_consensus_is_better_than_its_members():
    rng, truth = np.random.default_rng(1), np.repeat(np.arange(4), 60)
    members = []
    for _ in range(9):
        noisy = np.where(rng.random(240) < 0.3, rng.integers(0, 4, 240), truth)
        members.append(rng.permutation(4)[noisy])
    best = max(hungarian_accuracy(truth, m) for m in members)
    assert hungarian_accuracy(truth, consensus(members, 4)) > best + 0.1
    assert hungarian_accuracy(truth, consensus(members, 4, anchors=80)) > best


def test_quality_agrees_with_scikit_learn_and_tells_good_from_bad():
    from sklearn.metrics import silhouette_score

    good, bad = inner_quality(FEATURES, KINDS), inner_quality(FEATURES, RNG.permutation(KINDS))
    assert good["silhouette"] == pytest.approx(silhouette_score(FEATURES, KINDS))
    assert good["silhouette"] > bad["silhouette"] and good["davies_bouldin"] < bad["davies_bouldin"]
    assert np.isnan(inner_quality(FEATURES, np.zeros(90, int))["silhouette"])
    assert against_truth(KINDS, (KINDS + 1) % 3) == pytest.approx({"nmi": 1, "ari": 1, "v_measure": 1, "purity": 1})
    assert balance(KINDS, 3) == pytest.approx(1) and balance(np.zeros(9, int), 3) == 0


def test_the_true_number_of_clusters_is_the_best():
    lines = over_k(FEATURES.astype(float), [2, 3, 4, 5], 3, 3, 0)
    assert max(lines, key=lambda line: line["mean"])["k"] == 3 and lines[1]["stability"] == pytest.approx(1)
