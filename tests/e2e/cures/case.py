"""A mistake and its cure, and what cases are put together from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.conftest import run_inside

CV = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--set", "train.epochs=1", "--workers", "1")
DATA = ("harness.data", "shapes")


def toml(project: Path) -> Path:
    return project / "competitions" / "shapes" / "competition.toml"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add(project: Path, text: str) -> None:
    toml(project).write_text(toml(project).read_text() + text)


def sample_submission(project: Path, header: str = "id,label", extra: str = "") -> None:
    add(project, '\n[submission]\nsample = "sample.csv"\n' + extra)
    (project / "data" / "shapes" / "sample.csv").write_text(header + "\n" + "".join(f"{i},circle\n" for i in range(6)))


@dataclass(frozen=True)
class Case:
    """A mistake, the command that finds it, what it says, and its cure as the message names it."""

    spoil: Callable[[Path], None]
    command: tuple[str, ...]
    said: str
    cure: Callable[[Path, str], tuple[str, ...] | None]
    """Carries the cure out, by what was said; returns another command where the cure is one."""


def quoted(pattern: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to add options that the message spells out."""

    def cure(project: Path, said: str) -> tuple[str, ...]:
        found = re.search(pattern, said)
        assert found, said
        return tuple(found[0].split())

    return cure


def wrong_png(project: Path) -> None:
    (project / "data" / "shapes" / "train" / "circle" / "3.png").write_bytes(b"no image")


SCRATCH = ("harness.cv", "shapes", "--recipe", "net", "--set", "cv.folds=2", "--workers", "1")
TUNE = (
    "harness.tune",
    "shapes",
    "--recipe",
    "tiny",
    "--trials",
    "1",
    "--no-nested",
    "--set",
    "cv.folds=2",
    "--device",
    "cpu",
)
SPACE = '\n[tune]\n"train.lr" = {low = 1e-4, high = 1e-2, log = true}\n'


def options(*words: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to add these options."""
    return lambda project, said: words


def instead(command: tuple[str, ...], old: str, new: str) -> Callable[[Path, str], tuple[str, ...]]:
    """The cure is to write a word of the command otherwise."""
    return lambda project, said: tuple(new if word == old else word for word in command)


def done(action: Callable[[Path], object]) -> Callable[[Path, str], None]:
    """The cure is to do something, and to repeat the command."""
    return lambda project, said: (action(project), None)[1]


def wrong_option(option: str, right: str, said: str, command: tuple[str, ...] = CV) -> Case:
    """A value of --set that is refused, and the right one."""
    return Case(lambda p: None, (*command, "--set", option), said, instead((*command, "--set", option), option, right))


def own_code(text: str) -> Callable[[Path], object]:
    return lambda project: (project / "competitions/shapes/competition.py").write_text(text)


def net(project: Path) -> None:
    """A recipe with a small network of timm."""
    (project / "competitions/shapes/recipes/net.toml").write_text(
        '[model]\nname = "timm"\n[model.args]\nbackbone = "test_resnet"\n[train]\nepochs = 1\nprecision = "fp32"\nchannels_last = false\n'
    )


def labels_csv(project: Path, text: str | None = None) -> None:
    """All images in one folder, and their labels in a CSV; `text` instead of the right one."""
    train = project / "data/shapes/train"
    files = sorted(train.glob("*/*.png"))
    rows = "".join(f"{p.parent.name}{p.stem},{p.parent.name}\n" for p in files)
    for path in files:
        path.rename(train / f"{path.parent.name}{path.name}")
    for name in ("circle", "square"):
        (train / name).rmdir()
    edit(toml(project), '"image_folder"', '"image_csv"\nlabels = "labels.csv"\nlabel = "label"')
    (project / "data/shapes/labels.csv").write_text("id,label\n" + rows)
    if text is not None:
        (project / "data/shapes/labels.csv").write_text(text)


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Edit a file of the data."""
    return lambda project: edit(project / "data/shapes" / name, old, new)


def after(*actions: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda project: [action(project) for action in actions]


def npz(project: Path, labels: int = 16) -> None:
    """The images as one .npz."""
    edit(
        toml(project),
        '"image_folder"',
        '"npz"\ntrain = "all.npz"\ntest = "test.npz"\nlabel = "labels"\noptional = ["test.npz"]',
    )
    save_npz(project, labels)


def save_npz(project: Path, labels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 12, 12), dtype=np.uint8)
    np.savez(project / "data/shapes/all.npz", images=images, labels=np.arange(labels) % 2)


def trained(*more: str) -> Callable[[Path], object]:
    return lambda project: run_inside(*CV, *more, cwd=project)
