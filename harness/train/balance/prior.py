"""Which shares of the classes a network learns under train.sampling and train.logit_adjustment, and the way back to the data's.

Rows are drawn, and weigh, so that the loss sees the classes in shares s, the data having them in shares p. With tau = train.logit_adjustment
the loss is taken on logits + tau log s (Menon and others 2021, "Long-tail learning via logit adjustment"), so that the logits themselves
become log P(image | class) + (1 - tau) log s: at tau = 1 the classes count alike, whatever s is. Added to them, log p - (1 - tau) log s
gives the probabilities of data that have the classes in shares p (Saerens and others 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.competition.train_spec import TrainSpec
from harness.train.balance.counts import class_counts


@dataclass(frozen=True)
class Prior:
    """What a recipe makes of the classes' shares among the rows that one model is trained on.

    Attributes
    ----------
    in_loss : float32 (C,), added to the logits in the loss
    to_data : float32 (C,), added to the logits in a prediction makes them those of the data's shares
    rates : float64 (n,) on the CPU, how often each of the rows is drawn in an epoch, of sum n; None: each once
    classes : int64 (n,) on the CPU, the class that each row is drawn with
    weight_scale : brings the rows' weights back to a mean of 1 over what is drawn
    """

    in_loss: Tensor
    to_data: Tensor
    rates: Tensor | None
    classes: Tensor
    weight_scale: float = 1.0


def prior_of(labels: Tensor, n_classes: int, spec: TrainSpec, weights: Tensor | None = None) -> Prior | None:
    """Of the rows that are trained on; None where the recipe leaves the classes as they are.

    labels : int64 (n,), or shares of votes float (n, C); weights : float (n,), 1 in the mean: of each row, by which it is counted
    """
    if not spec.balances:
        return None
    labels, weight = labels.cpu(), None if weights is None else weights.cpu().double()
    shares = labels if labels.ndim == 1 else labels.double()
    counts = class_counts(shares, n_classes, weight).double()
    rates = None if spec.sampling == "uniform" else _rates(shares, counts, spec.sampling)
    drawn = weight if rates is None else rates if weight is None else rates * weight
    seen = counts if rates is None else class_counts(shares, n_classes, drawn).double()
    data, learnt, tau = _log_shares(counts), _log_shares(seen), spec.logit_adjustment
    return Prior(
        in_loss=(tau * learnt).float(),
        to_data=(data - (1 - tau) * learnt).float(),
        rates=rates,
        classes=labels if labels.ndim == 1 else labels.argmax(dim=1),
        weight_scale=1.0 if rates is None or weight is None else len(labels) / float((rates * weight).sum()),
    )


def _rates(shares: Tensor, counts: Tensor, sampling: str) -> Tensor:
    """So that classes have equal shares, or shares as the square roots of their counts; of votes each row by the mean over its votes."""
    of_class = 1 / counts if sampling == "balanced" else counts.rsqrt()
    of_class[counts == 0] = 0
    rates = of_class[shares] if shares.ndim == 1 else shares @ of_class
    return rates * (len(rates) / rates.sum())


def _log_shares(counts: Tensor) -> Tensor:
    """A class without rows takes nothing from the others, and has the logarithm of the rarest: it must be a number."""
    found = (counts / counts.sum()).log()
    return torch.where(counts > 0, found, found[counts > 0].min())
