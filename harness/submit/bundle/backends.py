"""What a bundle may run on: the text of its model.py, and the files beside it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError, nearest
from harness.competition import Recipe
from harness.data.files.frame import Frame

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

Files = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class Opened:
    """A run's networks, ready to predict on the CPU in fp32.

    Attributes
    ----------
    network : pixels uint8 (B, h, w, C) -> outputs float32 (B, classes): probabilities, or numbers in their own unit
    states : weights of each fold and seed, by name "fold-K" or "fold-K-seed-S", keys as `network.state_dict()`
    frame : what an image as it comes is brought to, (h, w) large
    """

    network: nn.Module
    states: dict[str, dict[str, torch.Tensor]]
    frame: Frame

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network takes."""
        return self.frame.height, self.frame.width


@dataclass(frozen=True)
class Backend:
    """A way to run networks without the harness.

    Attributes
    ----------
    texts : files of `models/` that model.py is made of, after the base
    needs : what the platform's container must have
    lacks : what it need not have; the trial takes it away
    files : (networks, about, recipe, half) -> (name, bytes) of each file; adds to `about`, which becomes bundle.json
    """

    texts: tuple[str, ...]
    needs: tuple[str, ...]
    lacks: tuple[str, ...]
    files: Callable[[Opened, dict[str, Any], Recipe, bool], Files]

    def program(self) -> str:
        """The text of model.py."""
        folder = Path(__file__).with_name("models")
        parts = []
        for name in ("base", "frame", "answering", *self.texts):
            ours = _OURS.get(name)
            text = _our_text(ours) if ours else (folder / f"{name}.py").read_text(encoding="utf-8")
            parts.append(text.replace("  # noqa: F821", ""))
        return "\n\n".join(parts)


def _torch_files(opened: Opened, about: dict[str, Any], recipe: Recipe, half: bool) -> Files:
    """The graph once, weights of every fold as plain arrays."""
    import torch

    about["weights"] = [f"{name}.npz" for name in opened.states]
    buffer = io.BytesIO()
    opened.network.load_state_dict(next(iter(opened.states.values())))
    with _explained("torch.export"), torch.no_grad():
        program = torch.export.export(opened.network, (_example(opened, about),), dynamic_shapes=_any_batch())
        torch.export.save(program, buffer)
    yield "graph.pt2", buffer.getvalue()
    for name, state in opened.states.items():
        yield f"{name}.npz", _arrays(state, half)


def _onnx_files(opened: Opened, about: dict[str, Any], recipe: Recipe, half: bool) -> Files:
    """A graph with its weights for every fold, so that the runtime may fold constants."""
    import torch

    if importlib.util.find_spec("onnxscript") is None:
        raise UserError("--backend onnx: needs onnx and onnxscript: pip install 'competition-harness[onnx]'")
    about["weights"] = [f"{name}.onnx" for name in opened.states]
    for name, state in opened.states.items():
        opened.network.load_state_dict(state)
        with _explained("torch.onnx"), torch.no_grad():
            program = torch.onnx.export(
                opened.network,
                (_example(opened, about),),
                dynamo=True,
                dynamic_shapes=_any_batch(),
                input_names=["pixels"],
                output_names=["outputs"],
                verbose=False,
            )
        assert program is not None  # of dynamo=True
        model = program.model_proto
        yield f"{name}.onnx", (_halved(model) if half else model).SerializeToString()


def _timm_files(opened: Opened, about: dict[str, Any], recipe: Recipe, half: bool) -> Files:
    """Names and numbers that timm and torch build the network from; weights as plain arrays."""
    from harness.models.backbone import Backbone, timm_arguments

    body = opened.network.network.body  # type: ignore[union-attr]  # of Predictor and Network
    if not isinstance(body, Backbone):
        raise UserError(f"--backend timm: is for model.name = 'timm', not '{recipe.model.name}'; take torch or onnx")
    args, spec = recipe.model.args, recipe.predict
    height, width = opened.size
    wanted = timm_arguments(args.get("backbone", "resnet18"), height, width, body.image_size)
    about["network"] = {"backbone": args.get("backbone", "resnet18"), "image_size": body.image_size, "args": wanted}
    about["network"]["levels"] = body.levels
    about["network"]["beside"] = [name for name in _BESIDE if hasattr(opened.network.network, name)]
    about["network"]["head"] = [_layer(layer) for layer in body.head.children()]
    weights = spec.weights or [float(len(_functions(name))) for name in spec.tta]
    about["views"] = [[name, weight / sum(weights)] for name, weight in zip(spec.tta, weights, strict=True)]
    about["combine"], about["activation"] = spec.combine, opened.network.network.activation  # type: ignore[union-attr]
    about["weights"] = [f"{name}.npz" for name in opened.states]
    for name, state in opened.states.items():
        yield f"{name}.npz", _arrays({_plain(key): tensor for key, tensor in state.items()}, half)


