"""Captions as numbers: tokens, word vectors, sequences of tokens."""
