"""Exact and near copies: perceptual hashes in eight orientations, pairs within few bits of each other, families confirmed by the pixels."""
