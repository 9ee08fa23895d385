"""An image's words by their rarity, brought to few dimensions by SVD: latent semantic analysis (Deerwester and others 1990)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.base.errors import UserError
from harness.competition.cluster_spec import TextSpec
from harness.text.tokens import Tokens


class Tfidf:
    """Vectors of rows (n, D), fitted on some of them."""

    def __init__(self, tokens: Tokens, rows: Sequence[int], spec: TextSpec, seed: int) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer: Any = TfidfVectorizer(analyzer=_words, sublinear_tf=True, min_df=spec.min_count)
        try:
            counted = self.vectorizer.fit_transform([tokens[row] for row in rows])
        except ValueError as error:
            raise UserError(f"text.min_count = {spec.min_count}: no word is so frequent ({error}). Lower it") from error
        dimensions = min(spec.dimensions, min(counted.shape) - 1)
        self.svd: Any = TruncatedSVD(max(dimensions, 1), random_state=seed).fit(counted)

    def row_vectors(self, tokens: Tokens) -> np.ndarray:
        """float32 (n, D)."""
        return self.svd.transform(self.vectorizer.transform(tokens)).astype(np.float32)


def _words(captions: list[list[str]]) -> list[str]:
    return [word for words in captions for word in words]
