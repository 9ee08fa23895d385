"""What a shell may complete: commands' options, and the names of competitions, recipes and runs that lie in the project's folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.base.places.competitions import SPEC, competition_folder
from harness.base.places.home import COMPETITIONS, project_home

BUILT_IN = ("quick", "strong", "transfer", "finetune", "columns")
_DEVICES = ("auto", "cpu", "cuda", "cuda:0", "mps")


def offered(command: Any, words: Sequence[str], begun: str) -> list[str]:
    """What may follow the words of a command's line, beginning with `begun`; [] where nothing is known, as of a file.

    command : as typer makes it; words : those before the one that is completed, without the command's own
    """
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}
    last = options.get(words[-1]) if words else None
    if last is not None and not getattr(last, "is_flag", False):
        return _beginning(begun, _values(words[-1], words))
    if begun.startswith("-"):
        shown = [name for name, option in options.items() if not getattr(option, "hidden", False)]
        return _beginning(begun, [name for name in (*shown, "--help") if name.startswith("--")])
    if _named(words, options) is None:
        return _beginning(begun, competitions())
    return []


def competitions() -> list[str]:
    """Slugs of the competitions of the project's folder."""
    return sorted(path.parent.name for path in (project_home() / COMPETITIONS).glob(f"*/{SPEC}"))


def _values(option: str, words: Sequence[str]) -> Iterable[str]:
    if option == "--comp":
        return competitions()
    if option == "--device":
        return _DEVICES
    slug = next((word for word in words if word in competitions()), None)
    if slug is None:
        return ()
    if option == "--recipe":
        recipes = (competition_folder(Path(slug)) / "recipes").glob("*.toml")
        return [*sorted(path.stem for path in recipes), *BUILT_IN]
    if option in ("--run", "--ensemble", "--pseudo-labels"):
        return sorted(path.parent.name for path in (project_home() / "oof" / slug).glob("*/recipe.json"))
    return ()


def _named(words: Sequence[str], options: dict[str, Any]) -> str | None:
    """The competition among the words: the first that is no option and no option's value."""
    value_follows = False
    for word in words:
        if value_follows or word.startswith("-"):
            option = options.get(word)
            value_follows = not value_follows and option is not None and not getattr(option, "is_flag", False)
            continue
        return word
    return None


def _beginning(begun: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(begun)]
