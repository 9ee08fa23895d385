"""A recipe: how we play a competition. One TOML file under recipes/, every key documented here, resolved to JSON."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from harness.base.errors import UserError, nearest
from harness.base.places.home import from_here
from harness.competition.augment_spec import AugmentSpec
from harness.competition.cluster_spec import ClusterSpec, ImageSpec, TextSpec
from harness.competition.schema import Frozen, Later, read_toml, validate
from harness.competition.train_spec import TrainSpec
from harness.competition.tune_spec import SpaceSpec

Strings = Annotated[tuple[str, ...], Field(strict=False)]
Side = Annotated[int, Field(ge=1, le=65_536)]
Resize = Literal["stretch", "fit", "cover", "scale"]
Fill = Literal["edge", "mean", "constant", "reflect"]
Share = Annotated[float, Field(gt=0.0, le=1.0)]

_MOST_PIXELS = 89_478_485
"""Of one image: Pillow's limit against decompression bombs, 268 MB in RGB."""


def image_that_fits(size: tuple[int, int]) -> tuple[int, int]:
    """The size, where an image of it can be held (ValueError)."""
    if size[0] * size[1] > _MOST_PIXELS:
        raise ValueError(
            f"{size[0]:,} x {size[1]:,} pixels are more than an image may have ({_MOST_PIXELS:,}); lower it"
        )
    return size


BOOSTING = "boosting"
"""The model that is trees and no network."""


class ModelSpec(Frozen):
    """[model]: which network; its own arguments stand under [model.args] and are checked by the registry."""

    name: str
    """A name of `harness.models.registry`, or 'custom' for the competition's own `build_model`."""
    args: dict[str, Any] = Field(default={})
    """Keyword arguments of that model, e.g. filters, dropout."""

    @model_validator(mode="before")
    @classmethod
    def _pretrained_is_short_for_weights(cls, values: Any) -> Any:
        """`pretrained = false` is args.weights = "scratch", `pretrained = true` is args.weights = "pretrained"."""
        if not isinstance(values, dict) or "pretrained" not in values:
            return values
        if not isinstance(values["pretrained"], bool):
            raise ValueError("pretrained must be true or false; a file stands in args.weights")
        rest = {key: value for key, value in values.items() if key != "pretrained"}
        weights = "pretrained" if values["pretrained"] else "scratch"
        return {**rest, "args": {**rest.get("args", {}), "weights": weights}}


def check_framing(resize: str | None, fill: str | None, fits: float | None) -> None:
    """Refuse keys that would do nothing (ValueError); None: not given."""
    if fill is not None and resize in ("stretch", "cover"):
        raise ValueError(
            f"fill is for resize = 'fit' or 'scale'; with '{resize}' there is nothing to fill. Take it out"
        )
    if fits is not None and resize not in (None, "scale"):
        raise ValueError(f"fits is for resize = 'scale', not '{resize}'. Take it out")


class DataChoice(Later):
    """[data]: which of the competition's data, at which size, and how they are brought to it."""

    later: ClassVar[tuple[str, ...]] = ("resize", "fill", "fits", "columns")

    set: str = ""
    """One of the competition's [sets.NAME]; "" = its own [data]."""
    size: Annotated[tuple[Side, Side], Field(strict=False)] | None = None
    """Height and width that images are brought to before anything else; default: the competition's. Rows, folds and
    fingerprint stay, so runs of several sizes can be compared and blended."""
    resize: Resize | None = None
    """How images are brought to it, as the competition's data.resize; default: the competition's. Files are decoded anew; rows, folds
    and fingerprint stay."""
    fill: Fill | None = None
    """As the competition's data.fill; default: the competition's."""
    fits: Share | None = None
    """As the competition's data.fits; default: the competition's."""
    columns: bool = True
    """Whether models get the columns that the competition declares (its `data.features`); false leaves them out."""

    @field_validator("size")
    @classmethod
    def _an_image_that_fits(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        return None if size is None else image_that_fits(size)

    @model_validator(mode="after")
    def _keys_that_do_something(self) -> DataChoice:
        check_framing(self.resize, self.fill, self.fits)
        return self


class CvSpec(Frozen):
    """[cv]: the folds."""

    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Number of folds k."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the split. Runs can only be compared and blended when they share folds: change it rarely."""


class PredictSpec(Frozen):
    """[predict]: how one image is scored; the same for OOF and for test."""

    tta: Strings = ("identity",)
    """Views that are scored and combined; see `harness.train.prediction.views`: identity, hflip, vflip, rot90, rot180, rot270, shiftN (four
    shifts by N pixels), diagonalN (the four diagonal ones), five_crop, scaleP (zoomed to P percent), brightnessP."""
    combine: Literal["probability", "logit", "rank", "max"] = "probability"
    """What is averaged over the views: probabilities, logits, or each class's rank among a view's rows; max: the surest."""
    weights: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)] = ()
    """Weight of each entry of tta (shared by its views), scaled to sum to one. Default: every view the same."""
    across_folds: Literal["mean", "vote"] = "mean"
    """How the folds' models make a test prediction together: mean of their probabilities, or majority vote (each model's
    class has one vote; ties go to the class with the higher mean probability; of labels each is given by more than half, of
    grades the median one)."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 250
    """Images per forward pass; larger is hardly faster on a CPU and takes more memory."""

    @model_validator(mode="after")
    def _a_weight_for_each(self) -> PredictSpec:
        if self.weights and len(self.weights) != len(self.tta):
            raise ValueError(f"weights has {len(self.weights)} values for {len(self.tta)} entries of tta")
        return self


class FeatureSpec(Frozen):
    """[features]: the backbone stays as it is and is run once; heads of all folds learn on what it gave."""

    views: Annotated[int, Field(ge=1, le=1000)] = 4
    """Views of each training image that are kept: the image itself, and views - 1 augmented ones."""


class PseudoSpec(Frozen):
    """[pseudo]: confident test rows join the training rows, labelled by a finished run on the same folds, fold by fold."""

    run: str
    """Name of that run, beside this one in oof/<slug>/."""
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """A test row joins where the run's model of the same fold is at least so sure."""

    @model_validator(mode="after")
    def _a_name_only(self) -> PseudoSpec:
        if not self.run or Path(self.run).name != self.run:
            raise ValueError(f"run must be a run's name, not '{self.run}'")
        return self


