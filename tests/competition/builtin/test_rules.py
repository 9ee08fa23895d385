"""The rules of built-in recipes, one by one; what they give is a recipe that the harness takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.base.errors import UserError
from harness.competition.builtin.facts import Facts, are_places, weights_at_hand
from harness.competition.builtin.rules import NAMES, built_in, suits_pretrained
from harness.competition.recipe import Recipe
from harness.competition.schema import validate
from harness.models.registry import check_model
from tests.conftest import REPOSITORY

FACTS = Facts(
    height=256,
    width=256,
    channels=3,
    rows=5_000,
    outputs=10,
    imbalance=1.2,
    task="single",
    metric="accuracy",
    columns=3,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change",
    [
        {}, {"height": 8, "width": 8, "channels": 1}, {"height": 28, "width": 28, "channels": 1, "rows": 60_000},
        {"height": 64, "width": 256}, {"rows": 300_000}, {"rows": 40}, {"task": "regression", "metric": "rmse", "outputs": 1},
        {"task": "multilabel", "metric": "samples_f1"}, {"channels": 4}, {"gpu": True}, {"weights": "package"},
        {"task": "regression", "metric": "rmse", "outputs": 4, "places": True, "height": 16, "width": 16},
    ],
)  # fmt: skip
def test_every_recipe_is_one_that_the_harness_takes(name: str, change: dict[str, object]):
    from harness.competition import find_competition

    found = validate(Recipe, {**built_in(name, replace(FACTS, **change)), "name": name}, name)
    check_model(found.model, find_competition(REPOSITORY / "competitions" / "digit-recognizer"))


def test_a_recipe_of_columns_needs_some():
    with pytest.raises(UserError, match="names no columns beside its images"):
        built_in("columns", replace(FACTS, columns=0))


def test_images_are_as_large_as_a_processor_can_pay():
    sides = [built_in("quick", replace(FACTS, rows=n))["data"]["size"][0] for n in (1_000, 20_000, 90_000, 500_000)]
    assert sides == sorted(sides, reverse=True) and sides[0] > sides[-1]
    assert built_in("strong", FACTS)["data"]["size"][0] > built_in("quick", FACTS)["data"]["size"][0]
    assert "data" not in built_in("quick", replace(FACTS, height=28, width=28))  # never enlarged
    assert built_in("quick", replace(FACTS, height=128, width=256))["data"]["size"] == [32, 64]  # the shape stays


def test_half_the_filters_for_twice_as_long_where_there_would_be_few_steps():
    plankton = replace(FACTS, height=81, width=81, channels=1, rows=24_000, outputs=121)
    quick, strong = built_in("quick", plankton), built_in("strong", plankton)
    assert quick["model"]["args"]["widths"] == [32, 64, 128] and quick["train"]["epochs"] == 20
    assert strong["model"]["args"]["widths"] == [96, 192, 384]
    for change in ({"rows": 5_000}, {"height": 28, "width": 28, "rows": 42_000}, {"gpu": True}):
        assert built_in("quick", replace(plankton, **change))["model"]["args"]["widths"] == [64, 128, 256]


def test_nothing_is_turned_or_mirrored_that_is_not_declared():
    for name in NAMES:
        found = built_in(name, FACTS)
        assert not {"horizontal_flip", "vertical_flip"} & set(found["augment"]) and found["predict"]["tta"] == [
            "identity"
        ]
        assert found["augment"].get("rotation", 0) <= 12
    declared = replace(FACTS, symmetries=("hflip", "vflip", "rot90", "rot180", "rot270"))
    found = built_in("strong", declared)
    assert (
        found["augment"]["horizontal_flip"]
        and found["augment"]["rotation"] == 180
        and len(found["predict"]["tta"]) == 6
    )


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["nose_x", "nose_y"], True),
        (["left eye X", "left eye Y", "confidence"], True),
        (["x", "y"], True),
        (["x1", "y1", "x2", "y2"], True),
        (["xmin", "ymin", "xmax", "ymax"], True),
        (["x_nose", "y_nose"], True),
        (["nose_x1", "nose_y1"], True),
        (["maxed", "mayed"], False),
        (["nose_x", "mouth_x"], False),
        (["sex", "busy", "tax"], False),
        (["nose_x", "nose_y", "a", "b", "c"], False),
        ([], False),
    ],
)
def test_places_are_known_by_their_names(names: list[str], places: bool):
    assert are_places(names) == places


@pytest.mark.parametrize("name", ["quick", "strong", "finetune"])
def test_what_would_move_places_is_left_out(name: str):
    every = ("hflip", "vflip", "rot90", "rot180", "rot270")
    facts = replace(FACTS, task="regression", metric="rmse", places=True, symmetries=every, weights="package")
    found = built_in(name, facts)
    moving = {"rotation", "shift", "zoom", "shear", "horizontal_flip", "vertical_flip"}
    assert not moving & set(found["augment"]) and found["predict"]["tta"] == ["identity"]
    assert moving & set(built_in(name, replace(facts, places=False))["augment"])
    assert not suits_pretrained(facts) and suits_pretrained(replace(facts, places=False))


def test_classes_are_balanced_only_where_the_metric_counts_them_alike():
    uneven = replace(FACTS, imbalance=50.0)
    for name in ("quick", "strong", "transfer", "finetune"):
        for metric in ("accuracy", "log_loss", "micro_f1", "weighted_f1", "mcc"):
            assert (
                not {"sampling", "logit_adjustment", "class_weights"}
                & built_in(name, replace(uneven, metric=metric))["train"].keys()
            )
        for metric in ("macro_f1", "balanced_accuracy", "recall", "fbeta", "fbeta(beta=0.5)", "f1(average=macro)"):
            found = built_in(name, replace(uneven, metric=metric))
            assert found["train"]["sampling"] == "sqrt"
            assert f"50 times the rows of the smallest, and {metric} counts classes alike" in found["description"]
            assert "sampling" not in built_in(name, replace(uneven, metric=metric, imbalance=4.9))["train"]
            assert "sampling" not in built_in(name, replace(uneven, metric=metric, task="multilabel"))["train"]


def test_probabilities_are_not_smoothed_where_they_are_judged():
    assert "label_smoothing" in built_in("quick", FACTS)["train"]
    assert "label_smoothing" not in built_in("quick", replace(FACTS, metric="log_loss"))["train"]


def test_more_rows_fewer_epochs_within_bounds():
    epochs = [built_in("quick", replace(FACTS, rows=n))["train"]["epochs"] for n in (500, 5_000, 50_000, 2_000_000)]
    assert epochs == sorted(epochs, reverse=True) and epochs[0] <= 40 and epochs[-1] == 4


def test_weights_at_hand_are_taken():
    for name in ("transfer", "finetune"):
        assert built_in(name, replace(FACTS, weights="package"))["model"]["args"]["weights"] == "package"
        assert built_in(name, FACTS)["model"]["args"]["weights"] == "pretrained"


def test_all_layers_are_trained_on_images_of_one_size_for_some_750_steps():
    def looked_at(**changes: object) -> tuple[list[int] | None, int]:
        found = built_in("finetune", replace(FACTS, **changes))
        return found.get("data", {}).get("size"), found["model"]["args"]["image_size"]

    assert looked_at() == ([128, 128], 128) and looked_at(height=256, width=200) == ([128, 100], 128)
    assert looked_at(height=32, width=32) == (
        None,
        128,
    )  # enlarged by the network, so that the decoded copy stays small
    assert looked_at(share=0.5) == ([96, 96], 96)
    few, some, more, many = (
        built_in("finetune", replace(FACTS, rows=n))["train"] for n in (1_000, 10_000, 24_000, 200_000)
    )
    assert (few["epochs"], some["epochs"], more["epochs"], many["epochs"]) == (10, 6, 5, 3)
    assert [0.8 * n * t["epochs"] / t["batch_size"] for n, t in ((10_000, some), (24_000, more))] == [750, 750]
    assert few["layer_decay"] < some["layer_decay"] == 1


def test_where_time_is_short_images_are_smaller_and_pooled_early():
    many = replace(FACTS, rows=20_000)
    whole, short = built_in("quick", many), built_in("quick", replace(many, share=0.5))
    assert max(short["data"]["size"]) == max(whole["data"]["size"]) // 2
    assert short["model"]["args"]["stem_pool"] and short["train"]["epochs"] > whole["train"]["epochs"]
    small = replace(FACTS, height=24, width=24)
    assert "data" not in built_in("quick", replace(small, share=0.5))  # already small


def test_the_hub_is_asked_only_where_that_is_wanted(monkeypatch):
    monkeypatch.delenv("HARNESS_HUB", raising=False)
    here = weights_at_hand()
    assert here in ("package", "") and weights_at_hand(gpu=True) == here
    monkeypatch.setenv("HARNESS_HUB", "1")
    assert weights_at_hand(gpu=True) == "hub" and weights_at_hand() == (here or "hub")
