"""Options that several commands share: every command has them, and wrong ones are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.made import commands as made
from harness.base.errors import UserError
from harness.base.options import DataOptions, check_device
from harness.competition.recipe import BUILT_IN
from harness.cv.arguments import FoldOptions

COMMANDS = made.commands()
READ_DATA = (
    *("harness.data", "harness.data preview", "harness.clean", "harness.cv", "harness.tune", "harness.submit"),
    *("harness.oof errors", "harness.oof ensemble", "harness.oof forecast", "harness.play"),
)


def options_of(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_gives_json_is_quiet_and_helps(name: str):
    assert {"--json", "--quiet", "-q"} <= options_of(name)
    assert COMMANDS[name].context_settings["help_option_names"] == ["-h", "--help"]
    assert name in ("harness.data init", "harness.data cache", "harness.data keys") or "--comp" in options_of(name)


@pytest.mark.parametrize("name", READ_DATA)
def test_every_command_that_reads_data_takes_the_same_options(name: str):
    assert {"--data", "--data-set", "--sample", "--skip-broken", "--stream"} <= options_of(name)


def test_no_command_that_reads_data_is_forgotten():
    """harness.oof compare reads none: it takes them to choose runs by."""
    for option in ("--data-set", "--sample"):
        assert {name for name in COMMANDS if option in options_of(name)} == {*READ_DATA, "harness.oof compare"}


@pytest.mark.parametrize(
    ("written", "folds"),
    [("0", (0,)), ("0,1", (0, 1)), ("0-2", (0, 1, 2)), ("0,2-4", (0, 2, 3, 4)), ("2-3, 0,3", (2, 3, 0)), (None, None)],
)
def test_folds_are_numbers_and_ranges(written: str | None, folds: tuple[int, ...] | None):
    assert FoldOptions(folds=written).numbers == folds


@pytest.mark.parametrize("written", ["", "a", "1,", "3-1", "-1", "1-", "0--2", "0.5", "99999"])
def test_folds_that_are_none_are_refused(written: str):
    with pytest.raises(UserError, match="give fold numbers and ranges"):
        FoldOptions(folds=written)


def test_folds_that_a_recipe_does_not_have_are_refused():
    FoldOptions(folds="0-4").check(5)
    with pytest.raises(UserError, match="--folds 0,9: this recipe has folds 0 to 4"):
        FoldOptions(folds="0,9").check(5)
    with pytest.raises(UserError, match="give one of them"):
        FoldOptions(fresh=True, resume=True).check(5)


@pytest.mark.parametrize("name", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:12"])
def test_devices(name: str):
    check_device(name)


@pytest.mark.parametrize(("name", "near"), [("gpu", "cuda"), ("GPU", "cuda"), ("cud", "cuda"), ("cpuu", "cpu")])
def test_a_device_that_is_none_is_refused_with_the_one_that_was_meant(name: str, near: str):
    with pytest.raises(UserError, match=f"--device {name}: unknown .did you mean '{near}'"):
        check_device(name)


def test_a_data_set_is_a_setting_of_the_recipe():
    assert DataOptions().settings == []
    assert DataOptions(data_set="npz").settings == ['data.set = "npz"']


def test_the_shell_is_offered_the_recipes_that_are_built_in():
    from harness.base.places import offered

    assert offered.BUILT_IN == BUILT_IN


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("harness.cv", "shapes", "--recipe", "tiny", "--folds", "0,9"), "--folds 0,9: this recipe has folds 0 to 4"),
        (("harness.cv", "shapes", "--folds", "0,9"), "--folds 0,9: this recipe has folds 0 to 4"),
        (("harness.cv", "shapes", "--device", "gpu"), "--device gpu: unknown (did you mean 'cuda'?)"),
        (("harness.tune", "shapes", "--recipe", "tiny", "--device", "gpu"), "--device gpu: unknown"),
        (("harness.play", "shapes", "--hours", "1", "--device", "gpu"), "--device gpu: unknown"),
        (
            ("harness.cv", "shapes", "--recipe", "tiny", "--data-set", "other"),
            "data.set = 'other': 'shapes' has no such",
        ),
        (("harness.play", "shapes", "--hours", "1", "--data-set", "other"), "data.set = 'other': 'shapes' has no such"),
        (("harness.oof", "forecast", "shapes", "--data-set", "other"), "data.set = 'other': 'shapes' has no such"),
        (("harness.cv", "shapes", "--recipe", "tinny"), "no such recipe (did you mean 'tiny'?)"),
        (("harness.cv", "shapse"), "(did you mean 'shapes'?)"),
        (("harness.cv", "shapes", "--recipe", "tiny", "--pseudo-labels", "tiny-1"), "no finished run of that name"),
        (("harness.clean", "shapes", "--run", "tiny-1"), "oof/shapes/tiny-1: no run there"),
        (
            ("harness.play", "shapes", "--hours", "1", "--plan", "plan.toml"),
            "--plan plan.toml: not there. A play writes its plan",
        ),
        (("harness.submit", "shapes", "--dry-run", "--threshold", "half"), "--threshold half: give a probability"),
        (("harness.submit", "shapes", "--dry-run", "--file", "mine.csv"), "--file mine.csv: not there"),
        (
            ("harness.submit", "shapes", "--dry-run", "--backend", "onx"),
            "--backend onx: unknown (did you mean 'onnx'?)",
        ),
        (("harness.data", "previw", "shapes"), "no such part (did you mean 'preview'?)"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_said_before_data_are_read(run_command, shapes: Path, words: tuple[str, ...], said: str):
    for path in (shapes / "data" / "shapes" / "train").iterdir():
        path.rename(path.with_name(f"gone-{path.name}"))  # whoever reads the data says that they are wrong
    done = run_command(*words, cwd=shapes)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not (shapes / "oof").exists()
