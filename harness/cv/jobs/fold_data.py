"""What a fold's networks are fed and made of: pixels and whole networks, or stored features and heads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from harness.competition import Competition, Recipe, Samples
from harness.competition.scoring.registry import NUMBERS
from harness.competition.tasks import Task
from harness.data.cache import Dataset
from harness.data.columns.encoder import ColumnEncoder
from harness.models import build_network
from harness.models.depthwise import use_fp32_gradients
from harness.models.network import Network, set_logit_shift, set_outputs
from harness.models.registry import takes_columns
from harness.models.tabular.boosting import backbone_of
from harness.models.tabular.columns import add_columns
from harness.models.weights import weights_digest
from harness.train.frozen_features import FeatureStore, Head
from harness.train.inputs.columns import ColumnInputs, EncodedColumns
from harness.train.inputs.network_inputs import FeatureInputs, Inputs, PixelInputs, open_features
from harness.train.inputs.pixels import Images, JoinedImages, channel_statistics, open_images, to_float
from harness.train.precision import Layout
from harness.train.prediction.views import weighted_views

_FIRST_LOOK = 5000  # training images that a network may set itself up by


class FoldData(Protocol):
    """Where a fold's inputs come from.

    Attributes
    ----------
    layout, predict_layout : precision and memory format of training and of prediction
    predicting, test : inputs in the views of a prediction: of the labelled rows, of the test rows (None: hidden)
    """

    layout: Layout
    predict_layout: Layout
    index_device: torch.device
    predicting: Inputs
    test: Inputs | None

    def new_network(self, rows: Tensor) -> nn.Module:
        """Fresh weights from torch's global generator; statistics, where needed, of these rows only."""
        ...

    def training(self, seed: int) -> Inputs:
        """Inputs to train on, drawing by this seed."""
        ...


@dataclass(frozen=True)
class Opening:
    """What a fold's inputs are opened with.

    Attributes
    ----------
    environment : the run's environment.json
    device, threads : to compute with
    encoder : of the columns beside the images, fitted on the fold's training rows; None where models get none
    """

    competition: Competition
    recipe: Recipe
    dataset: Dataset
    environment: dict[str, Any]
    device: torch.device
    threads: int
    encoder: ColumnEncoder | None = None

    def beside(self, inputs: Inputs, *parts: Samples) -> Inputs:
        """Inputs with the columns of the rows of these parts, one after the other; as they are where models get none."""
        if self.encoder is None:
            return inputs
        columns = [part.columns for part in parts if part.columns is not None]
        return ColumnInputs(inputs, EncodedColumns(columns, self.encoder, self.device))


def fitted_encoder(
    competition: Competition, recipe: Recipe, dataset: Dataset, rows: np.ndarray
) -> ColumnEncoder | None:
    """The encoder of the columns, fitted on some of the labelled rows (int64); None where there are no columns or the model takes none."""
    columns = dataset.train.columns
    if columns is None or not takes_columns(recipe.model, competition):
        return None
    return ColumnEncoder.fit(columns, rows, dataset.test.columns if dataset.test else None)


def open_fold_data(opening: Opening) -> FoldData:
    """Pixels, or with [features] the features that were computed before the folds."""
    if opening.recipe.features:
        return StoredFeatures(opening)
    return Pixels(opening)