BACKENDS = {
    "torch": Backend(
        ("tensors", "torch"), ("torch>=2.6", "numpy", "pillow"), ("harness", "timm", "onnxruntime"), _torch_files
    ),
    "timm": Backend(
        ("tensors", "tta", "levels", "timm"),
        ("torch>=2.0", "timm>=1.0.12", "numpy", "pillow"),
        ("harness", "onnxruntime"),
        _timm_files,
    ),
    "onnx": Backend(("onnx",), ("onnxruntime>=1.18", "numpy", "pillow"), ("harness", "torch", "timm"), _onnx_files),
}


_OURS = {
    "tta": "harness.train.prediction.tta",
    "levels": "harness.models.levels",
    "frame": "harness.data.files.frame",
    "answering": "harness.competition.tasks.answering",
}
_SCALE = ("target_mean", "target_std")
_BESIDE = ("logit_shift", *_SCALE)
"""What a network may keep beside its layers, float (classes,): it travels with the weights."""


def _functions(name: str) -> Sequence[Any]:
    from harness.train.prediction.views import views_of

    return views_of(name)


def _our_text(module: str) -> str:
    """Our own views, frame and answers, as text; the import of __future__ must stand first in a file, and is not needed."""
    return inspect.getsource(importlib.import_module(module)).partition("from __future__ import annotations\n\n")[2]


def _plain(key: str) -> str:
    """Of Predictor's parameter: the name that the bundle's own Network gives it."""
    return key.removeprefix("network.").removeprefix("body.")


def _layer(layer: nn.Module) -> list[Any]:
    import torch.nn as nn

    if isinstance(layer, nn.Linear):
        return ["Linear", [layer.in_features, layer.out_features, layer.bias is not None]]
    if isinstance(layer, nn.BatchNorm1d):
        return ["BatchNorm1d", [layer.num_features, layer.eps]]
    if isinstance(layer, nn.Dropout):
        return ["Dropout", [layer.p]]
    return [type(layer).__name__, []]


def _example(opened: Opened, about: dict[str, Any]) -> torch.Tensor:
    import torch

    return torch.zeros((4, *opened.size, about["channels"]), dtype=torch.uint8)


def _any_batch() -> tuple[dict[int, Any], ...]:
    import torch

    return ({0: torch.export.Dim("batch", min=1, max=1_000_000)},)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what an exporter raises into a `UserError`; its warnings are for its own developers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # exporters raise whatever they like
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"the network cannot be exported by {what}: {said}") from error


def _arrays(state: dict[str, torch.Tensor], half: bool) -> bytes:
    buffer = io.BytesIO()
    arrays = {key: tensor.numpy() for key, tensor in state.items()}
    if half:
        arrays = {k: a.astype(np.float16) if _is_halved(k, a) else a for k, a in arrays.items()}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub: a key could be allow_pickle
    return buffer.getvalue()


def _is_halved(name: str, array: np.ndarray) -> bool:
    """Whether float16 does: numbers keep their unit as it is (prices may be larger than float16 goes)."""
    return array.dtype == np.float32 and name.rpartition(".")[2] not in _SCALE


def _halved(model: Any) -> Any:
    """The same graph with its weights kept as float16 and cast when it is loaded."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = model.graph, []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if not _is_halved(tensor.name, array) or array.size < _WORTH_HALVING:
            continue
        whole = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{whole}.half"))
        casts.append(helper.make_node("Cast", [f"{whole}.half"], [whole], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    return model


_WORTH_HALVING = 64  # numbers; single constants stay as they are


def check_backend(name: str) -> None:
    """Refuse a backend that there is none of (UserError)."""
    if name not in BACKENDS:
        raise UserError(f"--backend {name}: unknown{nearest(name, BACKENDS)}; known: {', '.join(BACKENDS)}")
