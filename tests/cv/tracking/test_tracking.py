"""Trackers: each epoch told once and as it ends, the scores at the end; one that fails ends nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.cv.tracking import follow, open_tracker, tracked
from harness.cv.tracking.tracker import Subject, check_tracker
from harness.runs import RunFolder
from harness.runs.notes.label import Label
from harness.runs.notes.progress import TRAINING, ProgressFile
from tests.conftest import run_inside
from tests.runs.test_run import make_run

SHAPES = ("harness.cv", "shapes", "--recipe", "tiny", "--set", "cv.folds=2", "--workers", "1", "--device", "cpu")


class Recorder:
    """A tracker that remembers; `fails` : the call that raises, from 0."""

    def __init__(self, fails: int = -1) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fails = fails

    def epoch(self, *told: Any) -> None:
        self._note("epoch", *told)

    def end(self, scores: Mapping[str, float]) -> None:
        self._note("end", dict(scores))

    def _note(self, *told: Any) -> None:
        self.calls.append(told)
        if len(self.calls) - 1 == self.fails:
            raise ConnectionError("key=abc\x1b[31m is refused")


def subject(path: Path) -> Subject:
    return Subject(path, "pets", "first try", "a note", ("night",), {"train.epochs": "3", "model.args.[x]": "1"})


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(follow, "open_tracker", lambda name, told: made)
    return made


def run(tmp_path: Path) -> RunFolder:
    folder = make_run(tmp_path / "oof" / "pets" / "one")
    environment = folder.environment()
    environment["competition"]["slug"] = "pets"
    folder.start(folder.recipe(), follow_folds(folder), environment)
    folder.finish(
        {"metric": "accuracy", "folds": [], "metrics": {"accuracy": {"pooled": 0.75}, "auc": {"pooled": None}}}
    )
    return folder


def follow_folds(folder: RunFolder) -> Any:
    from harness.runs import Folds

    return Folds.load(folder.path / "folds.csv")


def test_epochs_are_told_as_they_end_and_once(tmp_path: Path, recorder: Recorder):
    folder = run(tmp_path)
    (folder.path / "history.jsonl").write_text(
        '{"fold": 0, "seed": 0, "epoch": 1, "loss": 0.5, "seconds": 3}\n{"fold": 1, "seed": 0, "epoch": 1, "loss": 0.4}\n'
        '{"fold": 0, "seed": 0, "epoch": 2, "loss": 0.3, "valid_loss": 0.6}\n'
    )
    with tracked("recorder", folder, [0], print, pause=0.01):
        with ProgressFile(folder.path, 0, TRAINING, lambda *said: None) as file:
            file.epoch(seed=0, epoch=1, epochs=2, loss=0.5)
            for _ in range(500):
                if recorder.calls:
                    break
                time.sleep(0.01)
        assert recorder.calls == [("epoch", 0, 0, 1, {"loss": 0.5})]
    assert recorder.calls[1:] == [("epoch", 0, 0, 2, {"loss": 0.3, "valid_loss": 0.6}), ("end", {"accuracy": 0.75})]


def test_a_run_that_was_stopped_has_no_scores(tmp_path: Path, recorder: Recorder):
    with pytest.raises(KeyboardInterrupt), tracked("recorder", run(tmp_path), [0], print):
        raise KeyboardInterrupt
    assert recorder.calls == [("end", {})]


def test_a_tracker_that_fails_ends_nothing(tmp_path: Path, recorder: Recorder):
    folder, said = run(tmp_path), list[str]()
    (folder.path / "history.jsonl").write_text(
        "".join(f'{{"fold": 0, "epoch": {i}, "loss": 1}}\n' for i in range(1, 4))
    )
    recorder.fails = 1
    with tracked("recorder", folder, [0], said.append):
        pass
    assert len(recorder.calls) == 2 and len(said) == 1 and "told nothing more" in said[0] and "\x1b" not in said[0]


def test_unknown_or_missing_ones_are_refused_before_anything_is_trained(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    done = run_inside(*SHAPES, "--log", "tensorbord", cwd=shapes)
    assert done.returncode == 2 and "did you mean 'tensorboard'" in done.stderr
    monkeypatch.setitem(sys.modules, "wandb", None)
    done = run_inside(*SHAPES, "--log", "wandb", cwd=shapes)
    assert done.returncode == 2 and "pip install wandb" in done.stderr and not (shapes / "oof").exists()
    with pytest.raises(UserError):
        check_tracker("nothing")


def package(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_tensorboard_has_a_run_for_each_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[Any, ...]] = []

    class Writer:
        def __init__(self, log_dir: str) -> None:
            self.name = Path(log_dir).relative_to(tmp_path).as_posix()

        def __getattr__(self, call: str) -> Any:
            return lambda *given: told.append((self.name, call, *given))

    package(monkeypatch, "tensorboard")
    package(monkeypatch, "torch.utils.tensorboard", SummaryWriter=Writer)
    log = open_tracker("tensorboard", subject(tmp_path))
    log.epoch(1, 0, 3, {"loss": 0.5})
    log.epoch(1, 2, 3, {"loss": 0.4})
    log.end({"accuracy": 0.9})
    assert ("tensorboard/fold-1", "add_scalar", "loss", 0.5, 3) in told
    assert ("tensorboard/fold-1-seed-2", "add_scalar", "loss", 0.4, 3) in told
    assert ("tensorboard/run", "add_scalar", "OOF/accuracy", 0.9) in told and [t[1] for t in told].count("close") == 3


def test_wandb_has_an_axis_for_each_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[Any, ...]] = []

    summary: dict[str, float] = {}

    class Run:
        def __init__(self) -> None:
            self.summary = summary

        def __getattr__(self, call: str) -> Any:
            return lambda *given, **named: told.append((call, *given, named))

    begun: dict[str, Any] = {}
    package(monkeypatch, "wandb", init=lambda **named: begun.update(named) or Run())
    log = open_tracker("wandb", subject(tmp_path))
    assert begun["project"] == "pets" and begun["name"] == "first try" and begun["config"]["train.epochs"] == "3"
    log.epoch(0, 0, 1, {"loss": 0.5})
    log.epoch(0, 0, 2, {"loss": 0.4})
    log.end({"accuracy": 0.9})
    assert [call for call, *_ in told] == ["define_metric", "define_metric", "log", "log", "finish"]
    assert told[3][1] == {"fold-0/epoch": 2, "fold-0/loss": 0.4} and summary == {"OOF/accuracy": 0.9}
    assert told[-1][-1] == {"exit_code": 0}


def test_mlflow_has_an_experiment_for_each_competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[Any, ...]] = []

    class Client:
        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return f"id of {name}"

        def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
            told.append((experiment, run_name, tags))
            return SimpleNamespace(info=SimpleNamespace(run_id="7"))

        def __getattr__(self, call: str) -> Any:
            return lambda *given, **named: told.append((call, *given, named))

    package(monkeypatch, "mlflow")
    package(monkeypatch, "mlflow.tracking", MlflowClient=Client)
    log = open_tracker("mlflow", subject(tmp_path))
    log.epoch(0, 0, 1, {"loss": 0.5})
    log.end({})
    assert told[0][:2] == ("id of pets", "first try") and told[0][2]["mlflow.note.content"] == "a note"
    assert ("log_param", "7", "model.args._x_", "1", {}) in told
    assert ("log_metric", "7", "fold-0/loss", 0.5, {"step": 1}) in told and told[-1] == (
        "set_terminated",
        "7",
        "KILLED",
        {},
    )


def test_the_command_tells_a_tracker_of_its_folds(shapes: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    package(monkeypatch, "wandb")
    done = run_inside(*SHAPES, "--log", "wandb", "--folds", "1", cwd=shapes)
    assert done.returncode == 0, done.stderr
    assert [call[:4] for call in recorder.calls[:-1]] == [("epoch", 1, 0, 1), ("epoch", 1, 0, 2)]
    assert recorder.calls[-1][0] == "end" and "accuracy" in recorder.calls[-1][1]


def test_labels_go_along(tmp_path: Path):
    folder = run(tmp_path)
    Label("first try", "a note", ("night",)).write(folder.path)
    made = follow._subject(folder)
    assert (made.competition, made.name, made.note, made.tags) == ("pets", "first try", "a note", ("night",))
    assert made.recipe["model.name"] == "cnn" and "train.epochs" not in made.recipe
