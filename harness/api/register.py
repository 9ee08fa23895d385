"""Models, losses, metrics and augmentations of your own, by a name that recipes take.

    harness.register.model("mynet", MyNet)
    harness.cv(comp, set={"model.name": "mynet", "model.args.width": 32})

A run's name tells what was registered by a digest of its code, so that two different networks are never taken for one run. What is
registered stays in this process and its workers; another one that goes on with such a run registers the same again.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from harness.base.errors import UserError
from harness.base.python import registered

if TYPE_CHECKING:
    import numpy as np
    import torch

C = TypeVar("C", bound="Callable[..., Any]")


def model(name: str, build: C) -> C:
    """A network for `model.name`.

    Parameters
    ----------
    build : an nn.Module's class, or a function that returns one: float (B, C, H, W), normalised by the training rows, to logits (B,
        n_classes). Parameters called height and width (both), channels, n_classes are given; all others are keys of `model.args`. With a
        parameter `columns` (how many) it takes the columns beside the images as second argument

    Raises
    ------
    UserError
        If the name is a built-in model's, or `build` cannot be called.
    """
    from harness.models.registry import built_in_models

    _refuse("model", name, ["custom", *built_in_models()])
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(build, torch.nn.Module):
        raise UserError(
            f"harness.register.model('{name}', ...): is a network already; every fold needs a fresh one: give its class, or a function that "
            "returns it"
        )
    registered.register("model", name, build)
    return build


def loss(name: str, function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A loss for `train.loss`.

    function : (logits float (B, K), targets) to the mean over the rows, a scalar; targets int64 (B,) of classes, or float (B, K) of labels,
        numbers, and of classes that mixup or votes have made shares. With a third parameter it gets each row's weight (B,) or None

    Raises
    ------
    UserError
        If the name is a built-in loss's, or the function cannot be called.
    """
    from harness.competition.train_spec import LOSSES

    _refuse("loss", name, LOSSES)
    registered.register("loss", name, function)
    return function


def metric(
    name: str, score: Callable[[np.ndarray, np.ndarray], float], greater_is_better: bool = True
) -> Callable[[np.ndarray, np.ndarray], float]:
    """A metric for `harness.Samples(metric=...)`, or in competition.toml metric = {name = "custom", label = NAME}.

    score : (targets int64 (n,) or float32 (n, K), outputs float32 (n, K)) to a number

    Raises
    ------
    UserError
        If the name is a built-in metric's, or it cannot be called.
    """
    from harness.competition.scoring.registry import CLASSES, LABELS, NUMBERS, metric_names

    _refuse("metric", name, ["custom", *(n for of in (CLASSES, LABELS, NUMBERS) for n in metric_names(of))])
    registered.register("metric", name, score, greater_is_better)
    return score


def augmentation(name: str, function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A random change of training images for `augment.own`.

    function : (images float (B, C, H, W), 0 to 1, draws) to images of the same shape. Random numbers come from `draws`, a
        `harness.train.augment.Draws` (draws.uniform(low, high, B), draws.chance(p, B), draws.numbers: a torch.Generator), so that a run
        that is gone on with has the same bits

    Raises
    ------
    UserError
        If the function cannot be called with two arguments.
    """
    registered.register("augmentation", name, function)
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise UserError(f"harness.register.augmentation('{name}', ...): takes (images, draws), two arguments") from None
    except ValueError:
        pass  # a built-in one has no signature
    return function


def _refuse(kind: str, name: str, taken: Any) -> None:
    if name in taken:
        raise UserError(f"harness.register.{kind}('{name}', ...): is a name that the harness has; take another")
