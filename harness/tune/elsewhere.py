"""harness.tune --on kaggle: the study runs where the GPUs are; the best recipe and the study's page come back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness.base.errors import UserError
from harness.base.progress import LineWatcher
from harness.base.storage.atomic_files import complete_file
from harness.clean.verdicts import standing_verdicts
from harness.competition import find_competition, load_recipe
from harness.competition.recipe import recipe_path
from harness.data.chosen import load_chosen
from harness.data.dataset import is_there
from harness.kernels.command import Command
from harness.kernels.job import Expected, Job, sources_of, verdict_files
from harness.kernels.options import KaggleOptions
from harness.kernels.results import FilesResult
from harness.kernels.session import asked_for, play
from harness.tune.prepare import Request
from harness.tune.save import check_name
from harness.tune.space import check_space


def tune_on_kaggle(
    asked: Request, command: Command, save: str, place: KaggleOptions, watcher: LineWatcher
) -> Path | None:
    """Run the study there, and put the best recipe into recipes/ here; None after a dry run.

    save : name of the best recipe, "" = the recipe's with -tuned

    Raises
    ------
    UserError
        For what is wrong before anything is sent, and for all that goes wrong there.
    """
    if asked.study.storage or asked.study.keep or asked.where.sample:
        raise UserError("--on kaggle: does not go with --storage, --keep and --sample")
    competition = find_competition(asked.competition)
    recipe = load_recipe(competition.folder, asked.recipe.recipe, asked.recipe.settings)
    competition = competition.using(recipe.data)
    check_space(competition, recipe)
    name = save or f"{recipe.name}-tuned"
    check_name(competition.folder, name)
    fingerprint = ""
    if is_there(competition, asked.where.root):
        fingerprint = load_chosen(competition, asked.where, watcher)[1].fingerprint
    path, slug = recipe_path(competition.folder, asked.recipe.recipe), competition.slug
    target = competition.folder / "recipes" / f"{name}.toml"

    def put(folder: Path, names: list[str]) -> Path:
        load_recipe(folder, name)  # what arrived is a recipe
        for found in names:
            place = target if found.startswith("recipes/") else asked.out / found
            check_name(competition.folder, name)
            with complete_file(place) as temporary:
                shutil.copyfile(folder / found, temporary)
        return target

    job = Job(
        competition=competition,
        module=command.module,
        words=command.there(slug, path.stem),
        recipes={f"{path.stem}.toml": path.read_text(encoding="utf-8")},
        files=verdict_files(asked.out, standing_verdicts(asked.out, competition, False)),
        accelerator=place.machine(),
        internet=recipe.model.args.get("weights") == "pretrained",
        hours=place.session_hours,
        sources=sources_of(competition, False),
        expected=Expected(fingerprint=fingerprint),
    )
    pattern = rf"recipes/{re.escape(name)}[.]toml|oof/{re.escape(slug)}/studies/[\w.-]+/study[.]html"
    result = FilesResult(pattern, lambda: target if target.is_file() else None, put)
    return play(job, result, asked_for(place, command, asked.out), watcher)