class Pixels:
    """Whole networks on pixels."""

    def __init__(self, opening: Opening) -> None:
        recipe, device, test = opening.recipe, opening.device, opening.dataset.test
        self.opening = opening
        layout = opening.environment["layout"]
        self.competition, self.recipe, self.threads = opening.competition, recipe, opening.threads
        self.labels = opening.dataset.train.labels
        self.layout, self.predict_layout = Layout.of(layout), Layout.of(layout, predicting=True)
        self.images: Images = open_images(opening.dataset.train.images, device)
        self.parts = [opening.dataset.train]
        self.predicting = opening.beside(PixelInputs(self.images, recipe, self.predict_layout), *self.parts)
        tested = PixelInputs(open_images(test.images, device), recipe, self.predict_layout) if test else None
        self.test = opening.beside(tested, test) if test and tested else None
        if recipe.pseudo and tested:
            self.images = JoinedImages(self.images, tested.images)  # training only: test rows follow the labelled ones
            self.parts += [test] if test else []
        self.index_device = self.images.index_device

    def new_network(self, rows: Tensor) -> nn.Module:
        """A network with fresh weights, its input normalised by what the training rows (int64 (n,)) show."""
        return new_network(self.competition, self.recipe, self.images, rows, self.scale(rows), self.opening.encoder)

    def scale(self, rows: Tensor) -> tuple[Tensor, Tensor] | None:
        """Of numbers: mean and spread of the training rows' targets."""
        return scale_of(self.competition, self.recipe, self.labels, rows)

    def training(self, seed: int) -> Inputs:
        """The rows as a network is trained on them, augmented from `seed`."""
        inputs = PixelInputs(self.images, self.recipe, self.layout, seed + 1, self.threads)
        return self.opening.beside(inputs, *self.parts)


class StoredFeatures:
    """Heads on the features of a frozen backbone; in fp32, they are small."""

    layout = predict_layout = Layout("fp32", channels_last=False)
    index_device = torch.device("cpu")

    def __init__(self, opening: Opening) -> None:
        recipe, dataset, device = opening.recipe, opening.dataset, opening.device
        store = FeatureStore(Path(opening.environment["features"]))
        self.opening, self.competition, self.recipe, self.device = opening, opening.competition, recipe, device
        self.labels = dataset.train.labels
        self.stored, self.looks = open_features(store.train), open_features(store.predict)
        self.weights = [look.weight for look in weighted_views(recipe.predict)]
        self.predicting = opening.beside(FeatureInputs(None, self.looks, self.weights, device), dataset.train)
        self.test: Inputs | None = None
        if dataset.test:
            tested = FeatureInputs(None, open_features(store.test), self.weights, device)
            self.test = opening.beside(tested, dataset.test)

    def new_network(self, rows: Tensor) -> nn.Module:
        """A network with fresh weights, its input normalised by what the training rows (int64 (n,)) show."""
        from harness.models.backbone import new_head

        n_features, n_classes = self.looks.shape[2], len(self.competition.classes)
        head = Head(new_head(n_features, n_classes, self.recipe.model.args), n_classes)
        task = self.competition.kind
        set_outputs(head, activation_of(task, self.recipe), scale_of(self.competition, self.recipe, self.labels, rows))
        if self.opening.encoder is not None:
            add_columns(head, head, self.opening.encoder)
        return head.to(self.device)

    def training(self, seed: int) -> Inputs:
        """The rows as a network is trained on them, augmented from `seed`."""
        inputs = FeatureInputs(self.stored, self.looks, self.weights, self.device, seed)
        return self.opening.beside(inputs, self.opening.dataset.train)


