"""The submission's rows: one image each, or several whose outputs are averaged."""

from __future__ import annotations

import numpy as np

from harness.competition import Samples
from harness.submit.submission import averaged


def test_outputs_of_the_images_of_a_row_are_averaged():
    rows = np.array(["b", "a", "b", "c"])
    names, means = averaged(rows, np.array([[0.2], [1.0], [0.6], [0.5]], dtype=np.float32))
    assert names.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(means[:, 0], [1.0, 0.4, 0.5], atol=1e-6)


def test_what_is_answered_is_each_row_once_in_its_order():
    samples = Samples(np.array(["1", "2", "3"]), np.zeros((3, 2, 2, 1), np.uint8), rows=np.array(["b", "a", "b"]))
    assert samples.answered.tolist() == ["b", "a"]
    assert Samples(np.array(["1"]), np.zeros((1, 2, 2, 1), np.uint8)).answered.tolist() == ["1"]
