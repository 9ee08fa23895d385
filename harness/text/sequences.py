"""Captions as one tensor of token numbers, padded: what text networks read."""

from __future__ import annotations

import numpy as np

from harness.competition.cluster_spec import TextSpec
from harness.text.tokens import Tokens
from harness.text.word_vectors import WordVectors


def sequences(tokens: Tokens, words: WordVectors, spec: TextSpec, most: int = 0) -> np.ndarray:
    """int32 (n, K, L), 0 = padding, at the end; unknown words are left out, and captions without known ones come last.

    captions = "joined": K = 1, an image's captions one after another, at most `length` tokens; "each": K = the most
    captions that an image has (`most` where that is known from other rows), each of at most `length` tokens. L is the
    longest that occurs.
    """
    known = [[[words.index[w] for w in caption if w in words.index] for caption in row] for row in tokens]
    if spec.captions == "joined":
        known = [[[number for caption in row for number in caption]] for row in known]
    known = [[caption[: spec.length] for caption in row if caption] for row in known]
    k = max(most, max((len(row) for row in known), default=1), 1)
    longest = max((len(caption) for row in known for caption in row), default=1)
    out = np.zeros((len(tokens), k, max(longest, 1)), dtype=np.int32)
    for i, row in enumerate(known):
        for j, caption in enumerate(row[:k]):
            out[i, j, : len(caption)] = caption
    return out
