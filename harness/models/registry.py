"""One registry for every network: a recipe's `model.name` and `model.args` to a module (B, C, H, W) -> (B, n_classes)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from harness.base.errors import UserError, nearest
from harness.competition import Competition
from harness.competition.recipe import ModelSpec


def check_model(spec: ModelSpec, competition: Competition) -> None:
    """Check name and arguments, before anything runs; builds nothing.

    Raises
    ------
    UserError
        If the name is unknown or an argument is none of that model's (names the nearest).
    """
    builder = _builder(spec, competition)
    known = [name for name, parameter in inspect.signature(builder).parameters.items() if parameter.kind in _NAMED][4:]
    known = [name for name in known if name != COLUMNS]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(builder).parameters.values())
    for name in spec.args:
        if name not in known and not takes_any:
            raise UserError(
                f"model.args.{name}: unknown key{nearest(name, known)}; model '{spec.name}' takes: {', '.join(known) or 'none'}"
            )


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


COLUMNS = "columns"
"""Parameter of a `build_model` of one's own: how many numbers its module gets, as second argument, beside the images."""


def takes_columns(spec: ModelSpec, competition: Competition) -> bool:
    """Whether a model takes columns: every built-in one, and a `build_model` that has the parameter `columns`."""
    return spec.name != "custom" or COLUMNS in inspect.signature(_builder(spec, competition)).parameters


def build_network(spec: ModelSpec, competition: Competition, columns: int = 0) -> Any:
    """Build the network a recipe names, weights freshly drawn from torch's global generator (seed it first).

    columns : how many numbers there are beside an image; built-in models are joined to them afterwards, by
        `harness.models.tabular.columns.add_columns`

    Returns
    -------
    torch.nn.Module: float (B, C, H, W) with values in [0, 1] -> logits (B, n_classes)

    Raises
    ------
    UserError
        If an argument has an impossible value.
    """
    check_model(spec, competition)
    height, width = competition.data.size
    told = {COLUMNS: columns} if spec.name == "custom" and takes_columns(spec, competition) else {}
    try:
        return _builder(spec, competition)(
            height, width, competition.data.channels, len(competition.classes), **spec.args, **told
        )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(f"[model] '{spec.name}' cannot be built with {spec.args}: {error}") from error


def _builder(spec: ModelSpec, competition: Competition) -> Callable[..., Any]:
    if spec.name == "custom":
        build = competition.hook("build_model")
        if build is None:
            raise UserError(f"model.name = 'custom' needs build_model in {competition.folder / 'competition.py'}")
        return build
    builders = _builders()
    if spec.name not in builders:
        raise UserError(
            f"model.name = '{spec.name}': unknown{nearest(spec.name, builders)}; known: {', '.join(builders)}, custom"
        )
    return builders[spec.name]


def _builders() -> dict[str, Callable[..., Any]]:
    from harness.models import backbone, resnet, small, speedrun
    from harness.models.tabular.boosting import boosting

    return {
        "mlp": small.mlp,
        "cnn": small.cnn,
        "resnet": resnet.resnet,
        "speedrun": speedrun.speedrun,
        "timm": backbone.timm_model,
        "boosting": boosting,
    }
