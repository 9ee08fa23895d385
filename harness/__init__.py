"""Competition harness: cross-validation, ensembles and submissions for image-classification competitions.

One package per stage in the life of a submission; `python -m harness` lists the commands, and the same functions are here:

    import harness

    run = harness.cv("bloodcells", "quick", set={"train.epochs": 3})
    run.scores

Importing this package loads nothing heavy: torch, pandas and the others are imported by the functions that need them.
"""

from typing import Any

__version__ = "0.1.0"

_STAGES = ("clean", "competition", "cv", "play", "submit", "tune")  # packages of their own, which can be called
__all__ = [  # noqa: RUF022  # in the order of their use
    "competition",
    "Samples",
    "cv",
    "compare",
    "errors",
    "ensemble",
    "forecast",
    "clean",
    "tune",
    "play",
    "submit",
    "ImageClassifier",
    "register",
    "UserError",
]


def __getattr__(name: str) -> Any:
    """What `harness.api` offers, imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    import importlib

    if name in _STAGES:
        return importlib.import_module(f"harness.{name}")
    return getattr(importlib.import_module("harness.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
