"""Captions as tokens."""

from __future__ import annotations

import re

import numpy as np

Tokens = list[list[list[str]]]
"""Of every image, of every caption: its words, in order; a caption without letters is an empty list."""

_WORD = re.compile(r"[^\W\d_]+")


def tokenise(captions: np.ndarray) -> Tokens:
    """Lower case, letters only, of any alphabet; captions : str (n, K)."""
    return [[_WORD.findall(caption.lower()) for caption in row if caption] for row in captions.tolist()]
