"""Word2Vec (Mikolov and others 2013) by gensim, the same for a seed: one worker, which costs some speed (RESULTS.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.base.errors import UserError
from harness.competition.cluster_spec import TextSpec
from harness.text.tokens import Tokens


@dataclass(frozen=True)
class WordVectors:
    """A vocabulary with a vector for each word.

    Attributes
    ----------
    index : word -> row of `vectors`, 1 or more; row 0 is the padding
    vectors : float32 (V + 1, D); row 0 is zero
    """

    index: dict[str, int]
    vectors: np.ndarray

    @classmethod
    def fit(cls, tokens: Tokens, rows: Iterable[int], spec: TextSpec, seed: int) -> WordVectors:
        """Learn from the captions of some rows.

        Raises
        ------
        UserError
            If gensim is not installed, or no word is frequent enough.
        """
        try:
            from gensim.models import Word2Vec
        except ImportError as error:
            raise UserError(
                f"[text] needs gensim ({error}): pip install gensim, or text.embedding = 'tfidf'"
            ) from error
        sentences = [words for row in rows for words in tokens[row] if words]
        try:
            model = Word2Vec(
                sentences,
                vector_size=spec.dimensions,
                window=spec.window,
                min_count=spec.min_count,
                epochs=spec.epochs,
                sg=int(spec.skip_gram),
                seed=seed,
                workers=1,  # with more, the order of updates and so the result depends on the machine's mood
                hashfxn=_stable_hash,
            )
        except RuntimeError as error:
            raise UserError(
                f"text.min_count = {spec.min_count}: no word of {len(sentences):,} captions is so frequent ({error}). Lower it"
            ) from error
        words = model.wv.index_to_key
        vectors = np.zeros((len(words) + 1, spec.dimensions), dtype=np.float32)
        vectors[1:] = model.wv.vectors
        return cls({word: number for number, word in enumerate(words, start=1)}, vectors)

    def caption_means(self, tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
        """Mean word vector of each caption with a known word, float32 (m, D), and the row that each is of, int64 (m,)."""
        means, rows = [], []
        for row, captions in enumerate(tokens):
            for words in captions:
                known = [self.index[w] for w in words if w in self.index]
                if known:
                    means.append(self.vectors[known].mean(axis=0))
                    rows.append(row)
        if not means:
            raise UserError("[text]: no caption holds a word of the training folds' vocabulary")
        return np.stack(means), np.array(rows, dtype=np.int64)

    def row_means(self, tokens: Tokens, fitted: np.ndarray | None = None) -> np.ndarray:
        """Mean over each row's captions of their means, float32 (n, D).

        fitted : rows whose mean stands for a row that says nothing; default: all
        """
        means, rows = self.caption_means(tokens)
        counts = np.bincount(rows, minlength=len(tokens))
        total = np.zeros((len(tokens), means.shape[1]), dtype=np.float64)
        np.add.at(total, rows, means)
        found = total / np.maximum(counts, 1)[:, None]
        known = np.flatnonzero(counts) if fitted is None else fitted[counts[fitted] > 0]
        found[counts == 0] = found[known].mean(axis=0)
        return found.astype(np.float32)


def _stable_hash(text: str) -> int:
    """gensim draws first vectors by Python's hash, which differs from process to process."""
    import zlib

    return zlib.crc32(text.encode())
