"""[train] of a recipe: the optimisation of one model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.base.errors import nearest
from harness.base.python import registered
from harness.competition.schema import Later

LOSSES = ("auto", "cross_entropy", "focal", "bce", "asymmetric", "cumulative", "mse", "mae", "huber")
"""Names of `train.loss` that need no registration."""


class TrainSpec(Later):
    """[train]: the optimisation of one model."""

    later: ClassVar[tuple[str, ...]] = ("row_weights", "sampling", "logit_adjustment")

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Passes over the training rows; with early stopping, at most."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Images per forward and backward pass."""
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    """Batches whose gradients are added up before a step of the optimiser: what a large batch does, in less memory."""

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "lion", "muon"] = "adamw"
    """sgd has Nesterov momentum; lion and muon are timm's (muon: kernels and matrices, the rest by AdamW)."""
    lr: Annotated[float, Field(gt=0, le=100)] = 1e-3
    """Peak learning rate."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd, rmsprop and muon."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Applied to matrices and kernels, not to biases and norms (see decay_all)."""
    decay_all: bool = False
    """Whether weight_decay is for biases and norms too."""
    bias_lr: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Learning rate of biases and norms as a factor of the others' (64 in the CIFAR-10 speed runs)."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of each layer (timm's grouping) as a factor of that of the layer after it; 1 = the same for all."""
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of the gradient; 0 = no clipping."""

    schedule: Literal["constant", "cosine", "one_cycle", "step", "plateau"] = "constant"
    """cosine: falls to zero; one_cycle: the same after a rise; step: by step_factor every step_epochs; plateau: by
    plateau_factor when the loss stops falling."""
    warmup: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Fraction of all steps over which the learning rate rises linearly. Default: 0.15 with one_cycle, else 0."""
    step_epochs: Annotated[int, Field(ge=1)] = 5
    """schedule = "step": epochs between two reductions."""
    step_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """schedule = "step": what the learning rate is multiplied by; the CIFAR-10 report halves it."""
    plateau_patience: Annotated[int, Field(ge=0)] = 2
    """schedule = "plateau": epochs without a better loss (of the rows that patience watches, else of training) before a
    reduction."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """schedule = "plateau": what the learning rate is multiplied by."""

    loss: str = "auto"
    """auto: cross_entropy; of several labels bce (binary cross-entropy of each), of numbers mse. focal: Lin and others 2017; asymmetric:
    of several labels, Ridnik and others 2021; cumulative: of grades, binary cross-entropy of "above grade k"; mse, mae, huber: of numbers,
    and of grades on the expected one; bce: also of numbers from 0 to 1. Or a name of `harness.register.loss`."""
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """loss = "focal": how much sure hits count less."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread over all classes."""
    class_weights: Literal["none", "balanced", "effective"] = "none"
    """balanced: 1 / count; effective: (1 - beta) / (1 - beta^count) (Cui and others 2019); mean over the rows is 1."""
    effective_beta: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """class_weights = "effective": its beta."""

    sampling: Literal["uniform", "balanced", "sqrt"] = "uniform"
    """How often a row is drawn in an epoch, which has as many rows in any case. uniform: each once; balanced: each class alike; sqrt: each
    class by the square root of its rows."""
    logit_adjustment: Annotated[float, Field(ge=0, le=10)] = 0.0
    """tau: the loss is taken on logits + tau * log(share of the class among the rows trained on) (Menon and others 2021), so that at 1 the
    classes count alike. Where the metric does not count them alike, predictions are brought back to the data's shares; 0 = off."""

    row_weights: bool = True
    """Whether rows weigh in the loss as data.weight of competition.toml says, where it does; class_weights then count rows by it."""

    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of an exponential moving average of the weights, which then predicts; 0 = off."""
    swa: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the epochs, at the end, whose weights are averaged (stochastic weight averaging); 0 = off."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Models per fold, which differ in their seed only; their probabilities are averaged (seed bagging)."""

    patience: Annotated[int, Field(ge=0)] = 0
    """Early stopping: epochs without a better loss on the rows of stop_on before training ends; the best epoch's weights
    are kept. 0 = train all epochs and keep the last."""
    stop_on: Literal["inner", "validation"] = "inner"
    """inner: a part of the training folds, so that OOF stays honest. validation: the rows that OOF is scored on, as with a
    single hold-out; then every output says that the score is optimistic."""
    inner_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Share of a fold's training rows (whole groups, stratified) that is watched and not trained on."""

    freeze_layers: Annotated[int, Field(ge=0)] | None = None
    """Train only the last N layers (modules with weights of their own) of the network; default: all."""
    freeze_blocks: Annotated[int, Field(ge=0)] | None = None
    """The same, counted in blocks (timm's grouping of the backbone's stages); the head is always trained."""
    unfreeze_epoch: Annotated[int, Field(ge=0)] = 0
    """Epoch (counted from 1) from which frozen layers are trained too; 0 = never."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: the faster of the two by a short timing, kept per model and device."""
    channels_last: Literal["auto"] | bool = "auto"
    """Memory layout; auto as above."""
    compile: bool = False
    """torch.compile: worth its start of a minute on a GPU at times, not on a CPU."""

    @property
    def rise(self) -> float:
        """Fraction of all steps over which the learning rate rises."""
        if self.warmup is not None:
            return self.warmup
        return 0.15 if self.schedule == "one_cycle" else 0.0

    @property
    def balances(self) -> bool:
        """Whether rows are drawn unequally or logits adjusted, so that a network learns other shares of the classes than the data's."""
        return self.sampling != "uniform" or self.logit_adjustment > 0

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, name: str, info: ValidationInfo) -> str:
        known = [*LOSSES, *registered.names("loss")]
        if name not in known and not (info.context or {}).get("saved"):
            raise ValueError(f"unknown{nearest(name, known)}; known: {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> TrainSpec:
        if self.freeze_layers is not None and self.freeze_blocks is not None:
            raise ValueError("freeze_layers and freeze_blocks are two ways of the same: give one of them")
        if self.ema and self.swa:
            raise ValueError("ema and swa both replace the weights that predict: give one of them")
        if self.patience and self.swa:
            raise ValueError("patience keeps the best epoch's weights, swa the mean of the last ones: give one of them")
        if self.unfreeze_epoch and self.freeze_layers is None and self.freeze_blocks is None:
            raise ValueError("unfreeze_epoch needs freeze_layers or freeze_blocks")
        if self.class_weights != "none" and self.balances:
            key = "logit_adjustment" if self.sampling == "uniform" else "sampling"
            raise ValueError(f"class_weights and {key} both make up for unequal classes: give one of them")
        return self
