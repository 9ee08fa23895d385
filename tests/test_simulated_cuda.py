"""What would fail or wait on a graphics card does so on the pretended one, and the rest is what the CPU computes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tests.simulated_cuda import CARD, CardTensor, growing_waits, simulated_cuda, waits

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real card")


@pytest.fixture(autouse=True)
def pretended():
    with simulated_cuda():
        yield


def on_card(*shape: int) -> Tensor:
    return torch.arange(float(np.prod(shape)), device="cuda").view(shape)


MIXED: dict[str, Callable[[Tensor], object]] = {
    "added": lambda x: x + torch.ones(4, 3),
    "added to a tensor of the host": lambda x: torch.ones(4, 3) + x,
    "in place": lambda x: x.mul_(torch.ones(3)),
    "weights left on the host": lambda x: nn.Linear(3, 2)(x),
    "a list": lambda x: torch.cat([x, torch.zeros(1, 3)]),
    "targets": lambda x: F.cross_entropy(x, torch.zeros(4, dtype=torch.long)),
    "rows": lambda x: x.index_select(0, torch.tensor([1, 0])),
    "in inference mode": lambda x: torch.inference_mode()(lambda: F.linear(x, torch.ones(2, 3)))(),
    "a generator of the host": lambda x: torch.rand(3, generator=torch.Generator(), device="cuda"),
    "a generator of the card": lambda x: torch.randperm(3, generator=torch.Generator("cuda")),
    "an optimiser that was there before the network moved": lambda x: moved_behind_its_optimiser(x),
}


def moved_behind_its_optimiser(x: Tensor) -> None:
    network = nn.Linear(3, 2)
    average = [p.detach().clone() for p in network.parameters()]
    torch._foreach_lerp_(average, [p.detach() for p in network.to("cuda").parameters()], 0.1)


@pytest.mark.parametrize("fault", MIXED)
def test_tensors_of_two_devices_are_refused(fault: str):
    with pytest.raises(RuntimeError, match="same device|device type for generator"):
        MIXED[fault](on_card(4, 3))


def test_what_lies_on_the_card_is_no_array():
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        on_card(3).numpy()
    with pytest.raises(TypeError, match="can't convert"):
        np.asarray(on_card(3))


WAITING: dict[str, Callable[[Tensor], object]] = {
    "item": lambda x: x[0].item(),
    "float": lambda x: float(x.mean()),
    "int": lambda x: int(x.argmax()),
    "if": lambda x: 1 if (x > 2).any() else 0,
    "cpu": lambda x: x.cpu(),
    "to the host": lambda x: x.to("cpu"),
    "to the host, not waited for": lambda x: x.to("cpu", non_blocking=True),
    "tolist": lambda x: x.tolist(),
    "copied into a tensor of the host": lambda x: torch.zeros(12).copy_(x),
    "nonzero": lambda x: x.nonzero(),
    "a mask": lambda x: x[x > 2],
    "masked_select": lambda x: x.masked_select(x > 2),
    "put by a mask": lambda x: x.__setitem__(x > 2, on_card(9)),
    "unique": lambda x: x.unique(),
    "bincount": lambda x: torch.bincount(x.long()),
    "repeat_interleave": lambda x: x.repeat_interleave(x.long()),
    "equal": lambda x: torch.equal(x, x + 1),
    "allclose": lambda x: torch.allclose(x, x + 1),
    "a host-made tensor": lambda x: x + torch.tensor([2.0] * 12, device="cuda"),
    "a host-made tensor, sent": lambda x: x + torch.ones(12).to("cuda"),
    "a host-made tensor, not waited for, not pinned": lambda x: x + torch.ones(12).to("cuda", non_blocking=True),
    "a host-made tensor, pinned and waited for": lambda x: x + torch.ones(12).pin_memory().to("cuda"),
    "copied from a tensor of the host": lambda x: x.copy_(torch.ones(12)),
    "rows by an index of the host": lambda x: x[torch.tensor([1, 0])],
    "synchronize": lambda x: torch.cuda.synchronize(),
    "in inference mode": lambda x: torch.inference_mode()(x.sum().item)(),
    "in a thread": lambda x: in_a_thread(x.tolist),
}


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("fault", WAITING)
def test_waiting_for_the_card_is_told_with_its_place(fault: str):
    x = on_card(12)
    with waits() as places:
        WAITING[fault](x)
    assert len(places) == 1
    assert places[0].startswith(__file__) or fault == "in a thread", places


def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor) -> Tensor:
    with torch.autocast("cuda", torch.bfloat16):
        loss = network(x).float().square().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


SILENT: dict[str, Callable[[Tensor], object]] = {
    "pinned": lambda x: x + torch.ones(12).pin_memory().to("cuda", non_blocking=True),
    "made there": lambda x: x + torch.zeros(12, device="cuda") + torch.zeros_like(x) + x.new_ones(12),
    "drawn there": lambda x: x + torch.rand(12, generator=torch.Generator("cuda").manual_seed(1), device="cuda"),
    "a number of the host": lambda x: x * 2.0 + torch.tensor(1.0),
    "where": lambda x: torch.where(x > 2, x, 0.0),
    "filled by a mask": lambda x: x.__setitem__(x > 2, 0.0),
    "rows by an index of the card": lambda x: x[torch.arange(3, device="cuda")],
    "where it lies": lambda x: x.to("cuda").to(torch.device("cuda:0"), non_blocking=True),
    "one_hot": lambda x: F.one_hot(x.long(), 12),
}


@pytest.mark.parametrize("right", SILENT)
def test_what_waits_for_nothing_is_not_blamed(right: str):
    x = on_card(12)
    with waits() as places:
        SILENT[right](x)
    assert not places


@pytest.mark.parametrize("planted", [False, True])
@pytest.mark.parametrize("kind", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_a_wait_in_a_loop_of_training_is_found(kind: str, planted: bool):
    def train(steps: int) -> None:
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).to(
            "cuda"
        )
        optimizer = getattr(torch.optim, kind)(network.parameters(), 0.01)
        for _ in range(steps):
            loss = step(network, optimizer, torch.rand(2, 3, 4, 4, device="cuda"))
            if planted and not loss < 100:
                raise AssertionError
        float(loss)

    found = growing_waits(train, 1, 3)
    assert len(found) == (2 if planted else 0), found


def test_the_numbers_are_the_cpus():
    torch.manual_seed(0)
    host = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    there, x = copy.deepcopy(host).to("cuda"), torch.rand(2, 3, 4, 4)
    for network, batch in ((host, x), (there, x.to("cuda"))):
        network(batch).square().mean().backward()
    assert all(isinstance(p, CardTensor) and isinstance(p, nn.Parameter) for p in there.parameters())
    for ours, wanted in zip(there.parameters(), host.parameters(), strict=True):
        assert ours.device == ours.grad.device == CARD and torch.equal(ours.grad.cpu(), wanted.grad)
    assert torch.equal(there[1].running_mean.cpu(), host[1].running_mean)


def test_autocast_lowers_what_it_lowers_on_a_card():
    x, layer = on_card(4, 3), nn.Linear(3, 2).to("cuda")
    with torch.autocast("cuda", torch.bfloat16):
        assert layer(x).dtype == (x @ x.T).dtype == torch.bfloat16 and (x + 1).dtype == torch.float32
    assert layer(x).dtype == torch.float32


def test_an_lstm_says_what_torchs_own_says():
    torch.manual_seed(0)
    host, x = nn.LSTM(3, 5, batch_first=True), torch.rand(2, 4, 3)
    wanted = host(x)[0]
    torch.testing.assert_close(host.to("cuda")(x.to("cuda"))[0].cpu(), wanted)
