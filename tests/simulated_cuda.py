"""A pretended graphics card, so that what runs on "cuda" is rehearsed where there is none.

A tensor of the card says that it lies on cuda:0 and keeps its numbers in the host's memory; every operation is done there, and the numbers are
the CPU's, so that all a program decides by them is rehearsed too. As on a card, tensors of two devices in one operation are refused, optimisers
take their fused and foreach ways, and `torch.cuda.set_sync_debug_mode("warn")` warns wherever the host would wait; more strictly than torch, also
where a tensor is sent from memory that is not pinned. Not as on a card: kernels, rounding, memory, streams, time.

torch sees a tensor of the "meta" device, which every build of it has: its own fake tensors on "cuda" have no backward pass where torch is built
for CUDA and finds no card.
"""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("cuda:0")

aten = torch.ops.aten

READING = {
    aten._local_scalar_dense: "a number is read (item, float, int, bool, if)",
    aten.nonzero: "places are counted (nonzero)",
    aten.masked_select: "rows are picked by a mask",
    aten.equal: "two tensors are compared whole (equal)",
    aten.allclose: "two tensors are compared whole (allclose)",
    aten.bincount: "bins are counted (bincount)",
    aten._unique2: "values are counted (unique)",
    aten.unique_dim: "values are counted (unique)",
    aten.unique_consecutive: "values are counted (unique_consecutive)",
    aten.multinomial: "shares are checked (multinomial)",
    aten._linalg_check_errors: "a decomposition's errors are read",
}
"""What torch's CUDA kernels bring a number to the host for."""

_PICKING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)


class CardTensor(Tensor):
    """A tensor that says it lies on the card."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> CardTensor:
        """held : its numbers, a plain tensor of the host"""
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device="meta",
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        raise RuntimeError(f"{function} on a tensor of the pretended card, outside of simulated_cuda")

    def __deepcopy__(self, memo: dict[int, Any]) -> CardTensor:
        made = CardTensor(self.held.detach().clone()).requires_grad_(self.requires_grad)
        made._is_param = getattr(self, "_is_param", False)
        return memo.setdefault(id(self), made)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD

    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError(
            f"can't convert {CARD} device type tensor to numpy. Use Tensor.cpu() to copy it to host memory first."
        )

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"on the card: {self.held!r}"


class CardGenerator(torch.Generator):
    """torch.Generator, also of the card: that one draws the host's numbers."""

    def __new__(cls, device: torch.device | str = "cpu") -> CardGenerator:
        made = super().__new__(cls, device="cpu")
        made.of = torch.device(device).type
        return made

    @property
    def device(self) -> torch.device:
        """Where it draws."""
        return torch.device(self.of)


class _Mode(TorchDispatchMode):
    """Does each operation as a card would."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch._dynamo is imported, for seconds

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._done(function, args, kwargs or {})

    def _done(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode nothing above has taken it apart
                return function.decompose(*args, **kwargs)
        if torch.is_inference_mode_enabled():
            with torch.inference_mode(False), torch.no_grad():  # a view of a common tensor must be one too
                return self._done(function, args, kwargs)
        kind, tensors = function.overloadpacket, [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        on_card = any(isinstance(t, CardTensor) for t in tensors)
        asked = kwargs.get("device")
        to_card = on_card if asked is None else _is_card(asked)
        if not on_card and not to_card:
            pinned = kwargs.pop("pin_memory", None)
            made = function(*args, **kwargs)
            return _pinned(made) if pinned else made
        if kind in (aten._to_copy, aten.copy_):
            _look_at_copy(kind, args, kwargs, to_card)
        else:
            _look(kind, args, kwargs, tensors)
        own = {id(t.held): t for t in tensors if isinstance(t, CardTensor)}
        inner_args, inner_kwargs = tree_map(_held, (args, {**kwargs, **({"device": "cpu"} if asked else {})}))
        inner_kwargs.pop("pin_memory", None)
        found = function(*inner_args, **inner_kwargs)
        if kind is aten.copy_:
            return args[0]
        if not to_card:
            return found
        return tree_map(lambda t: _wrapped(t, own) if isinstance(t, Tensor) else t, found)


class _Functions(TorchFunctionMode):
    """What is decided before the dispatcher: pinning, generators, autocast, and which device "cuda" is."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        args, kwargs = tree_map(_numbered, (args, kwargs or {}))
        name, first = getattr(function, "__name__", ""), args[0] if args else None
        if name == "is_pinned":
            return hasattr(first, "pinned")
        if name == "pin_memory":
            if isinstance(first, CardTensor):
                raise RuntimeError("only dense CPU tensors can be pinned")
            return first if hasattr(first, "pinned") else _pinned(first.clone())
        if name == "to" and isinstance(first, CardTensor):
            return _to(first, *args[1:], **kwargs)
        if kwargs.get("generator") is not None:
            at = torch.device(kwargs.get("device") or (first.device if isinstance(first, Tensor) else "cpu")).type
            if (drawn := kwargs["generator"].device.type) != at:
                raise RuntimeError(f"Expected a '{at}' device type for generator but found '{drawn}'")
        if name in LOW_PRECISION and torch.is_autocast_enabled("cuda"):
            args, kwargs = tree_map(_lowered, (args, kwargs))
        if name == "lstm" and isinstance(first, CardTensor):
            return _lstm(*args)
        return function(*args, **kwargs)