class Recipe(Frozen):
    """How we play: model, augmentation, optimisation, folds, prediction. `load_recipe` reads it."""

    name: str
    """File name without .toml; set by the loader."""
    description: str = ""
    """One line for tables and reports."""
    answers_to: str = ""
    """The published figure that this recipe reproduces or beats, with its source."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of weights, order and augmentation; fold and seed-bagging index are mixed in."""
    data: DataChoice = DataChoice()
    model: ModelSpec
    augment: AugmentSpec = AugmentSpec()
    train: TrainSpec = TrainSpec()
    cv: CvSpec = CvSpec()
    predict: PredictSpec = PredictSpec()
    features: FeatureSpec | None = None
    """Table: train heads on features of a frozen backbone, computed once."""
    pseudo: PseudoSpec | None = None
    """Table: learn from confident test rows too, without a leak."""
    tune: dict[str, SpaceSpec] = Field(default={})
    """Table: keys of this recipe and the values that `harness.tune` tries for them; no part of what is trained."""
    clusters: ClusterSpec | None = None
    """Table: the competition has no labels; clusters make them."""
    text: TextSpec | None = None
    """Table: how captions are read."""
    image: ImageSpec | None = None
    """Table, beside [clusters]: the frozen backbone that images are seen through."""

    @model_validator(mode="after")
    def _captions_and_clusters(self) -> Recipe:
        if self.clusters is None and (self.text or self.image):
            raise ValueError("[text] and [image] are for a recipe with [clusters]")
        if self.clusters is not None and self.train.balances:
            key = "sampling" if self.train.sampling != "uniform" else "logit_adjustment"
            raise ValueError(
                f"train.{key} makes up for unequal classes, and the classes of [clusters] are made: take it out"
            )
        return self

    def digest(self) -> str:
        """First 8 hex digits of a hash of everything that changes the result (not of name and comments)."""
        content = self.model_dump(mode="json", exclude={"name", "description", "answers_to", "tune"})
        if content["train"]["loss"] == "auto":
            content["train"]["loss"] = "cross_entropy"  # as it was called while there was one task only
        for table in ("pseudo", "clusters", "text", "image"):
            if content[table] is None:
                del content[table]  # runs from before there was such a table keep their names
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def load_recipe(folder: Path, name: str, overrides: list[str] | None = None) -> Recipe:
    """Read `folder`/recipes/`name`.toml and apply `--set` overrides; both are checked by the same schema.

    Raises
    ------
    UserError
        If there is no such recipe (lists those there are), or a key or value is wrong (names file, key, nearest key).
    """
    path = from_here(recipe_path(folder, name))
    if not path.is_file():
        known = ", ".join(recipe_names(folder)) or "none"
        raise UserError(
            f"{path}: no such recipe{nearest(name, [*recipe_names(folder), *BUILT_IN])}. Recipes of {folder.name}: {known}; built in: "
            f"{', '.join(BUILT_IN)}."
        )
    values = read_toml(path)
    if "name" in values:
        raise UserError(f"{path}: name: unknown key; a recipe is named after its file")
    return recipe_of(path.stem, values, overrides, str(path))


def recipe_path(folder: Path, name: str) -> Path:
    """Where a recipe's file is, or would be: by its name, or by its own path where it ends in .toml."""
    return Path(name) if name.endswith(".toml") else folder / "recipes" / f"{name}.toml"


def recipe_of(name: str, values: dict[str, Any], overrides: list[str] | None, where: str) -> Recipe:
    """A recipe of a file's values with `--set` overrides; `where` in words.

    Raises
    ------
    UserError
        If a key or value is wrong.
    """
    validate(Recipe, {**values, "name": name}, where)  # so that a mistake is blamed on the file it stands in
    for override in overrides or []:
        _set(values, override)
    if "name" in values:
        raise UserError("--set name: a recipe is named after its file; copy the file to name it otherwise")
    where = f"{where} with --set " + " --set ".join(overrides) if overrides else where
    return validate(Recipe, {**values, "name": name}, where)


BUILT_IN = ("quick", "strong", "transfer", "finetune", "columns")
"""Recipes by rule (`harness.competition.builtin`), for a competition that has no file of the name."""
PRETRAINED = ("transfer", "finetune")
"""Those of them that are timm's networks."""


def recipe_names(folder: Path) -> list[str]:
    """Names of a competition's recipes, sorted."""
    return sorted(path.stem for path in (folder / "recipes").glob("*.toml"))


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UserError(f"--set {override}: write it as KEY=VALUE, e.g. --set train.epochs=3")
    for part in parts[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {override}: '{part}' is a value, not a table")
    values[parts[-1]] = _parse(text.strip())


def _parse(text: str) -> Any:
    """A TOML value; what is none (a bare word) is a string, so that quotes need not survive the shell."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
