"""Models, losses, metrics and augmentations of one's own: trained in workers too, told apart by their code, missed where they lack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn as nn

import harness
from harness.base.python import registered
from harness.base.python.content import content_digest
from tests.api.conftest import FAST
from tests.api.test_samples import drawn, trained
from tests.conftest import REPOSITORY, run_script_inside


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(registered._all)
    yield
    registered._all.clear()
    registered._all.update(before)


class Net(nn.Module):
    def __init__(self, channels: int, n_classes: int, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def squared(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    wanted = nn.functional.one_hot(targets, logits.shape[1]) if targets.ndim == 1 else targets
    return ((logits.softmax(dim=1) - wanted) ** 2).mean()


def darker(x: torch.Tensor, draws) -> torch.Tensor:
    return x * draws.uniform(0.5, 1.0, len(x)).view(-1, 1, 1, 1)


def test_a_network_is_trained_here_and_in_workers(inside: Path, tmp_path: Path):
    assert harness.register.model("mynet", Net) is Net
    settings = {**FAST, "model": {"name": "mynet", "args": {"width": 6}}}
    here = harness.cv("shapes", "tiny", set=settings, workers=1, out=tmp_path / "here", quiet=True)
    there = harness.cv("shapes", "tiny", set=settings, workers=2, out=tmp_path / "there", quiet=True)
    assert here.name == there.name and here.record.environment["parameters"] == 6 * 9 + 6 + 2 * 6 + 2
    np.testing.assert_allclose(here.oof["proba_circle"], there.oof["proba_circle"], atol=1e-4)
    with pytest.raises(harness.UserError, match=r"model.args.widht: unknown key \(did you mean 'width'"):
        harness.cv("shapes", "tiny", set={**FAST, "model": {"name": "mynet", "args": {"widht": 6}}}, quiet=True)


def test_loss_augmentation_and_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    harness.register.loss("squared", squared)
    harness.register.augmentation("darker", darker)
    harness.register.metric("mistakes", lambda y, p: float((p.argmax(axis=1) != y).sum()), greater_is_better=False)
    images, names = drawn()
    samples = harness.Samples(images, names, metric="mistakes", also=["accuracy"])
    plain = trained(harness.Samples(images, names), tmp_path)
    run = trained(samples, tmp_path, **{"train.loss": "squared", "augment.own": ["darker"]})
    metric, value, low, high = run.score
    assert "mistakes" in metric and low <= value <= high
    assert value == round(40 * (1 - run.scores.loc["accuracy", "pooled"]))
    assert set(run.record.environment["registered"]) == {"loss squared", "augmentation darker", "metric mistakes"}
    assert not np.allclose(plain.oof["proba_circle"], run.oof["proba_circle"])


def test_other_code_is_another_run(inside: Path, tmp_path: Path):
    def run() -> str:
        options = {"set": {**FAST, "train.loss": "mine"}, "workers": 1, "out": tmp_path, "quiet": True}
        return harness.cv("shapes", "tiny", **options).name

    harness.register.loss("mine", squared)
    first, again = run(), run()
    harness.register.loss("mine", lambda logits, targets: 2 * squared(logits, targets))
    assert first == again != run()


def test_a_run_misses_what_is_not_registered(inside: Path, tmp_path: Path):
    harness.register.model("mynet", Net)
    images, _ = drawn(4)
    settings = {**FAST, "model": {"name": "mynet"}}
    run = harness.cv("shapes", "tiny", set=settings, workers=1, out=tmp_path, quiet=True)
    assert run.predict(images).shape == (4, 2)
    registered._all.clear()
    assert run.report().path.is_file() and len(run.oof) == 40  # reading needs it not
    with pytest.raises(
        harness.UserError, match=r"uses the model 'mynet', which a script registered.*harness.register.model"
    ):
        run.predict(images)
    harness.register.model("mynet", lambda channels, n_classes: Net(channels, n_classes))
    with pytest.raises(harness.UserError, match="made with another model 'mynet'"):
        run.predict(images)
    with pytest.raises(harness.UserError, match=r"train.loss = 'mine': unknown"):
        harness.cv("shapes", "tiny", set={**FAST, "train.loss": "mine"}, quiet=True)
    with pytest.raises(harness.UserError, match="'darker' is not registered"):
        harness.cv("shapes", "tiny", set={**FAST, "augment.own": ["darker"]}, quiet=True)


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        ("model", "cnn", Net, "is a name that the harness has"),
        ("model", "my net", Net, "a name has letters"),
        ("model", "mynet", Net.__name__, "str cannot be called"),
        ("model", "mynet", Net(1, 2), "is a network already"),
        ("loss", "focal", squared, "is a name that the harness has"),
        ("metric", "accuracy", squared, "is a name that the harness has"),
        ("augmentation", "one", lambda x: x, "takes .images, draws., two arguments"),
    ],
)
def test_what_cannot_be_registered(kind: str, name: str, value: object, said: str):
    with pytest.raises(harness.UserError, match=said):
        getattr(harness.register, kind)(name, value)


def test_weights_of_rows_reach_a_loss_that_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    images, names = drawn()
    samples = harness.Samples(images, names, weight=np.linspace(0.5, 1.5, 40))
    seen: list[bool] = []

    def weighted(logits: torch.Tensor, targets: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        seen.append(rows is not None)
        each = nn.functional.cross_entropy(logits, targets, reduction="none")
        return (each if rows is None else each * rows).mean()

    harness.register.loss("weighted", weighted)
    trained(samples, tmp_path, **{"train.loss": "weighted"})
    assert all(seen) and seen
    harness.register.loss("squared", squared)
    with pytest.raises(harness.UserError, match="'squared': the rows are weighted, and it takes none"):
        trained(samples, tmp_path, **{"train.loss": "squared"})


def test_what_fails_is_said(inside: Path, tmp_path: Path):
    options = {"workers": 1, "out": tmp_path, "quiet": True}
    harness.register.loss("rows", lambda logits, targets: logits.sum(dim=1))
    with pytest.raises(harness.UserError, match=r"train.loss = 'rows': returns \(16,\); return the mean"):
        harness.cv("shapes", "tiny", set={**FAST, "train.loss": "rows"}, **options)
    harness.register.augmentation("less", lambda x, draws: x[:, :, 1:])
    with pytest.raises(harness.UserError, match="'less' makes"):
        harness.cv("shapes", "tiny", set={**FAST, "augment.own": ["less"]}, **options)
    harness.register.loss("squared", squared)
    with pytest.raises(harness.UserError, match=r"train.label_smoothing: train.loss = 'squared' is your own"):
        harness.cv("shapes", "tiny", set={**FAST, "train.loss": "squared", "train.label_smoothing": 0.1}, **options)


SCRIPT = """
import harness, torch, torch.nn as nn
with open("begun.txt", "a") as file:
    file.write("begun\\n")

