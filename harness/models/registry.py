"""One registry for every network: a recipe's `model.name` and `model.args` to a module (B, C, H, W) -> (B, n_classes)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from harness.base.errors import UserError, nearest
from harness.base.python import registered
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
    return not _is_own(spec) or COLUMNS in inspect.signature(_builder(spec, competition)).parameters


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
    told = {COLUMNS: columns} if _is_own(spec) and takes_columns(spec, competition) else {}
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
    if own := registered.find("model", spec.name):
        return _by_names(own.value)
    builders = _builders()
    if spec.name not in builders:
        known = [*builders, "custom", *registered.names("model")]
        raise UserError(
            f"model.name = '{spec.name}': unknown{nearest(spec.name, known)}; known: {', '.join(known)}; or your own, by harness.register.model"
        )
    return builders[spec.name]


def _is_own(spec: ModelSpec) -> bool:
    """Whether a model is the competition's `build_model`, or was registered by a script."""
    return spec.name == "custom" or registered.find("model", spec.name) is not None


_FACTS = ("height", "width", "channels", "n_classes")


def _by_names(build: Callable[..., Any]) -> Callable[..., Any]:
    """A registered model as `build_model` is called: it gets those of the facts that it has parameters for.

    A `width` without a `height` is no image's, but an argument of the model.
    """
    parameters = dict(inspect.signature(build).parameters)
    facts_of = [name for name in _FACTS if name in parameters and (name != "width" or "height" in parameters)]

    def built(height: int, width: int, channels: int, n_classes: int, /, **args: Any) -> Any:
        facts = dict(zip(_FACTS, (height, width, channels, n_classes), strict=True))
        return build(**{name: facts[name] for name in facts_of}, **args)

    given = [inspect.Parameter(f"_{name}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in _FACTS]
    others = [
        p.replace(kind=p.KEYWORD_ONLY) if p.kind in _NAMED else p for n, p in parameters.items() if n not in facts_of
    ]
    built.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*given, *(p for p in others if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD))]
    )
    return built


def built_in_models() -> list[str]:
    """Names that need no registration."""
    return list(_builders())


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
