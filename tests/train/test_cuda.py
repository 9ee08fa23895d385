"""The same numbers on a GPU as on a CPU, and no wait for it in the loop: augmentation, prediction, sources of pixels, training.

Where there is no GPU all of it is rehearsed on a pretended one (`tests.simulated_cuda`): that finds mixed devices and waits, and says nothing
of kernels, memory or time. Every other test that takes no device trains on the GPU too, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from harness.competition import Recipe
from harness.competition.augment_spec import AugmentSpec
from harness.competition.recipe import FeatureSpec, ModelSpec, PredictSpec
from harness.competition.samples import Columns
from harness.competition.tasks import TASKS
from harness.competition.train_spec import TrainSpec
from harness.data.columns.encoder import ColumnEncoder
from harness.models.backbone import timm_model
from harness.models.inference.copy import copy_for_prediction
from harness.models.network import Network
from harness.models.resnet import resnet
from harness.models.small import cnn
from harness.models.tabular.columns import add_columns
from harness.train.augment import Draws, augment
from harness.train.augment.compression import jpeg
from harness.train.corruptions import CORRUPTIONS, corrupt
from harness.train.fit import Rows, fit, mean_loss
from harness.train.frozen_features import FeatureStore, Head, compute_features
from harness.train.inputs.columns import ColumnInputs, EncodedColumns
from harness.train.inputs.network_inputs import FeatureInputs, Inputs, PixelInputs, open_features
from harness.train.inputs.pixels import FileImages, JoinedImages, ResidentImages
from harness.train.precision import Layout, choose_layout
from harness.train.prediction.predict import Predictor, predict
from harness.train.prediction.views import views_of
from tests.simulated_cuda import growing_waits
from tests.train.augment.test_geometry import smooth_images
from tests.train.augment.test_pipeline import EVERYTHING

pytestmark = pytest.mark.usefixtures("card")

GPU, HOST = torch.device("cuda"), torch.device("cpu")


class SameDraws(Draws):
    """Draws of the CPU's generator on the GPU, so that both devices change an image alike."""

    def __init__(self, device: torch.device, seed: int) -> None:
        super().__init__("cpu", seed)
        self.to = device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return super().uniform(low, high, *shape).to(self.to)

    def normal(self, *shape: int) -> Tensor:
        return super().normal(*shape).to(self.to)

    def chance(self, probability: float, n: int) -> Tensor:
        return super().chance(probability, n).to(self.to)

    def to_device(self, values: np.ndarray) -> Tensor:
        return super().to_device(values).to(self.to)


CHANGES = [n for n in AugmentSpec.model_fields if getattr(EVERYTHING, n) != getattr(AugmentSpec(), n)]


@pytest.mark.parametrize("fill", ["black", "edge", "reflect"])
@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_the_same_on_both_devices(name: str, fill: str):
    x, spec = smooth_images(32, 24, 24, 3), AugmentSpec(**{name: getattr(EVERYTHING, name), "fill": fill})
    rows = torch.arange(len(x))
    on_cpu = augment(x, spec, SameDraws(torch.device("cpu"), 1), rows, epoch=1, seed=1)
    on_gpu = augment(x.to(GPU), spec, SameDraws(GPU, 1), rows.to(GPU), epoch=1, seed=1)
    assert on_gpu.device.type == "cuda"
    off = (on_gpu.cpu() - on_cpu).abs()  # an operation in bytes may round to the next one
    assert off.max() <= 1.01 / 255 and (off > 1e-4).float().mean() < 0.01


ALONE = {n: getattr(EVERYTHING, n) for n in CHANGES} | {"jpeg": 0.5, "horizontal_flip": 0.5, "untouched": 0.5}
MIXES = ("mixup", "cutmix")


def test_every_key_of_augment_is_tried_for_waits():
    said_with_another = {"fill", "elastic_cells", "erasing_area", "mix_probability"}
    by_others = {"own", "albumentations"}  # a script's; on the host, in threads
    assert {*ALONE, *MIXES} == set(AugmentSpec.model_fields) - said_with_another - by_others


@pytest.mark.parametrize("fill", ["black", "edge", "reflect"])
@pytest.mark.parametrize("name", ALONE)
def test_no_change_waits_for_the_device(name: str, fill: str):
    spec, draws = AugmentSpec(**{name: ALONE[name], "fill": fill}), Draws(GPU, 1)
    x, rows = smooth_images(8, 24, 24, 3).to(GPU), torch.arange(8, device=GPU)

    def change(times: int) -> None:
        for _ in range(times):
            augment(x, spec, draws, rows, epoch=1, seed=1)

    assert not growing_waits(change, 1, 3)