SCALE = 2.0

def scaled(x):
    return SCALE * x

class Net(nn.Module):
    def __init__(self, channels, n_classes):
        super().__init__()
        self.head = nn.LazyLinear(n_classes) if False else nn.Linear(channels, n_classes)
    def forward(self, x):
        return self.head(scaled(x.mean(dim=(2, 3))))

harness.register.model("mynet", Net)
run = harness.cv("shapes", "tiny", set={"train.epochs": 1, "cv.folds": 2, "model": {"name": "mynet"}}, workers=2, quiet=True)
print(run.name)
"""


def test_what_a_script_defines_reaches_its_workers(inside: Path):
    """By value: its `__main__` is run once, and what it says changes the run's name. Once in a process of its own."""
    (inside / "script.py").write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "script.py"]
    alone = subprocess.run(command, cwd=inside, env=env, capture_output=True, text=True, timeout=200)
    changed = SCRIPT.replace("SCALE = 2.0", "SCALE = 3.0")
    done = [alone, *(run_script_inside(text, inside) for text in (SCRIPT, changed))]
    assert [one.returncode for one in done] == [0, 0, 0], alone.stderr
    assert done[0].stdout == done[1].stdout != done[2].stdout
    assert (inside / "begun.txt").read_text() == "begun\n" * 3


def test_the_digest_is_of_what_is_done():
    def made(factor: float):
        return lambda x: factor * x

    assert content_digest(made(2.0)) == content_digest(made(2.0)) != content_digest(made(3.0))
    assert content_digest(Net) == content_digest(Net) != content_digest(squared)
    spaces: list[dict] = [{}, {}, {}]
    for space, body in zip(spaces, ("x + 1", "x + 1", "x + 2"), strict=True):
        exec(f"def f(x):\n    return {body}\n", space)  # without a source
    digests = [content_digest(space["f"]) for space in spaces]
    assert digests[0] == digests[1] != digests[2]
