"""Batched augmentation: tensor operations that draw per image, on the device, from seeded generators.

A transform library draws per call: on a batch it would turn every image by the same angle, and image by image it costs
a Python call each. Here one call draws B independent parameters and changes the whole batch at once.

draws        where every random number comes from
geometry     affine, elastic, pad and crop, mirrors, quarter turns
color        brightness, contrast, saturation, hue, ... and noise and blur
occlusion    cutout, random erasing
policies     RandAugment, TrivialAugment, AugMix: chains of the operations above
mix          mixup and cutmix: two images and their labels
pipeline     the order in which a recipe's changes are made
per_image    the other way: an albumentations pipeline, image by image, in threads
"""

from harness.train.augment.draws import Draws
from harness.train.augment.mix import mix
from harness.train.augment.pipeline import augment, check_augment

__all__ = ["Draws", "augment", "check_augment", "mix"]
