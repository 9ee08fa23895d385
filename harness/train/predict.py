"""Probabilities of a trained network, combined over views of each image (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.competition.recipe import PredictSpec
from harness.models.for_prediction import copy_for_prediction
from harness.train.inputs import Inputs
from harness.train.precision import Layout
from harness.train.tta import combine


@torch.inference_mode()
def predict(
    network: nn.Module,
    inputs: Inputs,
    rows: Tensor,
    spec: PredictSpec,
    layout: Layout,
    tick: Callable[[int], None] = lambda images: None,
) -> Tensor:
    """Class probabilities of some rows, by the recipe's views and the way it combines them.

    Parameters
    ----------
    inputs : batches in the recipe's views, on the network's device
    rows : int64 (m,) on the inputs' index device
    tick : called with the number of images of each batch that is done

    Returns
    -------
    float32 (m, n_classes) on the CPU; rows sum to one
    """
    weights = torch.tensor(inputs.view_weights, device=inputs.device).view(-1, 1, 1)
    batches, parts, ready = list(rows.split(spec.batch_size)), [], None
    for views in inputs.views(batches):
        ready = ready or ready_to_predict(network, views[0], layout)
        logits = torch.stack([logits_of(ready, view, layout) for view in views])  # (V, B, C)
        parts.append((logits if spec.combine == "rank" else combine(logits, weights, spec.combine)).cpu())
        tick(len(views[0]))
    if not parts:
        return torch.zeros(0)
    if spec.combine == "rank":
        return combine(torch.cat(parts, dim=1), weights.cpu(), "rank")
    return torch.cat(parts)


@torch.inference_mode()
def plain_proba(network: nn.Module, inputs: Inputs, rows: Tensor, spec: PredictSpec, layout: Layout) -> Tensor:
    """Class probabilities float32 (m, n_classes) of some rows as they are, in the first of their views; on the CPU."""
    parts, ready = [], None
    for views in inputs.views(list(rows.split(spec.batch_size))):
        ready = ready or ready_to_predict(network, views[0], layout)
        parts.append(logits_of(ready, views[0], layout).softmax(dim=1).cpu())
    return torch.cat(parts) if parts else torch.zeros(0)


def ready_to_predict(network: nn.Module, batch: Any, layout: Layout) -> nn.Module:
    """A copy of the network that predicts faster (`harness.models.for_prediction`).

    batch : of what it will be called with
    """
    example = batch[:2] if isinstance(batch, Tensor) else batch
    return copy_for_prediction(network.eval(), example, layout.memory_format, layout.precision == "bf16")


def logits_of(network: nn.Module, x: Tensor, layout: Layout) -> Tensor:
    """float32 (B, n_classes)."""
    with layout.autocast(x.device):
        return network(x).float()
