"""What a play says when it is done."""

from typing import Any

import pytest

from harness.play.summary import result_lines


def told(spent: float, unspent: str) -> dict[str, Any]:
    budget = {"unit": "s", "total": 600.0, "spent": spent, "unspent": unspent}
    return {"final": "", "score": None, "steps": [], "budget": budget, "sent": []}


@pytest.mark.parametrize(
    ("spent", "unspent", "said"),
    [
        (450.2, "no other network fits in what is left", "450 of 600 s; no other network fits in what is left"),
        (590.0, "no other network fits in what is left", "590 of 600 s"),
        (450.0, "", "450 of 600 s"),
    ],
)
def test_what_is_left_is_explained(spent: float, unspent: str, said: str):
    assert result_lines(told(spent, unspent))[0] == f"spent:    {said}"
