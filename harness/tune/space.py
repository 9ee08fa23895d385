"""From a recipe's [tune] to the recipe of a trial; checked against the schema before anything runs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from harness.base.errors import UserError, nearest
from harness.competition import Competition, Recipe
from harness.competition.recipe import BOOSTING
from harness.competition.schema import validate
from harness.competition.tune_spec import RangeSpec, SpaceSpec

Space = dict[str, SpaceSpec]


def check_space(competition: Competition, recipe: Recipe) -> Space:
    """The recipe's space, or the usual one, where every key is a recipe's and both ends of every range and every choice are valid values.

    Raises
    ------
    UserError
        If there is none, or names all that is wrong.
    """
    where, space = f"recipe '{recipe.name}', [tune]", recipe.tune or usual_space(recipe)
    if not space:
        raise UserError(
            f'{where}: is missing or empty. Add for example:\n  [tune]\n  "train.lr" = {{low = 1e-4, high = 1e-2, log = true}}'
        )
    if recipe.clusters and recipe.model.name == "kmeans":
        raise UserError(f"{where}: clusters alone have no score to tune by; tune a network that learns them")
    wrong = []
    for key, spec in space.items():
        if _changes_labels(recipe, key):
            wrong.append(f"{key}: changes the pseudo-labels, so that no two trials would be scored by the same")
        for other in spec.when:
            if other not in space:
                wrong.append(f"{key}: when names '{other}', which is none of [tune]{nearest(other, space)}")
        if key.split(".")[0] in ("name", "tune", "cv", "data", "description", "answers_to"):
            wrong.append(f"{key}: cannot be tuned; scores of other rows or folds cannot be compared")
            continue
        for value in _ends(spec):
            try:
                check_trial(competition, with_values(recipe, {key: value}))
            except UserError as error:
                wrong.append(f"{key} = {json.dumps(value)}: {str(error).removeprefix(f'{_WHERE}: ')}")
                break
    if wrong:
        raise UserError("\n  ".join([f"{where}:", *wrong]))
    return space


def usual_space(recipe: Recipe) -> Space:
    """What is searched where the recipe says nothing: about its own values, what training depends on most; {} for clusters alone.

    Ranges are of factors of four about the learning rate and of ten about the weight decay, as in the searches that
    Bengio (2012, "Practical recommendations for gradient-based training of deep architectures") advises.
    """
    args, train = recipe.model.args, recipe.train
    if recipe.model.name == "kmeans":
        return {}
    if recipe.model.name == BOOSTING:
        rate, leaf = float(args.get("learning_rate", 0.1)), int(args.get("min_samples_leaf", 20))
        return {
            "model.args.learning_rate": SpaceSpec(low=rate / 4, high=max(min(rate * 4, 1.0), rate), log=True),
            "model.args.min_samples_leaf": SpaceSpec(low=min(2, leaf), high=max(80, leaf), log=True),
        }
    found = {"train.lr": SpaceSpec(low=train.lr / 4, high=train.lr * 4, log=True)}
    if train.weight_decay:
        found["train.weight_decay"] = SpaceSpec(low=train.weight_decay / 10, high=train.weight_decay * 10, log=True)
    if train.label_smoothing:
        found["train.label_smoothing"] = SpaceSpec(
            low=0.0, high=max(min(2 * train.label_smoothing, 0.3), train.label_smoothing)
        )
    for name in ("dropout", "dense_dropout"):
        if args.get(name):
            found[f"model.args.{name}"] = SpaceSpec(low=0.0, high=max(0.7, float(args[name])))
    return found


def in_words(space: Space) -> str:
    """A space in a line."""
    return ", ".join(f"{key} {spec.low:.4g} to {spec.high:.4g}" for key, spec in space.items())


def _changes_labels(recipe: Recipe, key: str) -> bool:
    spec, table = recipe.clusters, key.split(".")[0]
    if spec is None or (spec.labels == "truth" and table != "clusters"):
        return False
    sources = {"text": ("captions", "both"), "image": ("images", "both")}
    return table == "clusters" or spec.source in sources.get(table, ())


_WHERE = "trial"


def check_trial(competition: Competition, recipe: Recipe) -> None:
    """Names and arguments of the model, as far as they can be checked without building it (UserError)."""
    if recipe.clusters:
        from harness.models.captioned import check_captioned

        check_captioned(recipe.model)
        return
    from harness.models.registry import check_model

    check_model(recipe.model, competition)


def _ends(spec: SpaceSpec) -> list[Any]:
    if spec.choices is not None:
        return list(spec.choices)
    if spec.each is not None and spec.length is not None:
        return [[end] * n for end in (spec.each.low, spec.each.high) for n in spec.length]
    return [spec.low, spec.high]


def with_values(recipe: Recipe, values: dict[str, Any], name: str | None = None) -> Recipe:
    """The recipe with other values, by dotted key; validated by the schema.

    Raises
    ------
    UserError
        Names the key.
    """
    content = copy.deepcopy(recipe.model_dump(mode="json", exclude={"tune"}, exclude_none=True))
    for key, value in values.items():
        table, parts = content, key.split(".")
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UserError(f"{_WHERE}: {key}: '{part}' is a value, not a table")
        table[parts[-1]] = value
    return validate(Recipe, {**content, "name": name or recipe.name}, _WHERE)


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """Values of a trial by key; keys whose `when` is not met are not asked for. trial : optuna.Trial"""
    values: dict[str, Any] = {}
    for key in _in_order(space):
        spec = space[key]
        if any(values.get(other, _ABSENT) not in wanted for other, wanted in spec.when.items()):
            continue
        values[key] = _suggest_one(trial, key, spec)
    return values


_ABSENT = object()


def _suggest_one(trial: Any, key: str, spec: SpaceSpec) -> Any:
    if spec.choices is not None:
        names = [json.dumps(choice) for choice in spec.choices]  # Optuna takes plain values only, a recipe lists too
        return spec.choices[names.index(trial.suggest_categorical(key, names))]
    if spec.each is not None and spec.length is not None:
        least, most = spec.length
        n = trial.suggest_int(f"{key}.length", least, most) if least < most else least
        return [_number(trial, f"{key}.{place}", spec.each) for place in range(n)]
    return _number(trial, key, spec.range)


def _number(trial: Any, name: str, spec: RangeSpec) -> int | float:
    if spec.is_whole:
        return trial.suggest_int(name, int(spec.low), int(spec.high), step=int(spec.step or 1), log=spec.log)
    return trial.suggest_float(name, float(spec.low), float(spec.high), step=spec.step, log=spec.log)


def _in_order(space: Space) -> Iterator[str]:
    """Keys after those that their `when` names.

    Raises
    ------
    UserError
        If two wait for each other.
    """
    done: list[str] = []
    while len(done) < len(space):
        ready = [key for key in space if key not in done and set(space[key].when) <= set(done)]
        if not ready:
            left = ", ".join(key for key in space if key not in done)
            raise UserError(f"[tune]: the conditions of {left} wait for each other")
        done += ready
    return iter(done)


def grid_of(space: Space) -> dict[str, Sequence[Any]]:
    """Every value of every parameter, for the grid sampler.

    Raises
    ------
    UserError
        If a range has no step, so that there is no grid.
    """
    found: dict[str, Sequence[Any]] = {}
    for key, spec in space.items():
        if spec.choices is not None:
            found[key] = [json.dumps(choice) for choice in spec.choices]
        elif spec.each is not None or (spec.step is None and not spec.range.is_whole):
            raise UserError(f"--sampler grid: {key} has no steps; give it a step or choices")
        else:
            found[key] = _steps(spec.range)
    return found


def _steps(spec: RangeSpec) -> list[int | float]:
    step, values = spec.step or 1, []
    value = spec.low
    while value <= spec.high + 1e-12:
        values.append(value)
        value = value + step
    return values


def parameters_of(spec: SpaceSpec, value: Any, key: str) -> dict[str, Any]:
    """Optuna's parameters that stand for a recipe's own value, so that a study may begin with it; {} where it is outside."""
    if spec.choices is not None:
        return {key: json.dumps(spec.choices[spec.choices.index(value)])} if value in spec.choices else {}
    if spec.each is not None and spec.length is not None:
        if not isinstance(value, list | tuple) or not spec.length[0] <= len(value) <= spec.length[1]:
            return {}
        if not all(spec.each.low <= v <= spec.each.high for v in value):
            return {}
        lengths = {f"{key}.length": len(value)} if spec.length[0] < spec.length[1] else {}
        return lengths | {f"{key}.{place}": v for place, v in enumerate(value)}
    inside = isinstance(value, int | float) and spec.range.low <= value <= spec.range.high
    return {key: value} if inside else {}