def test_the_numbers_of_a_seed_repeat():
    x, rows = smooth_images(8, 24, 24, 3).to(GPU), torch.arange(8, device=GPU)
    first, again, other = (augment(x, EVERYTHING, Draws(GPU, seed), rows, 1, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_jpeg_is_the_same():
    x, quality = smooth_images(8, 24, 24, 3), torch.linspace(20, 95, 8)
    off = (jpeg(x.to(GPU), quality.to(GPU)).cpu() - jpeg(x, quality)).abs()
    assert (off > 1e-3).float().mean() < 0.01  # a coefficient half way between two may fall to either


@pytest.mark.parametrize(
    "name", ["identity", "hflip", "vflip", "rot90", "shift1", "diagonal1", "scale10", "brightness10"]
)
def test_each_view_is_the_same(name: str):
    x = smooth_images(4, 24, 24, 3)
    for view in views_of(name):
        torch.testing.assert_close(view(x.to(GPU)).cpu(), view(x), atol=1e-5, rtol=0)


NETWORKS = {
    "cnn": (cnn, {"stages": [[8], [8, 16]], "batch_norm": True, "dense": [16]}),
    "resnet": (resnet, {"stem": 8, "widths": [8, 16], "residuals": [1, 0]}),
    "resnet18": (timm_model, {"backbone": "resnet18"}),
    "efficientnet": (timm_model, {"backbone": "tf_efficientnet_lite0"}),
    "convnext": (timm_model, {"backbone": "convnext_atto"}),
}


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_copy_for_prediction_says_what_the_network_says_on_a_cpu(name: str, low: bool):
    torch.manual_seed(0)
    build, args = NETWORKS[name]
    network, x = build(32, 32, 3, 4, **args).eval(), torch.rand(6, 3, 32, 32)
    with torch.inference_mode():
        wanted = network(x)
        network.to(GPU)
        ready = copy_for_prediction(network, x[:2].to(GPU), torch.channels_last, low)
        with torch.autocast("cuda", torch.bfloat16, enabled=low):
            found = ready(x.to(GPU)).float().cpu()
    scale = float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, atol=(0.03 if low else 2e-3) * scale, rtol=0)


def recipe(**augment_keys: object) -> Recipe:
    return Recipe(
        name="tiny",
        model=ModelSpec(name="cnn"),
        augment=AugmentSpec(**augment_keys),
        train=TrainSpec(epochs=4, batch_size=32, lr=0.01, ema=0.9, label_smoothing=0.05),
        predict=PredictSpec(tta=("identity", "hflip"), batch_size=100),
    )


def bright_and_dark(n: int = 256) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    noise = rng.integers(0, 100, (n, 16, 16, 3))
    return (noise + 100 * labels[:, None, None, None]).astype(np.uint8), labels


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("layout", [False, True])
def test_training_learns_and_predicts_by_the_same_weights(precision: str, layout: bool):
    torch.manual_seed(0)
    pixels, labels = bright_and_dark()
    spec, chosen = recipe(rotation=10.0, mixup=0.2, brightness=0.05), Layout(precision, layout)
    network = Network(cnn(16, 16, 3, 2, stages=[[8], [16]], batch_norm=True), [0.4] * 3, [0.2] * 3, 2).to(GPU)
    images, rows = ResidentImages(pixels, GPU), torch.arange(len(labels), device=GPU)
    history = fit(
        network, PixelInputs(images, spec, chosen, 1), torch.from_numpy(labels).to(GPU), Rows(rows), spec, chosen, 1
    )
    on_gpu = predict(Predictor(network, chosen), PixelInputs(images, spec, chosen), rows, spec.predict)
    assert history[-1]["loss"] < history[0]["loss"] and (on_gpu.argmax(1).numpy() == labels).mean() > 0.98
    plain, host = Layout("fp32", False), ResidentImages(pixels, torch.device("cpu"))
    on_cpu = predict(Predictor(network.cpu(), plain), PixelInputs(host, spec, plain), rows.cpu(), spec.predict)
    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3 if precision == "fp32" else 0.03, rtol=0)


def test_pixels_read_by_row_are_those_that_lie_on_the_gpu(tmp_path: Path):
    pixels, _ = bright_and_dark(50)
    np.save(tmp_path / "images.npy", pixels)
    rows = torch.tensor([3, 49, 0, 17])
    read, resident = FileImages(tmp_path / "images.npy", GPU), ResidentImages(pixels, GPU)
    joined = JoinedImages(resident, ResidentImages(255 - pixels, GPU)).take(torch.tensor([49, 50, 1]))
    assert torch.equal(read.take(rows), resident.take(rows.to(GPU)))
    assert torch.equal(joined.cpu(), torch.from_numpy(np.stack([pixels[49], 255 - pixels[0], pixels[1]])))


