"""The contract between a competition's folder and the harness: what it fixes, how it is played, how it is scored."""

from harness.base.python.callable_stage import make_callable
from harness.competition.competition import Competition, find_competition
from harness.competition.recipe import DataChoice, Recipe, load_recipe
from harness.competition.samples import Listing, Samples

__all__ = ["Competition", "DataChoice", "Listing", "Recipe", "Samples", "find_competition", "load_recipe"]

make_callable(__name__)
