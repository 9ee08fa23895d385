"""What harness.clean offers when it is done."""

from __future__ import annotations

import pytest

from harness.clean.__main__ import recipe_option


@pytest.mark.parametrize(
    ("recipes", "words"), [([], ""), (["best", "quick"], ""), (["best", "lite0"], " --recipe best")]
)
def test_training_is_offered_by_a_recipe_that_there_is(recipes: list[str], words: str):
    assert recipe_option(recipes) == words
