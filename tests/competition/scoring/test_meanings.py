"""Every metric says what it is, and nothing else does."""

from __future__ import annotations

from harness.competition.scoring.meanings import MEANINGS
from harness.competition.scoring.registry import CLASSES, LABELS, NUMBERS, metric_names


def test_every_metric_has_one():
    assert set(MEANINGS) == {(of, name) for of in (CLASSES, LABELS, NUMBERS) for name in metric_names(of)}
