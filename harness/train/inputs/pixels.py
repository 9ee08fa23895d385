"""Where batches of pixels come from: a tensor on the device, a file read by row, or images decoded on the way."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from harness.base.storage.npy import open_array
from harness.train.transfer import to_device

RESIDENT_BYTES = 512 * 2**20
"""Up to this size the pixels stay mapped (CPU) or on the device; beyond it batches are read from the file by row."""

HostChange = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(uint8 (B, H, W, C), rows (B,)) -> uint8 of the same shape: augmentation that works on the host."""


class Images(Protocol):
    """Pixels of a data set, uint8 (n, H, W, C), by row.

    Attributes
    ----------
    shape : (n, H, W, C)
    device : where `take` puts a batch
    index_device : where row numbers should lie; elsewhere they are sent first
    waits : whether `take` waits for a disk or a decoder, so that a thread should run ahead
    """

    shape: tuple[int, int, int, int]
    device: torch.device
    index_device: torch.device
    waits: bool

    def take(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) on `device`; rows int64 (B,) on `index_device`."""
        ...


class ResidentImages:
    """All pixels in one tensor on the device; on a CPU the cache's memory map itself, never copied."""

    waits = False

    def __init__(self, images: np.ndarray, device: torch.device) -> None:
        self.pixels = torch.from_numpy(images).to(device)
        self.shape, self.device, self.index_device = tuple(images.shape), device, device

    def take(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) of rows int64 (B,), on the device."""
        return self.pixels.index_select(0, to_device(rows, self.device))


class FileImages:
    """An images.npy read row by row: memory does not grow with the data, as the pages of a map would."""

    waits = True

    def __init__(self, path: Path, device: torch.device) -> None:
        images = open_array(path)
        self.shape, self.device, self.index_device = tuple(images.shape), device, torch.device("cpu")
        self.offset, self.size = images.offset, int(np.prod(images.shape[1:]))
        self.path, self.file = path, os.open(path, os.O_RDONLY)

    def take(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) of rows int64 (B,), on the device."""
        batch = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        target = batch.numpy().reshape(-1).data
        for place, row in enumerate(rows.tolist()):
            part = target[place * self.size : (place + 1) * self.size]
            if os.preadv(self.file, [part], self.offset + row * self.size) != self.size:
                raise OSError(f"row {row} of {self.path} could not be read whole")
        return batch.to(self.device, non_blocking=True)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)


class DecodedImages:
    """Images that are decoded whenever they are asked for: for data larger than the disk; slow."""

    waits = True

    def __init__(self, pictures: Any, device: torch.device) -> None:
        self.pictures = pictures
        self.shape, self.device, self.index_device = tuple(pictures.shape), device, torch.device("cpu")

    def take(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) of rows int64 (B,), on the device."""
        return to_device(torch.from_numpy(self.pictures[rows.numpy()]), self.device)


class JoinedImages:
    """Two sets of images of one size as one: rows of the second follow those of the first.

    Which of the two a row is in is looked up on the host: on the device the host would wait for the answer at every batch.
    """

    def __init__(self, first: Images, second: Images) -> None:
        self.first, self.second, self.n = first, second, first.shape[0]
        self.shape = (self.n + second.shape[0], *first.shape[1:])
        self.device, self.index_device, self.waits = first.device, torch.device("cpu"), first.waits or second.waits

    def take(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) of rows int64 (B,), on the device."""
        batch = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8, device=self.device)
        inside = rows < self.n
        for images, chosen, start in ((self.first, inside, 0), (self.second, ~inside, self.n)):
            places = chosen.nonzero().squeeze(1)
            if len(places):
                taken = images.take(to_device(rows[places] - start, images.index_device))
                batch[to_device(places, self.device)] = taken
        return batch


def open_images(images: Any, device: torch.device) -> Images:
    """The way to these pixels that suits their size and the device.

    images : uint8 array or memory map (n, H, W, C), or images that are decoded on the way (no array)
    """
    if not isinstance(images, np.ndarray):
        return DecodedImages(images, device)
    path = getattr(images, "filename", None)
    room = RESIDENT_BYTES if device.type != "cuda" else torch.cuda.mem_get_info(device)[0] // 2
    if images.nbytes > room and path is not None and hasattr(os, "preadv"):
        return FileImages(Path(path), device)
    return ResidentImages(images, device)


def read_batches(images: Images, batches: list[Tensor], change: HostChange | None = None) -> Iterator[Tensor]:
    """Pixels of each batch of rows, uint8 (B, H, W, C) on the device; read ahead by a thread where reading waits."""

    def read(rows: Tensor) -> Tensor:
        pixels = images.take(rows)
        if change is None:
            return pixels
        return to_device(torch.from_numpy(change(pixels.cpu().numpy(), rows.cpu().numpy())), images.device)

    if images.waits or change is not None:
        return prefetch(map(read, batches))
    return map(read, batches)


def prefetch(items: Iterator[Any], depth: int = 3) -> Iterator[Any]:
    """The same items, made up to `depth` in advance by a thread of their own; its errors are raised here."""
    made: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=depth)
    left = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not left.is_set():
            try:
                made.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = made.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        left.set()
        thread.join()


def to_float(pixels: Tensor, memory_format: torch.memory_format) -> Tensor:
    """uint8 (B, H, W, C) as float32 (B, C, H, W) in [0, 1]; (H, W, C) bytes are already channels-last."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=memory_format).div_(255)


def channel_statistics(
    images: Images, rows: Tensor, pixels_at_once: int = 2**24, most_rows: int = 100_000
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of the given rows, pixels in [0, 1]; std is at least 0.001.

    Of more than `most_rows` rows evenly spaced ones are taken: their mean is as good, and a pass over a large file is not
    free.
    """
    rows = rows[:: -(-len(rows) // most_rows)]
    _, height, width, channels = images.shape
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for part in rows.split(max(pixels_at_once // (height * width * channels), 1)):
        pixels = images.take(part).flatten(0, 2).float().div_(255)  # (B * H * W, C)
        total += pixels.sum(dim=0).cpu().double()
        squares += pixels.square_().sum(dim=0).cpu().double()
    mean = total / (len(rows) * height * width)
    std = (squares / (len(rows) * height * width) - mean**2).clamp(min=1e-6).sqrt()
    return mean.tolist(), std.tolist()
