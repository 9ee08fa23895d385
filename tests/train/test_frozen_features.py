"""Features are what the backbone gives for each view; a stopped computation goes on and ends with the same."""

from __future__ import annotations

from pathlib import Path

import filelock
import numpy as np
import pytest
import torch

from harness.base.errors import UserError
from harness.competition import Recipe
from harness.competition.augment_spec import AugmentSpec
from harness.competition.recipe import FeatureSpec, ModelSpec, PredictSpec
from harness.models.backbone import timm_model
from harness.models.network import Network
from harness.train import frozen_features as features
from harness.train.frozen_features import FeatureStore, check_features, compute_features, features_ticks
from harness.train.inputs.network_inputs import FeatureInputs, open_features
from harness.train.inputs.pixels import ResidentImages
from harness.train.precision import Layout

CPU, PLAIN = torch.device("cpu"), Layout("fp32", False)
PIXELS = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)


def recipe(**changes) -> Recipe:
    settings = {
        "model": ModelSpec(name="timm", args={"backbone": "convnext_atto"}),
        "augment": AugmentSpec(shift=0.2, horizontal_flip=0.5),
        "predict": PredictSpec(tta=("identity", "hflip"), batch_size=3),
        "features": FeatureSpec(views=3),
    }
    return Recipe(name="x", **(settings | changes))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(timm_model(32, 32, 3, 4, backbone="convnext_atto"), [0.5] * 3, [0.25] * 3, 4)


def computed(network: Network, store: FeatureStore) -> list[int]:
    ticks: list[int] = []
    train, test = ResidentImages(PIXELS, CPU), ResidentImages(PIXELS[:4], CPU)
    compute_features(network, train, test, recipe(), PLAIN, store, 1, ticks.append)
    return ticks


def test_views_are_the_backbones_features(network: Network, tmp_path: Path):
    store = FeatureStore(tmp_path / "store")
    assert sum(computed(network, store)) == features_ticks(recipe(), 10, 4) == 10 * 5 + 4 * 2
    train, looks, test = map(open_features, (store.train, store.predict, store.test))
    assert train.shape[:2] == (3, 10) and looks.shape[:2] == (2, 10) and test.shape[:2] == (2, 4)
    x = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        plain, mirrored = (network.body.features((v - 0.5) / 0.25).numpy() for v in (x, x.flip(3)))
    np.testing.assert_allclose(train[0], plain, atol=2e-3)
    np.testing.assert_allclose(looks, [plain, mirrored], atol=2e-3)
    np.testing.assert_allclose(test, looks[:, :4], atol=1e-3)
    assert not np.allclose(train[1], train[2]) and not np.allclose(train[0], train[1])
    assert computed(network, store) == []  # it stands


def test_each_batch_is_told(network: Network, tmp_path: Path):
    ticks: list[int] = []
    spec = recipe(predict=PredictSpec(batch_size=4))
    compute_features(
        network, ResidentImages(PIXELS, CPU), None, spec, PLAIN, FeatureStore(tmp_path / "s"), 1, ticks.append
    )
    assert ticks == [16, 16, 8] and sum(ticks) == features_ticks(spec, 10, 0)


def test_a_stopped_computation_goes_on(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(features, "_CHUNK", 4)
    whole, broken = FeatureStore(tmp_path / "whole"), FeatureStore(tmp_path / "broken")
    computed(network, whole)

    def stop(n: int, seen: list[int] = []) -> None:  # noqa: B006 - it counts its calls
        seen.append(n)
        if len(seen) == 4:  # chunks of two batches
            raise KeyboardInterrupt

    images = ResidentImages(PIXELS, CPU)
    with pytest.raises(KeyboardInterrupt):
        compute_features(network, images, images, recipe(), PLAIN, broken, 1, stop)
    chunks = sorted(broken.folder.glob("chunk-*"))
    assert len(chunks) == 2 and not broken.complete
    stamp = chunks[0].stat().st_mtime_ns
    before = open_features(chunks[0]).copy()
    computed(network, broken)
    assert broken.complete and not list(broken.folder.glob("chunk-*")) and stamp
    np.testing.assert_array_equal(open_features(broken.train), open_features(whole.train))
    np.testing.assert_array_equal(open_features(broken.train)[:, :4], before[:3])


def test_of_two_processes_the_second_waits_and_takes_what_the_first_made(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(features, "_BEAT", 0.01)
    store, images, ticks = FeatureStore(tmp_path), ResidentImages(PIXELS, CPU), []
    first = filelock.FileLock(tmp_path / ".lock")
    first.acquire()

    def tick(n: int) -> None:
        ticks.append(n)
        if len(ticks) == 2:
            (tmp_path / "complete.json").write_text("{}")
            first.release()

    compute_features(network, images, None, recipe(), PLAIN, store, 1, tick)
    assert set(ticks) == {0} and not list(tmp_path.glob("*.npy"))
    assert capsys.readouterr().err.count("another process computes these features") == 1


def test_the_store_is_named_after_everything_that_changes_it(tmp_path: Path):
    def key(played: Recipe, fingerprint: str = "f", weights: str = "w", precision: str = "fp32") -> str:
        return FeatureStore.of(tmp_path, played, fingerprint, weights, precision).folder.name

    base = key(recipe())
    others = [
        key(recipe(), fingerprint="g"),
        key(recipe(), weights="v"),
        key(recipe(), precision="bf16"),
        key(recipe(augment=AugmentSpec(shift=0.3))),
        key(recipe(features=FeatureSpec(views=2))),
        key(recipe(predict=PredictSpec())),
        key(recipe(model=ModelSpec(name="timm", args={"backbone": "resnet18"}))),
    ]
    assert len({base, *others}) == 8
    head = ModelSpec(name="timm", args={"backbone": "convnext_atto", "head": [64], "dropout": 0.3})
    assert key(recipe(model=head)) == base  # heads may differ: the features are shared


def test_training_draws_views_and_prediction_sees_its_own(tmp_path: Path):
    stored = np.arange(3 * 5 * 2).reshape(3, 5, 2).astype(np.float16)
    inputs = FeatureInputs(stored, stored[:2], [0.5, 0.5], CPU, seed=0)
    rows = torch.tensor([4, 1])
    seen = {tuple(x[0].tolist()) for _ in range(50) for x in inputs.training([rows], 1)}
    assert seen == {tuple(view[4].tolist()) for view in stored}
    plain = next(iter(inputs.plain([rows])))
    np.testing.assert_array_equal(plain.numpy(), stored[0, [4, 1]])
    assert [v.tolist() for v in next(iter(inputs.views([rows])))] == [stored[t, [4, 1]].tolist() for t in (0, 1)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": ModelSpec(name="cnn")}, r"\[features\] needs a backbone: model.name = 'timm', not 'cnn'"),
        ({"augment": AugmentSpec(mixup=0.2)}, "augment.mixup mixes images"),
    ],
)
def test_what_features_do_not_allow(changes: dict, said: str):
    with pytest.raises(UserError, match=said):
        check_features(recipe(**changes))
