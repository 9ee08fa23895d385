"""Batches in parts: the same images in the same order, whatever the size."""

import pytest
import torch

from harness.models.inference.parts import images_in_part, in_parts
from harness.models.tabular.columns import WithColumns


class Sees(torch.nn.Module):
    """A network that looks at images of a size of its own."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size


@pytest.mark.parametrize(("n", "side"), [(0, 8), (1, 224), (20, 224), (33, 96), (250, 28), (600, 28)])
def test_parts_are_the_batch(n: int, side: int):
    x = torch.arange(n).float().view(-1, 1, 1, 1).expand(n, 1, side, side)
    parts = in_parts(x, torch.nn.Identity())
    assert torch.equal(torch.cat(parts), x)
    assert max(len(part) for part in parts) <= images_in_part(None, side, side)


def test_large_images_are_few_at_once_and_small_ones_many():
    assert images_in_part(None, 224, 224) == 8
    assert images_in_part(None, 28, 28) == 334
    assert images_in_part(Sees(160), 28, 28) == images_in_part(None, 160, 160) == 10


def test_columns_stay_with_their_images():
    x = WithColumns(torch.rand(20, 1, 224, 224), torch.arange(20.0).view(20, 1))
    parts = in_parts(x, torch.nn.Identity())
    assert [len(part.images) for part in parts] == [len(part.columns) for part in parts] == [8, 8, 4]
    assert torch.equal(torch.cat([part.columns for part in parts]), x.columns)


def test_what_is_no_image_stays_whole():
    features = torch.rand(5_000, 1_280)
    assert in_parts(features, torch.nn.Identity())[0] is features
