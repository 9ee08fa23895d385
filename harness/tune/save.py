"""The best trial as a recipe's file, and its runs kept beside other runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from harness.base.errors import UserError
from harness.base.storage.atomic_files import write_text
from harness.base.storage.toml_text import dump_toml
from harness.competition import Recipe, load_recipe
from harness.cv.options import Options
from harness.cv.pipeline import cross_validate
from harness.tune.space import with_values
from harness.tune.trial import Trials


def save_recipe(folder: Path, recipe: Recipe, values: dict[str, Any], name: str, said: str) -> Path:
    """Write recipes/<name>.toml with only what differs from the defaults; it is read back before it counts.

    Raises
    ------
    UserError
        If another recipe of that name is there.
    """
    path = folder / "recipes" / f"{name}.toml"
    best = with_values(recipe, values, name)
    check_name(folder, name)
    content = _changed(best)
    content["description"] = said
    text = f"{_MARK} from recipe '{recipe.name}'.\n" + dump_toml(content)
    write_text(path, text)
    assert load_recipe(folder, name).digest() == best.digest(), path  # what is written is what was meant
    return path


_MARK = "# Written by python -m harness.tune"


def check_name(folder: Path, name: str) -> None:
    """Refuse a name under which somebody's own recipe stands (UserError); an earlier study's is written over."""
    path = folder / "recipes" / f"{name}.toml"
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(_MARK):
        raise UserError(f"{path}: a recipe of your own has that name; name this one with --save NAME")


def _changed(recipe: Recipe) -> dict[str, Any]:
    """Of the recipe what is not the default, as plain values."""
    content = recipe.model_dump(mode="json", exclude_defaults=True, exclude_none=True, exclude={"name", "tune"})
    return {key: content[key] for key in sorted(content, key=lambda k: isinstance(content[k], dict))}


def keep_run(made: Trials, out: Path, values: dict[str, Any], run: str) -> Path:
    """Copy a trial's run to oof/<slug>/ and finish it, so that harness.oof and harness.submit find it; returns its folder.

    Raises
    ------
    UserError
        If it is not there.
    """
    source, target = (root / "oof" / made.competition.slug / run for root in (made.home, out))
    if not source.is_dir():
        raise UserError(f"{source}: the trial's run is not on this machine")
    if not target.is_dir():
        shutil.copytree(source, target)
    options = Options(out, resume=True, device=made.device, verdicts=made.verdicts)
    return cross_validate(made.competition, with_values(made.recipe, values), made.dataset, options, made.watcher).path
