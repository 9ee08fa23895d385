"""Every stage on what `init` writes: which commands end in a traceback, or refuse what they should do."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from benchmarks.coverage.graders import Grader
from benchmarks.coverage.kit import Fixture
from benchmarks.coverage.play import Outcome
from harness.base.data_parts import DATA_PARTS

_SHORT = tuple(
    word
    for value in ("train.epochs=2", "cv.folds=3", "train.precision=fp32", "train.channels_last=false")
    for word in ("--set", value)
)
_CV = ("--workers", "1", *_SHORT)

_MUST: tuple[tuple[str, ...], ...] = (
    ("harness.data",),
    ("harness.cv", "--recipe", "quick", "--noise", *_CV),
    *(("harness.cv", "--recipe", name, *_CV) for name in ("transfer", "strong", "columns")),
    ("harness.data preview", "--recipe", "strong"),
    *((f"harness.oof {part}",) for part in ("compare", "errors", "ensemble", "forecast", "calibrate")),
    ("harness.submit", "--dry-run"),
    ("harness.submit", "--best", "2", "--dry-run"),
    ("harness.leaderboard", "--plan", "--left", "2"),
    ("harness.clean",),
)
_MAY_REFUSE: tuple[tuple[str, ...], ...] = (
    ("harness.submit", "--bundle", "--dry-run"),  # runs with columns, means of several images
    ("harness.cv", "--recipe", "quick", *_CV),  # by verdicts on drawn images that look alike
    ("harness.tune", "--recipe", "quick", "--trials", "2", "--no-nested", *_SHORT),
)


def by_stages(fixture: Fixture, slug: str, grader: Grader, epochs: int) -> Outcome:
    """What init writes, untouched, through every stage; what is wrong with the outcome."""
    wrong = [told for told in [_wrong(("harness.data init", f"data/{slug}"), "", must=True)] if told]
    if wrong:
        return Outcome(False, wrong[0])
    recipes = {path.stem for path in (Path("competitions") / slug / "recipes").glob("*.toml")}
    for words in (*_MUST, *_MAY_REFUSE):
        if "--recipe" in words and words[words.index("--recipe") + 1] not in recipes:
            continue
        told = _wrong(words, slug, must=words in _MUST)
        wrong += [told] if told else []
    return Outcome(not wrong, "; ".join(wrong) or "every stage ends well")


def _wrong(words: tuple[str, ...], slug: str, must: bool) -> str:
    """ "" where a command does what it should: ends well, or, where it may, says in a line why not."""
    from typer.testing import CliRunner

    command, part, app = _opened(words[0])
    asked = [*part, *([slug] if slug else []), *words[1:]]
    result = CliRunner().invoke(app, asked)
    if result.exit_code == 0 or (result.exit_code == 2 and not must):
        return ""
    said = [line for line in result.output.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("error:")]
    told = (errors or said or [f"exit code {result.exit_code}"])[-1]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        told = f"{type(result.exception).__name__}: {str(result.exception).strip().splitlines()[:1]}"
    return f"{command} {' '.join([*part, *words[1:5]])}: {told}"


def _opened(command: str) -> tuple[str, list[str], object]:
    """A command's module, the part of it that is asked for, and its typer application."""
    module, _, part = command.partition(" ")
    opened = DATA_PARTS[part] if module == "harness.data" and part else f"{module}.__main__"
    return module, [part] if part and opened.endswith("__main__") else [], import_module(opened).app
