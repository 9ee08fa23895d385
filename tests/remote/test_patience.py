"""Seconds that the environment tells: looked at before anything is sent."""

from __future__ import annotations

import pytest

from harness.base.errors import UserError
from harness.remote.kaggle_client import KaggleClient
from harness.remote.patience import (
    call_seconds,
    check_patience,
    grace_seconds,
    poll_seconds,
    ready_seconds,
    retry_seconds,
)

NAMES = [f"HARNESS_{name}_SECONDS" for name in ("CALL", "RETRY", "GRACE", "POLL", "READY")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["60s", "-1", "nan", "inf", "1,5"])
def test_what_is_no_number_of_seconds_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{name}={value}: is no number of seconds; write e.g. {name}="):
        check_patience()
    with pytest.raises(UserError, match=name):
        KaggleClient("shapes")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HARNESS_CALL_SECONDS", "")
    monkeypatch.setenv("HARNESS_GRACE_SECONDS", "0.5")
    for name in ("RETRY", "POLL", "READY"):
        monkeypatch.delenv(f"HARNESS_{name}_SECONDS", raising=False)
    assert (call_seconds(), retry_seconds(), grace_seconds()) == (60, 2, 0.5)
    assert (poll_seconds(), ready_seconds()) == (15, 900)
