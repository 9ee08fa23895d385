"""[augment] of a recipe: random changes of a training image, drawn per image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.base.errors import nearest
from harness.base.python import registered
from harness.competition.schema import Frozen, Later

Probability = Annotated[float, Field(ge=0, le=1)]


class RandAugmentSpec(Frozen):
    """[augment.randaugment]: random operations of one strength, one after the other (Cubuk and others 2020)."""

    operations: Annotated[int, Field(ge=1, le=20)] = 2
    """How many operations each image gets."""
    magnitude: Probability = 0.3
    """Strength, as a share of each operation's largest. The blood-cell team: 0.32, five operations."""
    magnitude_std: Probability = 0.0
    """Standard deviation of the strength between images."""


class AugMixSpec(Frozen):
    """[augment.augmix]: several short chains of operations, averaged and mixed with the image (Hendrycks and others 2020)."""

    severity: Probability = 0.3
    """Largest strength of an operation."""
    width: Annotated[int, Field(ge=1, le=10)] = 3
    """Chains."""
    depth: Annotated[int, Field(ge=1, le=10)] = 3
    """Longest chain; each is 1 to `depth` operations long."""
    alpha: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Parameter of the Dirichlet and beta distributions that the weights are drawn from."""


class ScaleAbsSpec(Frozen):
    """[augment.scale_abs]: |alpha * x + beta| on bytes, saturating (OpenCV's convertScaleAbs), for every image."""

    alpha: Annotated[float, Field(gt=0, le=100)] = 1.5
    """Factor."""
    beta: Annotated[float, Field(ge=-255, le=255)] = 0.0
    """Summand, in units of a byte."""


class AugmentSpec(Later):
    """[augment]: zero, false or a missing table switches a change off; they are made in the order they stand here."""

    later: ClassVar[tuple[str, ...]] = ("own",)

    fill: Literal["black", "edge", "reflect"] = "black"
    """What comes in from outside the image where it is moved."""
    pad_crop: Annotated[int, Field(ge=0, le=4096)] = 0
    """Pixels: shift by up to so many whole pixels along each axis (pad, then crop)."""
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
    alternating_flip: bool = False
    """Left-right mirror by a coin of each image's own that is turned over every epoch (airbench)."""
    horizontal_flip: Probability = 0.0
    """Probability of a left-right mirror."""
    vertical_flip: Probability = 0.0
    """Probability of an up-down mirror."""
    quarter_turns: bool = False
    """Turn by 0, 90, 180 or 270 degrees, each as likely."""
    randaugment: RandAugmentSpec | None = None
    """Table: RandAugment."""
    trivial_augment: bool = False
    """TrivialAugment, wide space: one operation of random strength."""
    augmix: AugMixSpec | None = None
    """Table: AugMix."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Factor uniform in [1 - brightness, 1 + brightness]."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Factor uniform in [1 - contrast, 1 + contrast] on the distance from the mean grey."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Factor uniform in [1 - saturation, 1 + saturation] on the distance from grey."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Part of the colour circle, uniform in [-hue, hue]."""
    channel_shift: Probability = 0.0
    """Added to each channel, uniform in [-channel_shift, channel_shift]; 1 = the whole range."""
    grayscale: Probability = 0.0
    """Probability of a grey image."""
    scale_abs: ScaleAbsSpec | None = None
    """Table: the saturating scale."""
    blur: Annotated[float, Field(ge=0, le=50)] = 0.0
    """Gaussian blur: standard deviation in pixels, uniform in [0, blur]."""
    noise: Probability = 0.0
    """White noise: standard deviation uniform in [0, noise]; 1 = the whole range."""
    jpeg: Probability = 0.0
    """JPEG: quality uniform in [100 * (1 - jpeg), 100]."""
    untouched: Probability = 0.0
    """Share of the images whose values stay as they are: none of the changes from brightness to jpeg is made to them."""
    cutout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Side of one black square per image, as a fraction of the shorter side."""
    erasing: Probability = 0.0
    """Random erasing: probability of a box of noise."""
    erasing_area: Annotated[tuple[Probability, Probability], Field(strict=False)] = (0.02, 0.33)
    """The box's share of the image: from, to."""
    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Mixup: parameter alpha of the beta distribution."""
    cutmix: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Cutmix: parameter alpha of the beta distribution. With mixup too, each takes half of the mixed images."""
    mix_probability: Probability = 1.0
    """Share of the images that mixup or cutmix changes."""
    albumentations: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = ()
    """Transforms of albumentations, image by image before all others: [{name = "ElasticTransform", p = 0.5}, ...]."""

    own: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Names of `harness.register.augmentation`, in their order, before all others but albumentations'."""

    @field_validator("own")
    @classmethod
    def _registered(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = registered.names("augmentation")
        odd = next((name for name in names if name not in known), None)
        if odd is not None and not (info.context or {}).get("saved"):
            raise ValueError(
                f"'{odd}' is not registered{nearest(odd, known)}; harness.register.augmentation does; registered: {', '.join(known) or 'none'}"
            )
        return names

    @property
    def warps(self) -> bool:
        """Whether any change needs the image to be resampled."""
        return any((self.rotation, self.shift, self.shear, self.zoom, self.elastic))

    @model_validator(mode="after")
    def _consistent(self) -> AugmentSpec:
        if self.erasing_area[0] > self.erasing_area[1]:
            raise ValueError(f"erasing_area = {list(self.erasing_area)}: give the smaller share first")
        if self.alternating_flip and self.horizontal_flip:
            raise ValueError("alternating_flip and horizontal_flip are two ways of the same: give one of them")
        for number, transform in enumerate(self.albumentations, start=1):
            if not isinstance(transform.get("name"), str):
                raise ValueError(
                    f"albumentations, transform {number}: 'name' is missing, e.g. {{name = \"Blur\", p = 0.5}}"
                )
        return self
