"""What is known of a run before it is played elsewhere."""

from __future__ import annotations

import pytest

from harness.competition.recipe import BUILT_IN
from harness.cv.elsewhere.known import from_hub


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_recipe_of_a_pretrained_network_fetches_its_weights_there(name: str):
    assert from_hub(None, name) == (name in ("transfer", "finetune"))
