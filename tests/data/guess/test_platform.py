"""What a platform's page says of a competition, in words."""

from __future__ import annotations

from harness.data.guess.platform import About


def test_a_code_competition_is_sent_by_a_run():
    about = About("rocks", "Rocks", "Accuracy", 0, True, None)
    assert about.lines()[-1].endswith("python -m harness.submit rocks --code")
    assert not any("submit" in line for line in About("rocks", "Rocks", "Accuracy", 5, False, None).lines())
