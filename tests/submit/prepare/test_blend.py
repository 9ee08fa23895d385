"""What cannot be sent as a file is told with the option that sends it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.errors import UserError
from harness.competition import find_competition
from harness.submit.bundle.build import check_bundled
from harness.submit.prepare.blend import prepare_blend


@pytest.mark.parametrize(("platform", "option"), [("kaggle", "--code"), ("codabench", "--bundle")])
def test_a_run_of_a_hidden_test_is_sent_as_code(shapes: Path, platform: str, option: str):
    contest = find_competition(shapes / "competitions" / "shapes").model_copy(update={"platform": platform})
    run: Any = SimpleNamespace(name="tiny-1", test=None)
    with pytest.raises(UserError, match=f"^run 'tiny-1' has no test predictions: .*To send it as code: {option}$"):
        prepare_blend(contest, SimpleNamespace(), [run], shapes, None, None, [])  # type: ignore[arg-type]


def test_a_partial_run_is_finished_by_the_command_that_trains(tmp_path: Path):
    run: Any = SimpleNamespace(name="tiny-1", environment={}, complete=False, path=tmp_path)
    with pytest.raises(
        UserError, match=r"is partial. Finish it: the command that began it, with --resume and without --folds"
    ):
        check_bundled(run)
    (tmp_path / "environment.json").write_text('{"command": "python -m harness.cv pets --folds 0-1 --resume"}')
    with pytest.raises(UserError, match=r"is partial. Finish it: python -m harness.cv pets --resume$"):
        check_bundled(run)
