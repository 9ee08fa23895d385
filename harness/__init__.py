"""Competition harness: cross-validation, ensembles and submissions for image-classification competitions.

One package per stage in the life of a submission; `python -m harness` lists the commands. Importing this package loads
nothing heavy: torch, pandas and the others are imported by the functions that need them.
"""

__version__ = "0.1.0"
