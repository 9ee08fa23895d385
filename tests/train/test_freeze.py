"""What is frozen is counted from the end, in layers or in timm's blocks; the head always learns."""

from __future__ import annotations

import pytest
import torch

from harness.base.errors import UserError
from harness.competition.train_spec import TrainSpec
from harness.models.backbone import timm_model
from harness.models.network import Network
from harness.train.freeze import blocks, frozen_names, set_mode


def network() -> Network:
    return Network(timm_model(32, 32, 3, 4, backbone="resnet18", head=[8]), [0.0] * 3, [1.0] * 3, 4)


def trained_names(**spec) -> list[str]:
    model = network()
    frozen = frozen_names(model, TrainSpec(**spec))
    return [name for name, _ in model.named_parameters() if name not in frozen]


def test_nothing_is_frozen_unasked():
    assert frozen_names(network(), TrainSpec()) == set()


def test_no_layers_is_the_head_alone():
    for spec in ({"freeze_layers": 0}, {"freeze_blocks": 0}):
        assert {name.split(".")[1] for name in trained_names(**spec)} == {"head"}


def test_last_layers_and_last_blocks():
    last = trained_names(freeze_layers=5)  # three of the head, then batch norm and convolution
    assert next(n for n in last if ".backbone." in n) == "body.backbone.layer4.1.conv2.weight"
    blocks_of_two = {".".join(n.split(".")[2:4]) for n in trained_names(freeze_blocks=2) if ".backbone." in n}
    assert blocks_of_two == {"layer4.0", "layer4.1"}


def test_blocks_cover_every_parameter_once():
    model = network()
    names = [name for block in blocks(model) for name in block]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters()) and len(blocks(model)) == 10


def test_too_many_layers_is_an_error():
    with pytest.raises(UserError, match="train.freeze_blocks = 50: the network has only 10"):
        trained_names(freeze_blocks=50)


def test_frozen_batch_norms_predict_and_the_rest_trains():
    model = network()
    set_mode(model, frozen_names(model, TrainSpec(freeze_blocks=1)))
    backbone = model.body.backbone
    assert not backbone.bn1.training and backbone.layer4[1].bn2.training and model.body.head.training
    assert not backbone.bn1.weight.requires_grad and backbone.layer4[1].bn2.weight.requires_grad
    set_mode(model, set())
    assert backbone.bn1.training and all(p.requires_grad for p in model.parameters())
    assert isinstance(backbone.bn1, torch.nn.BatchNorm2d)
