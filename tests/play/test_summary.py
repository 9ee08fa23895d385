"""What a play says when it is done."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.play.journal import of_final
from harness.play.summary import result_lines, without_nan


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


def test_files_are_named_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    step = {
        "key": "prior",
        "kind": "prior",
        "state": "done",
        "outcome": {"file": str(tmp_path / "submissions" / "a.csv")},
    }
    assert result_lines({**told(590.0, ""), "steps": [step]})[-1] == f"file:     {Path('submissions', 'a.csv')}"
    monkeypatch.chdir(tmp_path.parent)
    assert result_lines({**told(590.0, ""), "steps": [step]})[-1].endswith(
        str(Path(tmp_path.name, "submissions", "a.csv"))
    )


@pytest.mark.parametrize(("greater", "less"), [(True, "0.88000"), (False, "0.92000")])
def test_a_forecast_says_what_it_does_not_know(greater: bool, less: str):
    public = {"score": 0.9, "low": 0.85, "high": 0.95}
    forecast = {"public": public, "kind": "sampling only", "greater_is_better": greater}
    judged = {"anew": 0.88, "oof": 0.9, "rows": 100, "optimism": 0.02, "low": -0.01, "high": 0.05}
    steps = [
        {"key": "judge/one", "kind": "judge", "state": "done", "outcome": judged},
        {
            "key": "submission/one",
            "kind": "submission",
            "state": "done",
            "outcome": {"forecast": forecast, "file": "a.csv"},
        },
    ]
    scores = {"metric": "accuracy", "metrics": {"accuracy": {"pooled": 0.9, "low": 0.8, "high": 1.0}}}
    lines = result_lines({**told(590.0, ""), "final": "one", "score": scores, "steps": steps})
    at = lines.index("forecast: 0.90000, 90 % interval 0.85000 to 0.95000")
    assert lines[at + 1].split()[0] == less and "no luck" in lines[at + 1] and "sampling only" in lines[at + 2]
    judged["optimism"], forecast["kind"] = -0.01, "test images"
    lines = result_lines({**told(590.0, ""), "final": "one", "score": scores, "steps": steps})
    assert lines[lines.index("forecast: 0.90000, 90 % interval 0.85000 to 0.95000") + 1] == "file:     a.csv"


def test_what_was_found_of_another_choice_is_not_told_of_this_one():
    steps = [
        {"key": "judge/one", "kind": "judge", "state": "done", "outcome": {"optimism": 0.1}},
        {"key": "judge/one/3", "kind": "judge", "state": "done", "outcome": {"optimism": 0.2}},
        {"key": "file/two", "kind": "file", "state": "done", "outcome": {"file": "two.csv"}},
        {"key": "submission/two", "kind": "submission", "state": "failed", "outcome": {"because": "no disk"}},
        {"key": "noise", "kind": "noise", "state": "done", "outcome": {"rows": 9}},
    ]
    assert of_final(steps, "one") == {"judge": {"optimism": 0.2}, "noise": {"rows": 9}}
    assert of_final(steps, "two") == {"file": {"file": "two.csv"}, "noise": {"rows": 9}}


def test_what_is_kept_is_strict_json():
    told = {
        "steps": [{"outcome": {"score": math.nan, "low": -math.inf, "n": 3, "said": "nan"}}],
        "pair": (1.5, math.nan),
    }
    kept = without_nan(told)
    assert kept == {"steps": [{"outcome": {"score": None, "low": None, "n": 3, "said": "nan"}}], "pair": [1.5, None]}
    json.dumps(kept, allow_nan=False)
