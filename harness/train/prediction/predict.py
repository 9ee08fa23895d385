"""Probabilities of a trained network, combined over views of each image (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from harness.competition.recipe import PredictSpec
from harness.models.inference.parts import in_parts
from harness.models.network import target_scale
from harness.train.inputs.network_inputs import Inputs
from harness.train.precision import Layout, ready_to_predict
from harness.train.prediction.tta import combine


class Predictor:
    """Logits of a trained network, by a copy that predicts faster (`harness.models.inference.copy`).

    The copy is made when the first batch is there, and kept. It shares what it can with the network: after the network is
    trained on, take a new one.
    """

    def __init__(self, network: nn.Module, layout: Layout) -> None:
        self.network, self.layout = network, layout
        self.activation, self.scale = getattr(network, "activation", "softmax"), target_scale(network)
        self._ready: nn.Module | None = None

    def __call__(self, x: Any) -> Tensor:
        """Logits float32 (B, n_classes) of a batch; numbers in their own unit."""
        self._ready = self._ready or ready_to_predict(self.network, x, self.layout)
        with self.layout.autocast(x.device):
            logits = torch.cat([self._ready(part).float() for part in in_parts(x, self.network)])
        return logits if self.scale is None else logits * self.scale[1] + self.scale[0]


@torch.inference_mode()
def predict(
    predictor: Predictor,
    inputs: Inputs,
    rows: Tensor,
    spec: PredictSpec,
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
    parts = list(predict_batches(predictor, inputs, rows, spec, tick))
    return torch.cat(parts) if parts else torch.zeros(0)


@torch.inference_mode()
def predict_batches(
    predictor: Predictor,
    inputs: Inputs,
    rows: Tensor,
    spec: PredictSpec,
    tick: Callable[[int], None] = lambda images: None,
) -> Iterator[Tensor]:
    """The same batch by batch, float32 (B, n_classes) each, in the order of the rows; ranks need all rows, and come at once."""
    weights = torch.tensor(inputs.view_weights, device=inputs.device).view(-1, 1, 1)
    ranked = []
    for views in inputs.views(list(rows.split(spec.batch_size))):
        logits = torch.stack([predictor(view) for view in views])  # (V, B, C)
        if spec.combine == "rank":
            ranked.append(logits.cpu())
        else:
            yield combine(logits, weights, spec.combine, predictor.activation).cpu()
        tick(len(views[0]))
    if ranked:
        yield combine(torch.cat(ranked, dim=1), weights.cpu(), "rank", predictor.activation)


@torch.inference_mode()
def plain_proba(predictor: Predictor, inputs: Inputs, rows: Tensor, spec: PredictSpec) -> Tensor:
    """Class probabilities float32 (m, n_classes) of some rows as they are, in the first of their views; on the CPU."""
    weight = torch.ones(1, 1, 1, device=inputs.device)
    parts = [
        combine(predictor(views[0])[None], weight, "probability", predictor.activation).cpu()
        for views in inputs.views(list(rows.split(spec.batch_size)))
    ]
    return torch.cat(parts) if parts else torch.zeros(0)
