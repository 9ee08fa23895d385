"""Numbers as platforms write them."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> float | None:
    """A score that is one; None for text that is no number, NaN and infinity."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