def test_the_layout_is_timed_on_the_gpu(tmp_path: Path):
    network = Network(cnn(16, 16, 3, 2, stages=[[8], [16]], batch_norm=True), [0.4] * 3, [0.2] * 3, 2).to(GPU)
    found = choose_layout(network, (32, 3, 16, 16), TrainSpec(), GPU, tmp_path, "tiny")
    assert len(found["ms_per_step"]) == 4 and min(found["ms_per_step"].values()) > 0
    assert (
        choose_layout(network, (32, 3, 16, 16), TrainSpec(), GPU, tmp_path, "tiny")["how"]
        == "timed before on this machine"
    )


def train(
    rows: int, inputs: str = "resident", folder: Path | None = None, task: str = "single", **keys: object
) -> None:
    """An epoch on so many images, in batches of 16. inputs : a name of INPUTS; keys : of [augment] and [train]"""
    torch.manual_seed(0)
    pixels, labels = bright_and_dark(rows)
    spec, chosen = recipe(**{n: v for n, v in keys.items() if n in AugmentSpec.model_fields}), Layout("bf16", True)
    keys = {"epochs": 1, "batch_size": 16, **{n: v for n, v in keys.items() if n in TrainSpec.model_fields}}
    spec = spec.model_copy(update={"train": TrainSpec(**(spec.train.model_dump(exclude_unset=True) | keys))})
    network, fed = INPUTS[inputs](pixels, spec, chosen, folder)
    targets = torch.from_numpy(labels) if task == "single" else F.one_hot(torch.from_numpy(labels), 2).float()
    index = torch.arange(rows, device=fed.index_device)
    fit(network.to(GPU), fed, targets.to(GPU), Rows(index), spec, chosen, 1, task=TASKS[task])


def small_cnn() -> Network:
    return Network(cnn(16, 16, 3, 2, stages=[[8], [16]], batch_norm=True), [0.4] * 3, [0.2] * 3, 2)


def resident(pixels: np.ndarray, spec: Recipe, chosen: Layout, folder: Path | None) -> tuple[nn.Module, Inputs]:
    return small_cnn(), PixelInputs(ResidentImages(pixels, GPU), spec, chosen, 1)


def from_a_file(pixels: np.ndarray, spec: Recipe, chosen: Layout, folder: Path | None) -> tuple[nn.Module, Inputs]:
    assert folder is not None
    np.save(folder / f"{len(pixels)}.npy", pixels)
    return small_cnn(), PixelInputs(FileImages(folder / f"{len(pixels)}.npy", GPU), spec, chosen, 1)


def with_pseudo_labels(
    pixels: np.ndarray, spec: Recipe, chosen: Layout, folder: Path | None
) -> tuple[nn.Module, Inputs]:
    halves = [ResidentImages(part, GPU) for part in np.split(pixels, 2)]
    return small_cnn(), PixelInputs(JoinedImages(*halves), spec, chosen, 1)


def with_columns(pixels: np.ndarray, spec: Recipe, chosen: Layout, folder: Path | None) -> tuple[nn.Module, Inputs]:
    n, (network, inputs) = len(pixels), resident(pixels, spec, chosen, folder)
    table = Columns(np.arange(n, dtype=np.float32)[:, None], np.zeros((n, 1), np.int32), ("row",), {"kind": ("a", "b")})
    encoder = ColumnEncoder.fit(table, np.arange(n))
    add_columns(network, network.body, encoder)
    return network, ColumnInputs(inputs, EncodedColumns([table], encoder, GPU))


def stored_features(pixels: np.ndarray, spec: Recipe, chosen: Layout, folder: Path | None) -> tuple[nn.Module, Inputs]:
    stored = np.random.default_rng(0).normal(size=(2, len(pixels), 6)).astype(np.float16)
    return Head(nn.Sequential(nn.Linear(6, 2)), 2), FeatureInputs(stored, stored, [0.5, 0.5], GPU)


INPUTS: dict[str, Callable[..., tuple[nn.Module, Inputs]]] = {
    f.__name__: f for f in (resident, from_a_file, with_pseudo_labels, with_columns, stored_features)
}

STEPS: list[dict[str, Any]] = [
    {},
    {"rotation": 10.0, "shift": 0.1},
    {"mixup": 0.2},
    {"cutmix": 1.0, "mix_probability": 0.5},
    {"mixup": 0.2, "cutmix": 1.0},
    *[{name: value} for name, value in ALONE.items()],
    *[{"optimizer": name} for name in ("adam", "sgd", "rmsprop", "lion", "muon")],
    {"clip_norm": 1.0},
    {"accumulate": 2},
    {"swa": 0.5, "ema": 0.0},
    {"freeze_layers": 1},
    {"class_weights": "balanced"},
    {"sampling": "balanced", "alternating_flip": True},
    {"logit_adjustment": 1.0},
    *[{"loss": name} for name in ("focal", "cross_entropy")],
    *[{"task": "multilabel", "loss": name} for name in ("auto", "focal", "asymmetric")],
    *[{"inputs": name} for name in INPUTS if name != "resident"],
]


