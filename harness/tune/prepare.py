"""From what a user asks to a study that can begin: the space checked, the data read, the name found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UserError, nearest, needs
from harness.base.options import DataOptions
from harness.base.progress import LineWatcher
from harness.base.source_digest import code_digest
from harness.clean.verdicts import standing_verdicts
from harness.competition import Competition, Recipe, find_competition, load_recipe
from harness.data.cache import Dataset
from harness.data.chosen import load_chosen
from harness.data.resize import resize
from harness.tune.arguments import Limits, SearchOptions, StudyOptions, TunedRecipe
from harness.tune.space import Space, check_space, in_words
from harness.tune.storage import identity
from harness.tune.study import PRUNERS, SAMPLERS, Plan, prune_where
from harness.tune.trial import Trials


@dataclass(frozen=True)
class Request:
    """What a user asks for, word for word; competition : slug or folder."""

    competition: str
    recipe: TunedRecipe
    search: SearchOptions
    limits: Limits
    study: StudyOptions
    device: str
    where: DataOptions
    out: Path


def prepare(asked: Request, watcher: LineWatcher) -> tuple[Trials, Plan]:
    """Check all that can be checked before anything is trained, and read the data.

    Raises
    ------
    UserError
        Of an unknown sampler, pruner or objective, a space that does not fit its recipe, missing data or a missing library.
    """
    search = asked.search
    _check_choice("--sampler", search.sampler, SAMPLERS)
    _check_choice("--pruner", search.pruner, PRUNERS)
    _check_library()
    competition = find_competition(asked.competition)
    recipe = load_recipe(competition.folder, asked.recipe.recipe, asked.recipe.settings)
    competition = competition.using(recipe.data)
    space, objectives = check_space(competition, recipe), _objectives(search)
    if not recipe.tune:
        watcher.say(f"recipe '{recipe.name}' has no [tune]; searched is {in_words(space)}")
    prune = prune_where(search.pruner)
    if prune == "epochs" and recipe.clusters:
        raise UserError(
            f"--pruner {search.pruner}: looks at epochs, which recipes with [clusters] do not show; take percentile"
        )
    competition, dataset = load_chosen(competition, asked.where, watcher)
    for note in resize(dataset, recipe.data, watcher.decoding):
        watcher.say(f"note: {note}")
    verdicts = standing_verdicts(asked.out, competition, asked.where.sample)
    about = _about(competition, recipe, space, dataset, verdicts) | {
        "objectives": list(objectives),
        "pruner": search.pruner,
    }
    name = asked.study.study or f"{'sample-' if asked.where.sample else ''}{recipe.name}-{identity(about)}"
    home = asked.out / "oof" / competition.slug / "studies" / name
    trials = Trials(
        competition=competition,
        recipe=recipe,
        dataset=dataset,
        space=space,
        home=home,
        prune=prune,
        by_fold=search.pruner == "wilcoxon",
        objectives=objectives,
        limits=asked.limits,
        device=asked.device,
        verdicts=verdicts,
        watcher=watcher,
    )
    about["harness"] = code_digest()  # not in the name: a study is refused when the harness changed, not begun anew
    storage = asked.study.storage
    return trials, Plan(name, storage, home, about, search.trials, search.sampler, search.pruner, search.seed)


def _check_choice(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise UserError(f"{option} {given}: unknown{nearest(given, known)}; known: {', '.join(known)}")


def _check_library() -> None:
    with needs("harness.tune", "optuna"):
        import optuna  # noqa: F401


def _objectives(search: SearchOptions) -> tuple[str, ...]:
    found = tuple(part.strip() for part in search.objectives.split(","))
    if found not in (("score",), ("score", "seconds")):
        raise UserError(f"--objectives {search.objectives}: known: score, or score,seconds")
    if len(found) > 1 and search.sampler == "cmaes":
        raise UserError("--sampler cmaes: knows one objective only; take tpe")
    if len(found) > 1 and search.pruner != "none":
        raise UserError("--objectives score,seconds: nothing can be given up early by two measures; add --pruner none")
    return found


def _about(
    competition: Competition, recipe: Recipe, space: Space, dataset: Dataset, verdicts: Path | None
) -> dict[str, Any]:
    """What makes two trials comparable."""
    return {
        "competition": competition.slug,
        "recipe": recipe.digest(),
        "space": {key: spec.model_dump(mode="json", exclude_defaults=True) for key, spec in space.items()},
        "data": dataset.fingerprint,
        "verdicts": verdicts.read_text(encoding="utf-8") if verdicts else "",
    }
