"""Means and spreads of a backbone's levels, beside its pooled features.

What a pretrained network knows of images unlike those it was trained on lies in its middle rather than at its end (Evci et al. 2022,
"Head2Toe"; figures in benchmarks/RESULTS.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_MOST_LEVELS = 8
_LEAST_VARIANCE = 1e-6  # the root of 0 has no gradient


def levels_of(backbone: Any) -> dict[str, Any]:
    """What `forward_intermediates` of a timm network is asked for: its blocks' outputs, at most eight, evenly spread.

    Raises
    ------
    ValueError
        If it gives none.
    """
    import inspect

    if not hasattr(backbone, "forward_intermediates"):
        raise ValueError(
            f"levels: timm's {type(backbone).__name__} does not give its levels; take model.args.levels out"
        )
    names = inspect.signature(backbone.forward_intermediates).parameters
    if "extra_blocks" in names:  # of EfficientNet; else only those before an image is halved
        return {"indices": _spread(1, len(backbone.blocks)), "extra_blocks": True}
    return {"indices": _spread(0, len(backbone.feature_info) - 1)}


def _spread(first: int, last: int) -> list[int]:
    n = min(last - first + 1, _MOST_LEVELS)
    return sorted({round(last - (last - first) * i / max(n - 1, 1)) for i in range(n)})


def with_levels(backbone: Any, x: Tensor, levels: dict[str, Any]) -> Tensor:
    """Pooled features, then means and standard deviations of each level: float (B, F).

    x : float (B, C, H, W); levels : as `levels_of` gives them
    """
    end, maps = backbone.forward_intermediates(x, **levels)
    found = [backbone.forward_head(end, pre_logits=True).float()]
    for level in maps:
        variance, mean = torch.var_mean(level.float(), dim=(2, 3), correction=0)
        found += [mean, variance.clamp(min=_LEAST_VARIANCE).sqrt()]
    return torch.cat(found, dim=1)