LOW_PRECISION = (
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "linear",
    "matmul",
    "__matmul__",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "lstm",
)
"""What autocast computes in bfloat16, as far as the harness has it."""


def _numbered(value: Any) -> Any:
    return CARD if isinstance(value, str | torch.device) and str(value) == "cuda" else value


def _lowered(value: Any) -> Any:
    return (
        value.to(torch.get_autocast_dtype("cuda"))
        if isinstance(value, CardTensor) and value.is_floating_point()
        else value
    )


def _to(tensor: CardTensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    """Tensor.to of a tensor of the card; itself, where nothing is to change."""
    device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **kwargs)
    if device is not None and not _is_card(device):
        return tensor.cpu().to(dtype=dtype or tensor.dtype, memory_format=memory_format or torch.preserve_format)
    return Tensor.to(tensor, dtype or tensor.dtype, copy=copy, memory_format=memory_format or torch.preserve_format)


def _lstm(x: Tensor, states: Any, weights: Any, biased: bool, layers: int, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    """One layer of torch.nn.LSTM, batch first; of operations that every device has."""
    assert biased and layers == 1 and rest[-2:] == (False, True)  # in one direction
    (h, c), (of_x, of_h, bias_x, bias_h) = states, weights
    h, c, out = h[0], c[0], []
    for step in F.linear(x, of_x, bias_x).unbind(1):
        i, f, g, o = (step + F.linear(h, of_h, bias_h)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out, dim=1), h[None], c[None]


def _pinned(tensor: Tensor) -> Tensor:
    tensor.pinned = True  # type: ignore[attr-defined]
    return tensor


def _is_card(device: Any) -> bool:
    return torch.device(device).type in ("cuda", "meta")


def _held(value: Any) -> Any:
    return value.held if isinstance(value, CardTensor) else value


def _wrapped(held: Tensor, own: dict[int, CardTensor]) -> CardTensor:
    known = own.get(id(held))
    if known is None:
        return CardTensor(held)
    if known.shape != held.shape or known.stride() != held.stride():
        raise NotImplementedError("the pretended card has no operation that gives a tensor another shape in place")
    return known


def _look_at_copy(kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_card: bool) -> None:
    source = args[1] if kind is aten.copy_ else args[0]
    target = isinstance(args[0], CardTensor) if kind is aten.copy_ else to_card
    if isinstance(source, CardTensor) == target:
        return
    at_once = not (kwargs.get("non_blocking") or (kind is aten.copy_ and len(args) > 2 and args[2]))
    if not target:
        _wait("a tensor is brought to the host")
    elif at_once or not hasattr(source, "pinned"):
        _wait("a tensor of the host is sent" + (", and waited for" if at_once else " from memory that is not pinned"))


def _look(kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]) -> None:
    if kind in _PICKING:
        places = [i for i in args[1] if i is not None]
        tensors = [t for t in tensors if not any(t is i for i in places)]
        if not all(isinstance(i, CardTensor) for i in places):
            _wait("an index of the host is sent, and waited for")
    if any(isinstance(t, CardTensor) for t in tensors):
        for tensor in tensors:
            if not isinstance(tensor, CardTensor) and tensor.ndim:  # a single number of the host goes with any device
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, but found at least two devices, {CARD} and cpu! ({kind}, "
                    f"{tuple(tensor.shape)} of the host)"
                )
    if kind in READING:
        _wait(READING[kind])
    elif kind is aten.repeat_interleave and kwargs.get("output_size") is None:
        _wait("the length of what is repeated is read")
    elif kind in _PICKING and _picks_by_mask(kind, args):
        _wait("rows are picked by a mask")


