"""Samples refuse what does not belong together."""

from __future__ import annotations

import numpy as np
import pytest

from harness.base.errors import UserError
from harness.competition import Samples

IMAGES = np.zeros((3, 4, 4, 1), dtype=np.uint8)


def test_each_row_is_its_own_group_unless_said():
    assert Samples(np.array(["a", "b", "c"]), IMAGES).groups.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("ids", "images", "labels", "said"),
    [
        (["a", "b", "a"], IMAGES, None, "id 'a' stands 2 times .first in row 1"),
        (["a", "b"], IMAGES, None, "2 ids but 3 images"),
        (["a", "b", "c"], IMAGES, np.zeros(2, dtype=int), "3 ids but 2 labels"),
        (["a", "b", "c"], IMAGES.astype(np.float32), None, "images must be uint8"),
        (["a", "b", "c"], IMAGES[..., 0], None, "images must be uint8 .n, H, W, C., got uint8 .3, 4, 4"),
    ],
)
def test_mistakes(ids, images, labels, said: str):
    with pytest.raises(UserError, match=said):
        Samples(np.array(ids), images, labels)
