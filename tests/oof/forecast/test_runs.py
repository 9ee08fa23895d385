"""Forecasts of saved runs: what is too large is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import UserError
from harness.oof.forecast import runs
from harness.oof.forecast.runs import refuse_large
from harness.runs import load_run
from tests.runs.test_run import make_run


def test_more_probabilities_than_the_estimators_are_made_for_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = load_run(make_run(tmp_path / "one").path)
    refuse_large(run)
    monkeypatch.setattr(runs, "is_large", lambda n, n_classes: n * n_classes > 20)
    with pytest.raises(UserError, match=r"run 'one': no forecast of 24 probabilities \(12 rows, 2 classes\)"):
        refuse_large(run)
