"""What is settled before the first fold."""

from __future__ import annotations

import pytest

from harness.cv.jobs.prepare import usable_cores


@pytest.mark.parametrize(("asked", "cores"), [("1", 1), ("", None), ("0", None), ("many", None), ("100000", None)])
def test_processes_that_share_a_machine_can_be_given_some_of_its_cores(
    monkeypatch: pytest.MonkeyPatch, asked: str, cores: int | None
):
    monkeypatch.delenv("HARNESS_CORES", raising=False)
    there = usable_cores()
    monkeypatch.setenv("HARNESS_CORES", asked)
    assert usable_cores() == (cores or there)
