"""timm backbones: heads, weights from a file, and errors that name the way out; never silently from scratch."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from harness.base.errors import UserError
from harness.models.backbone import new_head, timm_model
from harness.models.weights import weights_digest


def built(**args) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm_model(32, 32, 3, 4, **({"backbone": "resnet18"} | args))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole resnet18 as timm would save it, classifier and all."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(timm.create_model("resnet18", num_classes=1000).state_dict(), path)
    return path


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "efficientnet_b0", "vgg11_bn", "vit_tiny_patch16_224"])
def test_any_backbone_takes_small_images(name: str):
    network = timm_model(32, 32, 3, 4, backbone=name, head=[16, 8], dropout=0.1).eval()
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    linear = [m for m in network.head if isinstance(m, torch.nn.Linear)]
    assert [m.out_features for m in linear] == [16, 8, 4]


def test_images_are_brought_to_the_size_asked_for():
    seen = []
    network = built(image_size=64).eval()
    network.backbone.register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape)))
    network(torch.rand(2, 3, 32, 32))
    assert seen == [(2, 3, 64, 64)]


def test_weights_come_from_a_safetensors_file_and_fresh_is_the_head_only(weights: Path):
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    network = built(weights=str(weights), weights_sha256=sha256)
    source = timm.create_model("resnet18", num_classes=1000)
    from safetensors.torch import load_file

    source.load_state_dict(load_file(weights))
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name]), name
    assert network.normalisation == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert built().normalisation is None
    assert weights_digest({"weights": str(weights)}) == sha256 and weights_digest({"weights": "pretrained"}) == ""


def test_grey_images_get_the_first_kernels_summed_over_colours(weights: Path):
    network = timm_model(32, 32, 1, 4, backbone="resnet18", weights=str(weights))
    color = built(weights=str(weights))
    torch.testing.assert_close(network.backbone.conv1.weight, color.backbone.conv1.weight.sum(1, keepdim=True))
    assert len(network.normalisation[0]) == 1


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_images_of_any_channels_have_a_normalisation_of_as_many(weights: Path, channels: int):
    network = timm_model(32, 32, channels, 4, backbone="resnet18", weights=str(weights))
    mean, std = network.normalisation
    assert len(mean) == len(std) == channels and set(mean) == {sum([0.485, 0.456, 0.406]) / 3}


def test_other_weights_are_refused_with_the_keys(weights: Path):
    with pytest.raises(UserError, match=r"do not fit 'resnet34'.*\n.*layer\d"):
        built(backbone="resnet34", weights=str(weights))


def test_a_wrong_checksum_a_missing_file_and_a_pickle_are_refused(weights: Path, tmp_path: Path):
    with pytest.raises(UserError, match="its SHA-256 is [0-9a-f]{64}, the recipe says abc"):
        built(weights=str(weights), weights_sha256="abc")
    with pytest.raises(UserError, match="none.safetensors: not there"):
        built(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(UserError, match=r"must be 'scratch', 'pretrained' or a .safetensors file"):
        built(weights=str(tmp_path / "weights.pth"))
    (tmp_path / "broken.safetensors").write_bytes(b"\x08")
    with pytest.raises(UserError, match="broken.safetensors: these weights do not fit"):
        built(weights=str(tmp_path / "broken.safetensors"))


def test_without_network_the_three_ways_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The hub is a port of this machine that nobody listens on."""
    import huggingface_hub.constants

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"could not be fetched(.|\n)*1\. run once(.|\n)*HF_HOME(.|\n)*3\. name a file"):
        built(weights="pretrained")


def test_a_backbone_without_weights_names_relatives_that_have_some():
    with pytest.raises(UserError, match="timm has no pretrained weights for 'convnext_zepto_rms_ols'|it has"):
        name = next(n for n in timm.list_models() if not (c := timm.get_pretrained_cfg(n)) or not c.has_weights)
        built(backbone=name, weights="pretrained")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="timm has no model 'resnet81'; the nearest: resnet18"):
        built(backbone="resnet81")


def test_a_head_alone_is_the_one_of_the_whole_model():
    args = {"head": [16], "head_batch_norm": False, "dropout": 0.5}
    assert str(new_head(512, 4, args)) == str(built(**args).head)
