"""A recipe: how we play a competition. One TOML file under recipes/, every key documented here, resolved to JSON."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.base.errors import UserError
from harness.competition.schema import Frozen, read_toml, validate

Probability = Annotated[float, Field(ge=0, le=1)]
Strings = Annotated[tuple[str, ...], Field(strict=False)]


class ModelSpec(Frozen):
    """[model]: which network; its own arguments stand under [model.args] and are checked by the registry."""

    name: str
    """A name of `harness.models.registry`, or 'custom' for the competition's own `build_model`."""
    args: dict[str, Any] = Field(default={})
    """Keyword arguments of that model, e.g. filters, dropout."""


class AugmentSpec(Frozen):
    """[augment]: random changes of a training image, drawn per image. Zero switches a change off."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Degrees, uniform in [-rotation, rotation]."""
    shift: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the side, uniform in both directions, along each axis."""
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    """Degrees, uniform in [-shear, shear], along x."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Factor uniform in [1 - zoom, 1 + zoom], along each axis on its own."""
    elastic: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Elastic distortion: standard deviation of the displacement at a lattice point, in pixels."""
    elastic_cells: Annotated[int, Field(ge=2, le=64)] = 5
    """Lattice points of the elastic field along each side; fewer is smoother."""
    horizontal_flip: Probability = 0.0
    """Probability of a left-right mirror."""
    vertical_flip: Probability = 0.0
    """Probability of an up-down mirror."""
    cutout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Side of one black square per image, as a fraction of the shorter side."""

    @property
    def warps(self) -> bool:
        """Whether any change needs the image to be resampled."""
        return any((self.rotation, self.shift, self.shear, self.zoom, self.elastic))


class TrainSpec(Frozen):
    """[train]: the optimisation of one model."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Passes over the training rows."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Images per step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """sgd has Nesterov momentum 0.9."""
    lr: Annotated[float, Field(gt=0, le=100)] = 1e-3
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Applied to matrices and kernels, never to biases and batch-norm parameters."""
    schedule: Literal["constant", "cosine", "one_cycle", "step"] = "constant"
    """one_cycle: linear rise over the first `warmup`, then cosine to zero; cosine: the same fall; step: see step_*."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Fraction of all steps that a one_cycle rise takes."""
    step_epochs: Annotated[int, Field(ge=1)] = 5
    """schedule = "step": epochs between two reductions."""
    step_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """schedule = "step": what the learning rate is multiplied by."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread over all classes."""
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of the gradient; 0 = no clipping."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of an exponential moving average of the weights, which then predicts; 0 = off."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Models per fold, which differ in their seed only; their probabilities are averaged (seed bagging)."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: the faster of the two by a short timing, kept per model and device."""
    channels_last: Literal["auto"] | bool = "auto"
    """Memory layout; auto as above."""


class CvSpec(Frozen):
    """[cv]: the folds."""

    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Number of folds k."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the split. Runs can only be compared and blended when they share folds: change it rarely."""


class PredictSpec(Frozen):
    """[predict]: how one image is scored; the same for OOF and for test."""

    tta: Strings = ("identity",)
    """Views whose probabilities are averaged: identity, hflip, vflip, rot90, rot180, rot270, shift1 (four shifts by
    one pixel; shift2 by two), diagonal1 (the four diagonal ones)."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 250
    """Images per forward pass; larger is hardly faster on a CPU and takes more memory."""


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
    model: ModelSpec
    augment: AugmentSpec = AugmentSpec()
    train: TrainSpec = TrainSpec()
    cv: CvSpec = CvSpec()
    predict: PredictSpec = PredictSpec()

    def digest(self) -> str:
        """First 8 hex digits of a hash of everything that changes the result (not of name and comments)."""
        content = self.model_dump(mode="json", exclude={"name", "description", "answers_to"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def load_recipe(folder: Path, name: str, overrides: list[str] | None = None) -> Recipe:
    """Read `folder`/recipes/`name`.toml and apply `--set` overrides; both are checked by the same schema.

    Raises
    ------
    UserError
        If there is no such recipe (lists those there are), or a key or value is wrong (names file, key, nearest key).
    """
    path = Path(name) if name.endswith(".toml") else folder / "recipes" / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(recipe_names(folder)) or "none"
        raise UserError(f"{path}: no such recipe. Recipes of {folder.name}: {known}.")
    values = read_toml(path)
    if "name" in values:
        raise UserError(f"{path}: name: unknown key; a recipe is named after its file")
    validate(Recipe, {**values, "name": path.stem}, str(path))  # so that a mistake is blamed on the file it stands in
    for override in overrides or []:
        _set(values, override)
    if "name" in values:
        raise UserError("--set name: a recipe is named after its file; copy the file to name it otherwise")
    where = f"{path} with --set " + " --set ".join(overrides) if overrides else str(path)
    return validate(Recipe, {**values, "name": path.stem}, where)


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
