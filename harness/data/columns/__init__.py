"""Columns beside the images: measurements, ages, sites, the size that an image had.

    patterns.py  data.features -> names of columns, each held against both tables
    kinds.py     cells -> numbers or categories; what is neither is named
    reading.py   tables -> `Columns` of each split, row by row by id, in the cache
    encoder.py   fitted on the training rows of a fold: columns -> what a network or trees take

Uses harness.data.rows, harness.data.files and the competition's contract.
"""
