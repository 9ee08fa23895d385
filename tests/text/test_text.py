"""Words, vectors and sequences: deterministic, and knowing nothing of rows that they were not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition.cluster_spec import TextSpec
from harness.text.sequences import sequences
from harness.text.tfidf import Tfidf
from harness.text.tokens import tokenise
from harness.text.word_vectors import WordVectors

CAPTIONS = np.array(
    [
        ["A dog runs.", "The big dog, running!", "dog2dog"],
        ["a CAT sits", "the cat", ""],
        ["Ein Kätzchen", "", ""],
        ["!!! 123", "", ""],
    ]
)


def test_letters_only_lower_case_of_any_alphabet():
    tokens = tokenise(CAPTIONS)
    assert tokens[0] == [["a", "dog", "runs"], ["the", "big", "dog", "running"], ["dog", "dog"]]
    assert tokens[2] == [["ein", "kätzchen"]] and tokens[3] == [[]]


def vectors(rows=(0, 1), seed=0, **spec) -> WordVectors:
    pytest.importorskip("gensim")
    return WordVectors.fit(tokenise(CAPTIONS), rows, TextSpec(dimensions=6, **spec), seed)


def test_word_vectors_are_the_same_for_a_seed_and_know_their_rows_only():
    first, again, other = vectors(), vectors(), vectors(seed=1)
    assert np.array_equal(first.vectors, again.vectors) and first.index == again.index
    assert not np.array_equal(first.vectors, other.vectors)
    assert "kätzchen" not in first.index and not first.vectors[0].any()


def test_rows_without_a_known_word_get_the_mean_of_the_others():
    words = vectors()
    means = words.row_means(tokenise(CAPTIONS))
    assert np.allclose(means[3], means[:2].mean(axis=0)) and np.allclose(means[2], means[3])
    assert np.allclose(words.row_means(tokenise(CAPTIONS), np.array([1]))[3], means[1])
    of_captions, rows = words.caption_means(tokenise(CAPTIONS))
    assert rows.tolist() == [0, 0, 0, 1, 1] and np.allclose(of_captions[:3].mean(axis=0), means[0])


def test_too_rare_words_are_said():
    with pytest.raises(UserError, match="no word of"):
        vectors(min_count=50)
    with pytest.raises(UserError, match="no word is so frequent"):
        Tfidf(tokenise(CAPTIONS), [0, 1], TextSpec(embedding="tfidf", min_count=50), 0)


def test_sequences_are_padded_at_the_end_and_cut():
    words = vectors()
    each = sequences(tokenise(CAPTIONS), words, TextSpec(captions="each", length=3))
    assert each.shape == (4, 3, 3) and (each[0] != 0).sum() == 3 + 3 + 2
    assert each[0, 0, 1] == words.index["dog"] and not each[2].any()
    joined = sequences(tokenise(CAPTIONS), words, TextSpec(captions="joined", length=5))
    assert joined.shape == (4, 1, 5) and (joined != 0).sum(axis=(1, 2)).tolist() == [5, 5, 0, 0]
    assert sequences(tokenise(CAPTIONS[:1, :1]), words, TextSpec(captions="each"), most=3).shape[1] == 3


def test_tfidf_does_not_look_at_other_rows():
    tokens = tokenise(CAPTIONS)
    spec = TextSpec(embedding="tfidf", dimensions=2)
    ours = Tfidf(tokens, [0, 1], spec, 0).row_vectors(tokens)[:2]
    changed = [*tokens[:2], [["dog", "whale"]], [["cat"]]]
    assert np.array_equal(ours, Tfidf(changed, [0, 1], spec, 0).row_vectors(changed)[:2])
