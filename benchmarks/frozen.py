"""python -m benchmarks.frozen: heads on a frozen convnext_tiny, 5 folds x 10 epochs, the harness against a plain loop.

The plain loop runs the frozen backbone over every image of every fold in every epoch, as competitors' notebooks do. The
harness runs it once over V views of each image (view 0 is the image itself, which serves prediction too) and trains the
heads of all folds on what it gave. Features, heads, prediction of the validation rows: all is inside the clock.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.backbones import BATCH, CLASSES, SIZE, Pictures
from benchmarks.common import compare, describe_machine, load_before, print_comparison, print_machine, take_turns
from harness.base.command import JsonOption, new_app, user_command

FOLDS, EPOCHS = 5, 10

app = new_app()


@app.command()
@user_command
def main(
    backbone: Annotated[str, typer.Option(help="timm's name.")] = "convnext_tiny",
    images: Annotated[int, typer.Option(min=5 * BATCH, help="Images in the data set.")] = 400,
    views: Annotated[int, typer.Option(min=1, help="Views of each image that the harness keeps.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Time 5 folds x 10 epochs of a head on a frozen backbone. Let nothing else run."""
    import torch

    from harness.train.allocator import keep_freed_memory
    from harness.train.precision import cpu_name

    before = load_before()
    torch.set_num_threads(threads)
    keep_freed_memory()
    pixels = np.random.default_rng(0).integers(0, 256, (images, SIZE, SIZE, 3), dtype=np.uint8)
    frozen = Frozen(backbone, pixels, views)
    speeds = take_turns({"plain": frozen.plain, f"harness, {views} views": frozen.harness}, rounds, warm_up=False)
    report = {
        "machine": describe_machine(cpu_name(), before),
        "settings": {"backbone": backbone, "images": images, "folds": FOLDS, "epochs": EPOCHS, "views": views},
        "how": str(frozen.layout),
        "compared": compare(speeds, "plain"),
    }
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print_comparison(
        f"Frozen {backbone}, {images} images, {FOLDS} folds x {EPOCHS} epochs ({frozen.layout})", report["compared"]
    )
    print_machine(report["machine"])


class Frozen:
    """One data set and backbone for both ways."""

    def __init__(self, backbone: str, pixels: np.ndarray, views: int) -> None:
        import torch

        from harness.competition import Recipe
        from harness.competition.augment_spec import AugmentSpec
        from harness.competition.recipe import FeatureSpec, ModelSpec, PredictSpec
        from harness.competition.train_spec import TrainSpec
        from harness.models.backbone import timm_model
        from harness.models.network import Network
        from harness.train.precision import Layout, choose_layout

        self.pixels, self.fold = pixels, np.arange(len(pixels)) % FOLDS
        self.recipe = Recipe(
            name=backbone,
            model=ModelSpec(name="timm", args={"backbone": backbone}),
            augment=AugmentSpec(rotation=15.0, shift=0.1, zoom=0.1, horizontal_flip=0.5),
            train=TrainSpec(epochs=EPOCHS, batch_size=BATCH, optimizer="adam"),
            predict=PredictSpec(batch_size=BATCH),
            features=FeatureSpec(views=views),
        )
        body = timm_model(SIZE, SIZE, 3, CLASSES, backbone=backbone)
        self.network = Network(body, [0.5] * 3, [0.25] * 3, CLASSES)
        with tempfile.TemporaryDirectory() as cache:
            spec, cpu = self.recipe.train, torch.device("cpu")
            chosen = choose_layout(self.network, (BATCH, 3, SIZE, SIZE), spec, cpu, Path(cache), "x", trains=False)
        self.layout = Layout.of(chosen, predicting=True)

    @property
    def work(self) -> int:
        """Images trained on and predicted, all folds and epochs: what both do, whatever they run the backbone over."""
        n = len(self.pixels)
        return FOLDS * EPOCHS * (n - n // FOLDS) + n

    def plain(self) -> int:
        """Backbone and head on every image, every epoch."""
        import timm
        import torch
        import torch.nn.functional as F
        from torch.utils.data import DataLoader
        from torchvision import transforms

        finish = [transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
        bilinear = transforms.InterpolationMode.BILINEAR
        affine = transforms.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=bilinear)
        change = transforms.Compose([affine, transforms.RandomHorizontalFlip(), *finish])
        backbone = timm.create_model(self.recipe.model.args["backbone"], num_classes=0).eval()
        backbone.requires_grad_(False)
        for fold in range(FOLDS):
            head = torch.nn.Linear(backbone.num_features, CLASSES)
            optimizer = torch.optim.Adam(head.parameters())
            train = Pictures(self.pixels[self.fold != fold], change)
            valid = Pictures(self.pixels[self.fold == fold], transforms.Compose(finish))
            for _ in range(EPOCHS):
                for x, y in DataLoader(train, BATCH, shuffle=True, drop_last=True):
                    optimizer.zero_grad()
                    F.cross_entropy(head(backbone(x)), y).backward()
                    optimizer.step()
            with torch.no_grad():
                torch.cat([head(backbone(x)).softmax(dim=1) for x, _ in DataLoader(valid, BATCH)])
        return self.work

    def harness(self) -> int:
        """Features once, then a head per fold on them."""
        import torch

        from harness.models.backbone import new_head
        from harness.train.fit import Rows, fit
        from harness.train.frozen_features import FeatureStore, Head, compute_features
        from harness.train.inputs.network_inputs import FeatureInputs, open_features
        from harness.train.inputs.pixels import ResidentImages
        from harness.train.precision import Layout
        from harness.train.prediction.predict import Predictor, predict

        cpu, plain = torch.device("cpu"), Layout("fp32", False)
        labels = torch.arange(len(self.pixels)) % CLASSES
        with tempfile.TemporaryDirectory() as folder:
            store = FeatureStore(Path(folder) / "store")
            compute_features(
                self.network, ResidentImages(self.pixels, cpu), None, self.recipe, self.layout, store, 2, lambda n: None
            )
            stored, looks = open_features(store.train), open_features(store.predict)
            for fold in range(FOLDS):
                train, valid = (
                    torch.from_numpy(np.flatnonzero(rows)) for rows in (self.fold != fold, self.fold == fold)
                )
                head = Head(new_head(stored.shape[2], CLASSES, {}), CLASSES)
                inputs = FeatureInputs(stored, looks, [1.0], cpu, seed=fold)
                fit(head, inputs, labels, Rows(train), self.recipe, plain, fold)
                predict(Predictor(head, plain), inputs, valid, self.recipe.predict)
        return self.work


if __name__ == "__main__":
    app()
