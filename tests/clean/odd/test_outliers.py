"""Images from another world, on images of any number of channels: bands of a satellite, stains of a microscope."""

import numpy as np
import pytest

from harness.clean.odd.outliers import STRANGE, describe, outlier_scores
from tests.clean.cells import cells, photograph


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_photographs_among_cells_are_strange_whatever_the_channels(channels: int):
    seen = [*cells(120)[0], *(photograph(seed) for seed in range(6))]
    images = np.stack(seen)[..., np.arange(channels) % 3]
    odd = outlier_scores(images)
    assert (odd[120:] >= STRANGE).all() and (odd[:120] < STRANGE).mean() > 0.95
    assert describe(images, np.arange(4)).shape[1] <= 36 * channels + max(6**3, 6 * channels) + 128
