"""Packages of stages that can be called: `harness.cv(...)` is the function, and `harness.cv.pipeline` still a module.

Importing a package sets it as an attribute of `harness`, over whatever function stood there; so the package itself is callable.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class CallableStage(ModuleType):
    """A package whose call is the function of its name in `harness.api`, which is imported when it is first asked for."""

    @property
    def __call__(self) -> Callable[..., Any]:
        """The function, so that notebooks show its words and its parameters."""
        api = importlib.import_module("harness.api")  # by name: stages do not know what lies above them
        function: Callable[..., Any] = getattr(api, self.__name__.rpartition(".")[2])
        return function

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__call__)


def make_callable(package: str) -> None:
    """Let a package of a stage be called; it says so in its `__init__`, by `__name__`."""
    sys.modules[package].__class__ = CallableStage
