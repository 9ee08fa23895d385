"""The same numbers on a GPU as on a CPU, where there is one: augmentation, prediction, sources of pixels, training.

Every other test that takes no device trains on the GPU too, where there is one.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.competition import Recipe
from harness.competition.augment_spec import AugmentSpec
from harness.competition.recipe import ModelSpec, PredictSpec
from harness.competition.train_spec import TrainSpec
from harness.models.backbone import timm_model
from harness.models.inference.copy import copy_for_prediction
from harness.models.network import Network
from harness.models.resnet import resnet
from harness.models.small import cnn
from harness.train.augment import Draws, augment
from harness.train.augment.compression import jpeg
from harness.train.fit import Rows, fit
from harness.train.inputs.network_inputs import PixelInputs
from harness.train.inputs.pixels import FileImages, JoinedImages, ResidentImages
from harness.train.precision import Layout, choose_layout
from harness.train.prediction.predict import Predictor, predict
from harness.train.prediction.views import views_of
from tests.train.augment.test_geometry import smooth_images
from tests.train.augment.test_pipeline import EVERYTHING

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

GPU = torch.device("cuda" if torch.cuda.is_available() else "cpu")


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
    joined = JoinedImages(resident, ResidentImages(255 - pixels, GPU)).take(torch.tensor([49, 50, 1], device=GPU))
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


def waits(rows: int, train: bool = True, **augment_keys: object) -> int:
    """How often the host waits for the GPU, while so many images are trained on for two epochs, or predicted."""
    torch.manual_seed(0)
    pixels, labels = bright_and_dark(rows)
    spec, chosen = recipe(**augment_keys), Layout("bf16", True)
    spec = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 2})})
    network = Network(cnn(16, 16, 3, 2, stages=[[8], [16]], batch_norm=True), [0.4] * 3, [0.2] * 3, 2).to(GPU)
    inputs = PixelInputs(ResidentImages(pixels, GPU), spec, chosen, 1)
    index, targets = torch.arange(rows, device=GPU), torch.from_numpy(labels).to(GPU)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            if train:
                fit(network, inputs, targets, Rows(index), spec, chosen, 1)
            else:
                predict(Predictor(network, chosen), inputs, index, spec.predict)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in found)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"rotation": 10.0, "shift": 0.1},
        {"mixup": 0.2},
        {"cutmix": 1.0, "mix_probability": 0.5},
        *[{n: getattr(EVERYTHING, n)} for n in CHANGES],
    ],
    ids=lambda keys: "+".join(keys) or "plain",
)
def test_a_step_waits_for_nothing(keys: dict):
    waits(128, **keys)  # what is done once
    few, many = waits(128, **keys), waits(256, **keys)  # 4 and 8 steps an epoch
    assert many <= few, f"{(many - few) / 8:.2f} waits a step"


def test_a_batch_that_is_predicted_waits_once():
    few, many = waits(200, train=False), waits(400, train=False)  # 2 and 4 batches; each is brought to the host
    assert (many - few) / 2 <= 1
