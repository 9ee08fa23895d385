"""Finding what a training set should not hold: duplicates, label conflicts, foreign, blank and mislabelled images."""