class WholeNetworks:
    """Networks that take pixels, with a fold's saved weights: for images that were not there when it was trained.

    Attributes
    ----------
    images : the labelled rows
    layout : precision and memory format of predictions
    """

    def __init__(self, opening: Opening, train_rows: Tensor) -> None:
        self.opening, self.train_rows = opening, train_rows
        self.images = open_images(opening.dataset.train.images, opening.device)
        self.layout = Layout.of(opening.environment["layout"], predicting=True)

    def load(self, state: dict[str, Tensor]) -> Network:
        """The network that these weights belong to; of a frozen backbone they are the head's."""
        opening = self.opening
        if opening.recipe.features:
            network = feature_network(opening.competition, opening.recipe, opening.device)
            if opening.encoder is not None:
                add_columns(network, network.body, opening.encoder)
                network.get_submodule("columns").load_state_dict(
                    {k.removeprefix("columns."): v for k, v in state.items() if k.startswith("columns.")}
                )
            network.body.get_submodule("head").load_state_dict(
                {k.removeprefix("head."): v for k, v in state.items() if k.startswith("head.")}
            )
            scale = (state["target_mean"], state["target_std"]) if "target_mean" in state else None
            set_outputs(network, activation_of(opening.competition.kind, opening.recipe), scale)
            if "logit_shift" in state:
                set_logit_shift(network, state["logit_shift"])
            network.to(opening.device)
        else:
            torch.manual_seed(0)
            scale = scale_of(opening.competition, opening.recipe, opening.dataset.train.labels, self.train_rows)
            network = new_network(
                opening.competition, opening.recipe, self.images, self.train_rows, scale, opening.encoder
            )
            if "logit_shift" in state:
                set_logit_shift(network, state["logit_shift"].to(opening.device))
            network.load_state_dict(state)
        return network.to(memory_format=self.layout.memory_format).eval()

    def inputs(self, images: Images) -> Inputs:
        """These images, of the labelled rows, in the views of the recipe's predictions, with the rows' columns."""
        inputs = PixelInputs(images, self.opening.recipe, self.layout)
        return self.opening.beside(inputs, self.opening.dataset.train)


def activation_of(task: Task, recipe: Recipe) -> str:
    """What makes outputs of logits: numbers that are trained as probabilities are those."""
    return "sigmoid" if task.of == NUMBERS and recipe.train.loss == "bce" else task.activation


def scale_of(
    competition: Competition, recipe: Recipe, labels: np.ndarray | None, rows: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Of numbers: (mean, spread) float32 (K,) each of the training rows' targets, so that a network learns numbers of like size."""
    if labels is None or activation_of(competition.kind, recipe) != "identity":
        return None
    trained = rows.cpu().numpy()
    targets = labels[trained[trained < len(labels)]]
    spread = targets.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return torch.from_numpy(targets.mean(axis=0).astype(np.float32)), torch.from_numpy(spread.astype(np.float32))


def new_network(
    competition: Competition,
    recipe: Recipe,
    images: Images,
    rows: Tensor,
    scale: tuple[Tensor, Tensor] | None = None,
    encoder: ColumnEncoder | None = None,
) -> Network:
    """A network with fresh weights (seed torch first), on the images' device.

    It normalises as pretrained weights expect, else by the statistics of the given rows, and sets itself up by some of
    them where it wants to (`initialise`).
    """
    body = build_network(recipe.model, competition, encoder.width if encoder else 0)
    use_fp32_gradients(body)
    mean, std = getattr(body, "normalisation", None) or channel_statistics(images, rows)
    activation = activation_of(competition.kind, recipe)
    network = Network(body, mean, std, len(competition.classes), activation, scale)
    if encoder is not None:
        add_columns(network, body, encoder)
    network = network.to(images.device)
    if hasattr(body, "initialise"):
        some = to_float(images.take(rows[:_FIRST_LOOK]), torch.contiguous_format)
        body.initialise((some - network.mean) / network.std)
    return network


def feature_network(competition: Competition, recipe: Recipe, device: torch.device) -> Network:
    """The backbone that features are taken from, the same for all folds: it may know of no fold's statistics."""
    torch.manual_seed(recipe.seed)
    body = build_network(backbone_of(recipe.model), competition)
    channels = competition.data.channels
    mean, std = getattr(body, "normalisation", None) or ([0.5] * channels, [0.25] * channels)
    return Network(body, mean, std, len(competition.classes), activation_of(competition.kind, recipe)).to(device)


def feature_store(cache: Path, recipe: Recipe, dataset: Dataset, precision: str) -> FeatureStore:
    """Where the features of these data by this recipe lie."""
    return FeatureStore.of(cache, recipe, dataset.fingerprint, weights_digest(recipe.model.args), precision)