@pytest.mark.parametrize(
    "keys",
    STEPS,
    ids=lambda keys: "+".join(f"{n}={v}" if isinstance(v, str) else n for n, v in keys.items()) or "plain",
)
def test_a_step_waits_for_nothing(keys: dict[str, Any], tmp_path: Path):
    assert not growing_waits(lambda rows: train(rows, folder=tmp_path, **keys), 32, 64)  # 2 and 4 steps


VIEWS = [
    "identity",
    "hflip",
    "vflip",
    "rot90",
    "rot180",
    "rot270",
    "five_crop",
    "shift1",
    "diagonal1",
    "scale90",
    "brightness90",
]


@pytest.mark.parametrize(
    "keys",
    [
        *[{"tta": (name,)} for name in VIEWS],
        *[{"tta": ("identity", "hflip"), "combine": how} for how in ("probability", "logit", "rank", "max")],
    ],
    ids=str,
)
def test_a_batch_that_is_predicted_waits_once(keys: dict[str, Any]):
    def predicted(rows: int) -> None:
        spec = recipe().model_copy(update={"predict": PredictSpec(batch_size=32, **keys)})
        inputs = PixelInputs(ResidentImages(bright_and_dark(rows)[0], GPU), spec, Layout("bf16", True), 1)
        network = small_cnn().to(GPU)
        predict(Predictor(network, inputs.layout), inputs, torch.arange(rows, device=GPU), spec.predict)

    assert len(growing_waits(predicted, 64, 128)) <= 2  # two batches more; each is brought to the host


def test_watched_rows_are_waited_for_once_whatever_the_batches():
    spec, chosen, network = recipe(), Layout("bf16", True), small_cnn().to(GPU)

    def watched(rows: int) -> None:
        pixels, labels = bright_and_dark(rows)
        inputs, index = PixelInputs(ResidentImages(pixels, GPU), spec, chosen), torch.arange(rows, device=GPU)
        mean_loss(network, inputs, torch.from_numpy(labels).to(GPU), index, chosen, 250)

    assert not growing_waits(watched, 250, 1000)


def test_features_are_those_of_a_cpu_and_waited_for_once_a_view(tmp_path: Path):
    torch.manual_seed(0)
    network = Network(timm_model(32, 32, 3, 4, backbone="resnet18"), [0.5] * 3, [0.25] * 3, 4)
    spec = Recipe(
        name="x",
        model=ModelSpec(name="timm", args={"backbone": "resnet18"}),
        predict=PredictSpec(tta=("identity", "hflip"), batch_size=4),
        augment=AugmentSpec(vertical_flip=1.0),
        features=FeatureSpec(views=2),
    )
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)

    def computed(n: int, device: torch.device, name: str) -> FeatureStore:
        store, images = FeatureStore(tmp_path / name), ResidentImages(pixels[:n], device)
        compute_features(network.to(device), images, None, spec, Layout("fp32", False), store, 1, lambda done: None)
        return store

    on_cpu, names = computed(8, HOST, "cpu"), iter("abc")
    found = growing_waits(lambda n: computed(n, GPU, next(names)), 4, 8)
    assert len(found) <= 3  # one batch more: the image itself, one augmented and one mirrored view
    for kind in ("train", "predict"):
        ours, wanted = (open_features(getattr(FeatureStore(tmp_path / name), kind)) for name in ("c", "cpu"))
        np.testing.assert_allclose(ours.astype(np.float32), wanted.astype(np.float32), atol=3e-3)
    assert on_cpu.complete


BY_PILLOW = ("jpeg", "camera", "handheld")
"""Corruptions for which images are brought to the host."""


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_corruption_is_the_same_and_waits_only_for_what_the_host_does(name: str):
    pixels, rows = (smooth_images(8, 24, 24, 3) * 255).to(torch.uint8).permute(0, 2, 3, 1), np.arange(8)
    there = pixels.to(GPU)
    off = (corrupt(there, rows, name, 3).cpu().int() - corrupt(pixels, rows, name, 3).int()).abs()
    assert off.max() <= (1 if name not in BY_PILLOW else 8) and (off > 1).float().mean() < 0.01

    def corrupted(times: int) -> None:
        for _ in range(times):
            corrupt(there, rows, name, 3)

    assert len(growing_waits(corrupted, 1, 3)) == (2 if name in BY_PILLOW else 0)
