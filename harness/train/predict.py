"""Probabilities of a trained network, averaged over views of each image (test-time augmentation)."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.base.errors import UserError, nearest
from harness.competition import Competition
from harness.competition.recipe import PredictSpec
from harness.models.network import Network
from harness.train.batches import take_batch
from harness.train.precision import Layout

View = Callable[[Tensor], Tensor]
"""(B, C, H, W) -> (B, C, H, W)"""

_VIEWS: dict[str, View] = {
    "identity": lambda x: x,
    "hflip": lambda x: x.flip(3),
    "vflip": lambda x: x.flip(2),
    "rot90": lambda x: x.rot90(1, (2, 3)),
    "rot180": lambda x: x.rot90(2, (2, 3)),
    "rot270": lambda x: x.rot90(3, (2, 3)),
}


def views(names: tuple[str, ...]) -> list[View]:
    """The functions behind `predict.tta`.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    found: list[View] = []
    for name in names:
        move = re.fullmatch(r"(shift|diagonal)([1-9]\d?)", name)
        if move:
            p, straight = int(move[2]), move[1] == "shift"
            steps = [(0, p), (0, -p), (p, 0), (-p, 0)] if straight else [(p, p), (p, -p), (-p, p), (-p, -p)]
            found += [_shifted(dx, dy) for dx, dy in steps]
        elif name in _VIEWS:
            found.append(_VIEWS[name])
        else:
            raise UserError(
                f"predict.tta: unknown view '{name}'{nearest(name, _VIEWS)}; known: {', '.join(_VIEWS)}, shiftN, diagonalN"
            )
    if not found:
        raise UserError("predict.tta: is empty; it needs one view or more, e.g. ['identity']")
    return found


def doubtful_views(names: tuple[str, ...], competition: Competition) -> list[str]:
    """Views that turn or mirror although the competition does not say that this keeps the label (a 6 becomes a 9)."""
    return [n for n in names if n in _VIEWS and n != "identity" and n not in competition.symmetries]


@torch.inference_mode()
def predict(
    network: Network,
    images: Tensor,
    rows: Tensor,
    spec: PredictSpec,
    layout: Layout,
    tick: Callable[[int], None] = lambda images: None,
) -> Tensor:
    """Mean over the views of the softmax probabilities.

    Parameters
    ----------
    images : uint8 (n, H, W, C) on the network's device
    rows : int64 (m,)
    tick : called with the number of images of each batch that is done

    Returns
    -------
    float32 (m, n_classes) on the CPU; rows sum to one
    """
    network.eval()
    looks = views(spec.tta)
    parts = []
    for batch in rows.split(spec.batch_size):
        x = take_batch(images, batch, layout.memory_format)
        parts.append((sum(probabilities(network, look(x), layout) for look in looks) / len(looks)).cpu())
        tick(len(batch))
    return torch.cat(parts) if parts else torch.zeros(0)


def probabilities(network: Network, x: Tensor, layout: Layout) -> Tensor:
    """Softmax of the logits, float32 (B, n_classes)."""
    with layout.autocast(x.device):
        logits = network(x.contiguous(memory_format=layout.memory_format))
    return logits.float().softmax(dim=1)


def _shifted(dx: int, dy: int) -> View:
    """Move the image by (dx, dy) pixels, right and down; the border is repeated."""
    pad = max(abs(dx), abs(dy))

    def view(x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        return padded[:, :, pad - dy : pad - dy + height, pad - dx : pad - dx + width]

    return view
