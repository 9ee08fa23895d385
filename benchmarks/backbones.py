"""python -m benchmarks.backbones: training and inference of timm backbones at 96 px, the harness against a plain loop.

The plain loop is what a competitor writes: PIL images, torchvision transforms in a DataLoader (its faster number of
workers), fp32, torch's default memory format and optimiser. The harness: the same network, batch size and strength of
augmentation through `harness.train`, precision and memory format by its own timing. Both use all cores that are given,
in turns within one process. Random pixels: speed does not depend on what is in an image.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import compare, describe_machine, load_before, print_comparison, print_machine, say, take_turns
from harness.base.command import JsonOption, new_app, user_command

PREDICTED = 10  # times as many images as in a turn of training: a test set, of which making the copy is a small part
BACKBONES = ("resnet18", "convnext_tiny", "efficientnet_b0")
SIZE, CLASSES, BATCH = 96, 8, 32

app = new_app()


@app.command()
@user_command
def main(
    backbone: Annotated[list[str] | None, typer.Option(help="timm's name; may be repeated.")] = None,
    images: Annotated[
        int, typer.Option(min=BATCH, help="Images in a turn of training; ten times as many predicted.")
    ] = 320,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Time training and inference of resnet18, convnext_tiny and efficientnet_b0 at 96 px. Let nothing else run."""
    import torch

    from harness.train.allocator import keep_freed_memory
    from harness.train.precision import cpu_name

    before = load_before()
    torch.set_num_threads(threads)
    report: dict[str, Any] = {"machine": describe_machine(cpu_name(), before), "backbones": {}}
    pixels = np.random.default_rng(0).integers(0, 256, (PREDICTED * images, SIZE, SIZE, 3), dtype=np.uint8)
    plain = {name: (PlainLoop(name, pixels, images), None) for name in backbone or BACKBONES}
    keep_freed_memory()  # for the plain loop too: the process is one
    for name, (loop, _) in plain.items():
        ours = HarnessLoop(name, pixels, images)
        say(
            f"{name}: harness trains in {ours.layout}, predicts in {ours.predict_layout}; plain num_workers={loop.workers}"
        )
        training = take_turns({"plain": loop.train, "harness": ours.train}, rounds)
        inference = take_turns({"plain": loop.predict, "harness": ours.predict}, rounds)
        report["backbones"][name] = {
            "training": compare(training, "plain"),
            "inference": compare(inference, "plain"),
            "how": {"training": str(ours.layout), "inference": str(ours.predict_layout)},
        }
    if as_json:
        print(json.dumps(report, indent=2))
        return
    for name, found in report["backbones"].items():
        for what in ("training", "inference"):
            print_comparison(f"{name}, {SIZE} px, {what} (harness: {found['how'][what]})", found[what])
    print_machine(report["machine"])


class PlainLoop:
    """Dataset of PIL images, transforms one by one, fp32."""

    def __init__(self, backbone: str, pixels: np.ndarray, n: int) -> None:
        import timm
        import torch
        from torchvision import transforms

        self.network = timm.create_model(backbone, num_classes=CLASSES)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        finish = [transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
        bilinear = transforms.InterpolationMode.BILINEAR
        affine = transforms.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=bilinear)
        change = transforms.Compose([affine, transforms.RandomHorizontalFlip(), *finish])
        self.data = {True: (pixels[:n], change), False: (pixels, transforms.Compose(finish))}
        self.workers = min((0, 2), key=self._loading_seconds)

    def _loader(self, training: bool, workers: int) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader(
            Pictures(*self.data[training]), BATCH, shuffle=training, drop_last=training, num_workers=workers
        )

    def _loading_seconds(self, workers: int) -> float:
        import time

        started = time.perf_counter()
        for _ in self._loader(True, workers):
            pass
        return time.perf_counter() - started

    def train(self) -> int:
        import torch.nn.functional as F

        self.network.train()
        seen = 0
        for x, y in self._loader(True, self.workers):
            self.optimizer.zero_grad()
            F.cross_entropy(self.network(x), y).backward()
            self.optimizer.step()
            seen += len(x)
        return seen

    def predict(self) -> int:
        import torch

        self.network.eval()
        with torch.no_grad():
            return sum(len(self.network(x).softmax(dim=1)) for x, _ in self._loader(False, self.workers))


class Pictures:
    """The Dataset that a competitor writes."""

    def __init__(self, pixels: np.ndarray, change: Callable[[Any], Any]) -> None:
        self.pixels, self.change = pixels, change

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        from PIL import Image

        return self.change(Image.fromarray(self.pixels[row])), row % CLASSES


class HarnessLoop:
    """`harness.train` on the same pixels: the layout by its own timing."""

    def __init__(self, backbone: str, pixels: np.ndarray, n: int) -> None:
        import torch

        from harness.competition import Recipe
        from harness.competition.augment_spec import AugmentSpec
        from harness.competition.recipe import ModelSpec, PredictSpec
        from harness.competition.train_spec import TrainSpec
        from harness.models.backbone import timm_model
        from harness.models.depthwise import use_fp32_gradients
        from harness.models.network import Network
        from harness.train.fit import Rows, Training
        from harness.train.inputs.network_inputs import PixelInputs
        from harness.train.inputs.pixels import ResidentImages
        from harness.train.precision import Layout, choose_layout

        cpu = torch.device("cpu")
        self.recipe = Recipe(
            name=backbone,
            model=ModelSpec(name="timm", args={"backbone": backbone}),
            augment=AugmentSpec(rotation=15.0, shift=0.1, zoom=0.1, horizontal_flip=0.5),
            train=TrainSpec(epochs=10_000, batch_size=BATCH, lr=1e-4),
            predict=PredictSpec(batch_size=BATCH),
        )
        body = timm_model(SIZE, SIZE, 3, CLASSES, backbone=backbone)
        use_fp32_gradients(body)
        network = Network(body, [0.5] * 3, [0.25] * 3, CLASSES)
        with tempfile.TemporaryDirectory() as cache:
            shape = (BATCH, 3, SIZE, SIZE)
            chosen = choose_layout(network, shape, self.recipe.train, cpu, Path(cache), backbone)
        self.layout, self.predict_layout = Layout.of(chosen), Layout.of(chosen, predicting=True)
        images, labels = ResidentImages(pixels, cpu), torch.arange(len(pixels)) % CLASSES
        inputs = PixelInputs(images, self.recipe, self.layout)
        self.training = Training(network, inputs, labels, Rows(torch.arange(n)), self.recipe, self.layout, 0)
        self.views, self.rows, self.epochs = (
            PixelInputs(images, self.recipe, self.predict_layout),
            torch.arange(PREDICTED * n),
            0,
        )

    def train(self) -> int:
        self.epochs += 1
        self.training.epoch(self.epochs, lambda images: None)
        return self.training.images_per_epoch

    def predict(self) -> int:
        from harness.train.prediction.predict import Predictor, predict

        predictor = Predictor(self.training.network, self.predict_layout)
        return len(predict(predictor, self.views, self.rows, self.recipe.predict))


if __name__ == "__main__":
    app()
