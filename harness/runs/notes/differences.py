"""What differs between recipes, as recipe.json of runs has them: two runs that differ by one epoch no longer look the same."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from harness.base.untrusted_text import plain
from harness.competition import Recipe
from harness.competition.recipe import ModelSpec

_TOLD_ELSEWHERE = ("name", "description", "answers_to", "tune")
_LONGEST, _DEEPEST = 60, 12
_MOST_COLUMNS = 6
ENSEMBLE = "ensemble"
"""`model.name` of a run that was put together of others; its recipe says which, and differs from no other's in a way to be told."""


def differences(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Keys (with dots) whose values are not all the same, in the order of the recipes' keys, with each recipe's value for people.

    A key that a recipe does not have is at its default (recipe.json of an older run lacks keys that came later); where there is none it
    is "-". Name, description, answers_to and tune are no part of what is trained, and left out.
    """
    flat = [_flat(recipe) for recipe in recipes]
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for values in flat for key in values):
        values = [_shown(values[key] if key in values else _defaults().get(key, _NONE)) for values in flat]
        if len(set(values)) > 1:
            found[key] = values
    return found


def changed_keys(recipe: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(key, value, default) of all that a recipe has otherwise than by default; "-" where a key has no default."""
    found = differences([recipe, {}])
    return [(key, value, "-" if key == "model.name" else default) for key, (value, default) in found.items()]


def deviations(recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each recipe, in a line, where it differs from most of the others: "epochs 6, lr 0.01".

    Of a key without a value that more than half of them have, every recipe tells its own. An ensemble says of how many runs it is; {}
    (of a run whose recipe cannot be read) says nothing.
    """
    trained = [place for place, recipe in enumerate(recipes) if recipe and not _members(recipe)]
    told = [f"{ENSEMBLE} of {len(_members(recipe))}" if _members(recipe) else "" for recipe in recipes]
    found = differences([recipes[place] for place in trained])
    names = short_keys(list(found))
    for number, place in enumerate(trained):
        parts = [f"{names[key]} {values[number]}" for key, values in found.items() if values[number] != _usual(values)]
        told[place] = ", ".join(parts)
    return told


def difference_table(
    names: Sequence[str], recipes: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows, a line for each recipe: a column for each key that differs, or, of more than six keys, where each differs from
    most. None where nothing differs.

    names : what each line begins with
    """
    trained = [place for place, recipe in enumerate(recipes) if recipe and not _members(recipe)]
    found = differences([recipes[place] for place in trained])
    if not found:
        return None
    if len(found) > _MOST_COLUMNS:
        told = deviations(recipes)
        return ["run", "differs from most by"], [[names[place], told[place] or "-"] for place in trained]
    short = short_keys(list(found))
    return (
        ["run", *(short[key] for key in found)],
        [[names[place], *(v[number] for v in found.values())] for number, place in enumerate(trained)],
    )


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key's last part, where no other key ends in the same."""
    ends = Counter(key.rpartition(".")[2] for key in keys)
    return {key: end if ends[end := key.rpartition(".")[2]] == 1 else key for key in keys}


def _usual(values: Sequence[str]) -> str | None:
    """What more than half of them are."""
    value, n = Counter(values).most_common(1)[0]
    return value if 2 * n > len(values) else None


def _members(recipe: Mapping[str, Any]) -> list[str]:
    """The runs of an ensemble; [] of a recipe that was trained."""
    model = recipe.get("model")
    if not isinstance(model, dict) or model.get("name") != ENSEMBLE:
        return []
    args = model.get("args")
    return list(args["members"]) if isinstance(args, dict) and isinstance(args.get("members"), dict) else [ENSEMBLE]


_NONE = object()


def _shown(value: Any) -> str:
    if value is _NONE:
        return "-"
    if isinstance(value, list):
        return plain(f"[{', '.join(map(_shown, value))}]", _LONGEST)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return plain(f"{value:.6g}" if isinstance(value, float) else value, _LONGEST)


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Values by keys with dots; a table that may be missing and is there has its own keys."""
    found: dict[str, Any] = {}

    def walk(table: Mapping[str, Any], above: str, depth: int) -> None:
        for key, value in table.items():
            name = f"{above}{plain(key, _LONGEST)}"
            if isinstance(value, dict) and value and depth < _DEEPEST:
                walk(value, f"{name}.", depth + 1)
            elif value != {}:
                found[name] = value

    walk({key: value for key, value in recipe.items() if key not in _TOLD_ELSEWHERE}, "", 0)
    return found


@functools.cache
def _defaults() -> dict[str, Any]:
    """What keys are where a recipe does not have them; those at the default that are left out of recipe.json among them."""

    def content(model: BaseModel) -> dict[str, Any]:
        written = model.model_dump(mode="json")
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                written[name] = content(value)
            elif name not in written:
                written[name] = list(value) if isinstance(value, tuple) else value
        return written

    return _flat(content(Recipe(name="-", model=ModelSpec(name="-"))))
