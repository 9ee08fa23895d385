"""A competition played in both ways: cross-validated, its submission written and handed to the grader."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.coverage.graders import Grader, Refused
from benchmarks.coverage.kit import Fixture, Kit


@dataclass(frozen=True)
class Outcome:
    """How one way ended.

    Attributes
    ----------
    ok : whether the grader took the file
    said : its score, or why not
    """

    ok: bool
    said: str


Way = Callable[[Fixture, str, Grader, int], Outcome]
"""Plays a fixture of that slug in the current folder, with so many epochs."""


def play(
    fixture: Fixture,
    root: Path,
    epochs: int = 1,
    zipped: bool = False,
    ways: Mapping[str, Way] | None = None,
) -> dict[str, Outcome]:
    """Both ways, or others, each in a folder of its own below root; zipped: the files in one zip, as the platform delivers them."""
    found = {}
    for way, play_way in (ways or {"hand": by_hand, "init": by_init}).items():
        place = root / way
        place.mkdir(parents=True)
        slug = slug_of(fixture.name)
        grader = fixture.write(Kit(place / "data" / slug))
        if zipped:
            Kit(place / "data").pack(slug, flat=True)
            (place / "data" / slug).mkdir()
            (place / "data" / f"{slug}.zip").rename(place / "data" / slug / f"{slug}.zip")
        with inside(place):
            found[way] = play_way(fixture, slug, grader, epochs)
        shutil.rmtree(place)
    return found


def by_hand(fixture: Fixture, slug: str, grader: Grader, epochs: int) -> Outcome:
    """The competition.toml of the fixture and a built-in recipe."""
    if fixture.toml is None:
        return Outcome(False, f"no TOML can say it: {fixture.why_not}")
    folder = Path("competitions") / slug
    (folder / "recipes").mkdir(parents=True)
    text = f'title = "{slug}"\n{textwrap.dedent(fixture.toml)}'
    (folder / "competition.toml").write_text(text, encoding="utf-8")
    (folder / "recipes" / "quick.toml").write_text(_recipe(tomllib.loads(text)), encoding="utf-8")
    return _train_and_hand_in(slug, grader, epochs)


def by_init(fixture: Fixture, slug: str, grader: Grader, epochs: int) -> Outcome:
    """What init writes, untouched."""
    from harness.data.guess.init import app

    failed = _run(app, f"data/{slug}")
    return Outcome(False, failed) if failed else _train_and_hand_in(slug, grader, epochs)


def by_play(hours: float, fixture: Fixture, slug: str, grader: Grader, epochs: int) -> Outcome:
    """What init writes, untouched, and harness.play for some hours."""
    import json

    from harness.data.guess.init import app
    from harness.play.__main__ import app as play_app

    failed = _run(app, f"data/{slug}") or _run(play_app, slug, "--hours", f"{hours:g}", "--workers", "1")
    if failed:
        return Outcome(False, failed)
    journal = Path("oof") / slug / "play" / "journal.jsonl"
    steps = [line["step"] for line in map(json.loads, journal.read_text().splitlines()) if "step" in line]
    files = [step["outcome"]["file"] for step in steps if step["state"] == "done" and step["outcome"].get("file")]
    files = [file for file in files if file.endswith(".csv") and "/submissions/" in file]
    finals = [step["key"] for step in steps if step["kind"] == "submission" and step["state"] == "done"]
    try:
        grader(Path(files[-1]))
    except Refused as error:
        return Outcome(False, f"the grader refuses the file: {error}")
    return Outcome(
        True, f"accepted, of {finals[-1].removeprefix('submission/')}" if finals else "accepted, not of a whole run"
    )


def slug_of(name: str) -> str:
    """The folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _recipe(values: dict) -> str:
    """The built-in quick recipe for what the TOML says."""
    from harness.competition.builtin.facts import Facts
    from harness.data.guess.init import recipe_toml

    size, data = values["data"]["size"], values["data"]
    height, width = size if isinstance(size, list) else (size, size)
    task, metric = values.get("task", "single"), values["metric"]
    name = metric if isinstance(metric, str) else metric["name"]
    symmetries = tuple(values.get("symmetries", ()))
    return recipe_toml("quick", Facts(height, width, data.get("channels", 3), 60, 10, 1.0, task, name, symmetries))


_QUICK = ("cv.folds=2", "train.batch_size=8", "train.ema=0", "train.precision=fp32", "train.channels_last=false")
"""Small batches, so that normalisation settles in few rows; fixed precision and layout, so that nothing is timed first."""


def _train_and_hand_in(slug: str, grader: Grader, epochs: int) -> Outcome:
    from harness.cv.__main__ import app as train
    from harness.submit.__main__ import app as submit

    settings = [part for setting in (*_QUICK, f"train.epochs={epochs}") for part in ("--set", setting)]
    failed = _run(train, slug, "--recipe", "quick", "--workers", "1", *settings)
    failed = failed or _run(submit, "--comp", slug, "--dry-run")
    if failed:
        return Outcome(False, failed)
    written = sorted((Path("submissions") / slug).glob("*.csv"))
    if len(written) != 1:
        return Outcome(False, f"{len(written)} submission files were written")
    try:
        score = grader(written[0])
    except Refused as error:
        return Outcome(False, f"the grader refuses the file: {error}")
    return Outcome(True, "accepted" if math.isnan(score) else f"{score:.4f}")


def _run(app: object, *arguments: str) -> str:
    """ "" where a command ends well, else what it said last."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, list(arguments))  # type: ignore[arg-type]
    if result.exit_code == 0:
        return ""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}: {result.exception}"
    said = [line for line in result.output.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("error:")]
    return (errors or said or [f"exit code {result.exit_code}"])[-1].removeprefix("error: ")


@contextlib.contextmanager
def inside(place: Path) -> Iterator[None]:
    """Work there, with a cache there."""
    before, environment = Path.cwd(), dict(os.environ)
    os.environ |= {"HARNESS_CACHE": str(place / "cache")}
    for name in ("HARNESS_DATA", "HARNESS_LEDGER"):
        os.environ.pop(name, None)
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
