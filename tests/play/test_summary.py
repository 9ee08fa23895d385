"""What a play says when it is done."""

from typing import Any

import pytest

from harness.play.summary import result_lines


def told(spent: float, another: float | None) -> dict[str, Any]:
    budget = {"unit": "s", "total": 600.0, "spent": spent, "another": another}
    return {"final": "", "score": None, "steps": [], "budget": budget, "sent": []}


@pytest.mark.parametrize(
    ("spent", "another", "said"),
    [
        (450.2, 180.4, "450 of 600 s; another run would have taken at least 180, and being judged"),
        (590.0, 180.4, "590 of 600 s"),
        (450.0, None, "450 of 600 s"),
    ],
)
def test_what_is_left_is_explained(spent: float, another: float | None, said: str):
    assert result_lines(told(spent, another))[0] == f"spent:    {said}"