def _picks_by_mask(kind: Any, args: tuple[Any, ...]) -> bool:
    """Putting one number where a mask says needs no places."""
    masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
    puts = kind in (aten.index_put, aten.index_put_, aten._index_put_impl_)
    fills = puts and len(masks) == len([i for i in args[1] if i is not None]) == 1 and args[2].ndim == 0
    return bool(masks) and not fills


_debug_mode = "default"


def _wait(why: str) -> None:
    if _debug_mode == "default":
        return
    frame = sys._getframe(1)
    here, library = __file__, str(Path(torch.__file__).parent)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((here, library)):
        frame = frame.f_back
    message = f"called a synchronizing CUDA operation: {why}"
    warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno)


class _Thread(threading.Thread):
    """A dispatch mode belongs to its thread: those that are started meanwhile have one too."""

    def run(self) -> None:
        with _Mode(), _Functions():
            super().run()


def _set_debug_mode(mode: str) -> None:
    global _debug_mode
    _debug_mode = mode


def _set_rng_state(state: Tensor, device: Any = None) -> None:
    torch.set_rng_state(state)


_ANSWERS: dict[str, Callable[..., Any]] = {
    "is_available": lambda: True,
    "_lazy_init": lambda: None,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda device=None: "pretended card",
    "get_device_properties": lambda device=None: SimpleNamespace(major=9, minor=0, L2_cache_size=2**25),
    "mem_get_info": lambda device=None: (2**33, 2**33),
    "is_bf16_supported": lambda including_emulation=True: True,
    "is_current_stream_capturing": lambda: False,
    "synchronize": lambda device=None: _wait("the host waits for all (synchronize)"),
    "set_sync_debug_mode": _set_debug_mode,
    "get_rng_state": lambda device=None: torch.get_rng_state(),
    "set_rng_state": _set_rng_state,
}
"""What torch.cuda says of the card."""


@contextmanager
def simulated_cuda() -> Iterator[None]:
    """As if there were a card, for as long as it lasts; only where there is none."""
    optimizer, foreach = (importlib.import_module(f"torch.{n}") for n in ("optim.optimizer", "utils._foreach_utils"))
    lifts = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(values, device=CARD) shows its transfer
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with (
            mock.patch.multiple(torch.cuda, **_ANSWERS),
            mock.patch.object(torch, "Generator", CardGenerator),
            mock.patch.object(threading, "Thread", _Thread),
            mock.patch.object(optimizer, "_foreach_supported_types", [*optimizer._foreach_supported_types, CardTensor]),
            mock.patch.object(foreach, "_foreach_supported_types", [*foreach._foreach_supported_types, CardTensor]),
            mock.patch.object(torch.backends.cudnn, "is_acceptable", lambda tensor: False),
            mock.patch.object(
                torch.accelerator, "is_available", lambda: False
            ),  # else an optimiser asks for its streams
            _Mode(),
            _Functions(),
        ):
            yield
    finally:
        torch._C._set_only_lift_cpu_tensors(lifts)
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
        _set_debug_mode("default")


def a_card() -> AbstractContextManager[None]:
    """The machine's own card, or else a pretended one."""
    return nullcontext() if torch.cuda.is_available() else simulated_cuda()


@contextmanager
def waits() -> Iterator[list[str]]:
    """Where the host waits for the card meanwhile, "file:line: why" each; filled in at the end."""
    places: list[str] = []
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
            said = [w for w in found if "called a synchronizing" in str(w.message)]
            places += [f"{w.filename}:{w.lineno}: {w.message}" for w in said]


def growing_waits(work: Callable[[int], object], few: int, many: int) -> list[str]:
    """Where the host waits when work(many) is done and not when work(few) is: in the loop, that is. What is done once is done first."""
    work(few)
    with waits() as of_few:
        work(few)
    with waits() as of_many:
        work(many)
    return list((Counter(of_many) - Counter(of_few)).elements())
