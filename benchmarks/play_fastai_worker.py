"""fastai's own recipe within a time, or for so many epochs, in a process of its own: python -m benchmarks.play_fastai_worker JOB.json;
see `benchmarks.play_fastai`.
"""

from __future__ import annotations

import copy
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.storage.atomic_files import read_json, write_json
from harness.models.weights import with_weights

_ARCH = "tf_efficientnet_lite0"
_LEAST_SIDE, _MOST_SIDE, _BATCH, _VALID = 64, 224, 64, 0.1
_TTA = 5  # predictions of the test by `tta`: four augmented ones and one of the image as it is


def main(job: dict[str, Any]) -> None:
    """Train as long as the job says, predict the test, write the probabilities."""
    from fastai.vision.all import default_device, set_seed

    default_device(use=False)  # the CPU
    set_seed(0)
    arrays = np.load(job["data"], allow_pickle=False)
    images, labels, test = arrays["images"], arrays["labels"], arrays["test_images"]
    side = int(np.clip(max(images.shape[1:3]), _LEAST_SIDE, _MOST_SIDE))
    started = time.monotonic()
    learner = new_learner(images, labels, side, job["flips"])
    learner.path = Path(job["to"]).parent  # where its finder keeps weights for a while
    epochs, lr = fine_tune(learner, started, len(test), job.get("seconds"), job.get("epochs"))
    with learner.no_bar(), learner.no_logging():
        proba = learner.tta(dl=learner.dls.test_dl(as_pictures(test)))[0].numpy()
    order = np.argsort([int(name) for name in learner.dls.vocab])
    np.save(job["to"], proba[:, order].astype(np.float64))
    told = {"seconds": time.monotonic() - started, "epochs": epochs, "side": side, "lr": lr}
    write_json(Path(job["told"]), told)


def as_pictures(images: np.ndarray) -> list[Any]:
    """As fastai takes them: RGB."""
    from fastai.vision.all import PILImage

    grey = images.shape[-1] == 1
    return [PILImage.create(np.repeat(image, 3, axis=-1) if grey else image) for image in images]


def new_learner(images: np.ndarray, labels: np.ndarray, side: int, flips: list[str]) -> Any:
    """`vision_learner` with our weights in its body, frozen; a tenth of the rows is its validation set."""
    from fastai.vision.all import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        Normalize,
        RandomSplitter,
        Resize,
        ResizeMethod,
        accuracy,
        aug_transforms,
        vision_learner,
    )

    pictures = as_pictures(images)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=[str(label) for label in np.unique(labels)])),
        get_x=lambda row: pictures[row],
        get_y=lambda row: str(labels[row]),
        splitter=RandomSplitter(_VALID, seed=0),
        item_tfms=Resize(side, method=ResizeMethod.Squish),
        batch_tfms=[
            *aug_transforms(do_flip="hflip" in flips, flip_vert="vflip" in flips),
            Normalize.from_stats([0.5] * 3, [0.5] * 3),
        ],
    )
    dls = block.dataloaders(range(len(labels)), bs=_BATCH, num_workers=0)
    learner = vision_learner(dls, _ARCH, metrics=accuracy, pretrained=False)
    known = with_weights(_ARCH, "package", "", {"in_chans": 3, "num_classes": 0})
    learner.model[0].model.load_state_dict(known.state_dict())
    learner.freeze()
    return learner


def fine_tune(
    learner: Any, started: float, n_test: int, seconds: float | None, epochs: int | None = None
) -> tuple[int, float]:
    """What `Learner.fine_tune` does, with these epochs or as many as fit; returns them and the learning rate that `lr_find` suggests."""
    with learner.no_bar(), learner.no_logging():
        lr = float(learner.lr_find(show_plot=False).valley)
        epoch, prediction = measure(learner, n_test) if epochs is None else (0.0, 0.0)
        learner.fit_one_cycle(1, slice(lr), pct_start=0.99)
        if epochs is None:
            assert seconds is not None  # a job has one of the two
            epochs = max(int((seconds - (time.monotonic() - started) - prediction) / epoch), 1)
        learner.unfreeze()
        learner.fit_one_cycle(epochs, slice(lr / 2 / 100, lr / 2), pct_start=0.3, div=5.0)
    return epochs, lr


def measure(learner: Any, n_test: int, batches: int = 6) -> tuple[float, float]:
    """Seconds of an epoch of all layers with its validation, and of predicting the test: of some batches, on a copy."""
    import torch

    model, loss = copy.deepcopy(learner.model), learner.loss_func
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    took, began = [], time.monotonic()
    for x, y in itertools.islice(learner.dls.train, batches):
        loss(model(x), y).backward()
        took.append(time.monotonic() - began)
        began = time.monotonic()
    step = float(np.median(took[1:]))
    began = time.monotonic()
    with torch.no_grad():
        model.eval()(x)
    predict = (time.monotonic() - began) + 0.2 * step  # reading and augmenting
    epoch = 1.1 * step * len(learner.dls.train) + predict * len(learner.dls.valid)  # the optimiser takes a tenth
    return epoch, predict * _TTA * n_test / _BATCH


if __name__ == "__main__":
    main(read_json(Path(sys.argv[1])))
