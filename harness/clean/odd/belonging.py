"""What is odd but belongs to the test's world: as many test images are odd in the same way.

A training row that is tiny, dark or blurred where the test holds such images too is what the competition will be judged on: it is
kept. The test's share counts as proof where it is at least half of the training's and, by the exact conditional test of two
rates, more than chance would leave of a tenth of it. Rows that are odder than the oddest test image of their kind are proof of
nothing: where there are more of them than a random cut into training and test would leave there, they are not of its world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_AT_LEAST, _RARE = 0.5, 0.1  # shares of the training's share: about as many; as good as none
_CHANCE, _SPREAD_CHANCE = 0.1, 0.05


@dataclass(frozen=True)
class Belonging:
    """Which odd rows belong to the test's world.

    Attributes
    ----------
    kept : bool (n,), odd rows that do
    beyond : bool (n,), odd rows that are odder than every test image, where there are more of them than by chance
    train, test : shares of the odd images that were compared; test None where there is no test
    in_test : odd test images
    """

    kept: np.ndarray
    beyond: np.ndarray
    train: float
    test: float | None
    in_test: int = 0

    def said(self, row: int, how: str) -> str:
        """The reason in words; `how` as in "as small"."""
        if self.test is None:
            return "no test images to hold it against"
        if self.beyond[row]:
            return "odder than every test image"
        shares = f"{_percent(self.train)} of the training images and {_percent(self.test)} of the test images are {how}"
        if self.kept[row]:
            return f"{shares}: kept"
        if self.in_test and self.test >= _AT_LEAST * self.train:
            return f"{shares}, but {self.in_test} test image{'s are' if self.in_test > 1 else ' is'} too few to tell that they belong"
        return shares


def belonging(
    odd: np.ndarray,
    test_odd: np.ndarray | None,
    level: np.ndarray | None = None,
    test_level: np.ndarray | None = None,
    least: int = 1,
) -> Belonging:
    """Hold the odd training rows of a kind against the test's.

    Parameters
    ----------
    odd, test_odd : bool (n,), (m,); None = no test
    level, test_level : float (n,), (m,), how odd each is, larger = odder; None = no matter
    least : odd test images that are needed: more where to be odd is a guess, not a measurement
    """
    n, nothing = len(odd), np.zeros(len(odd), dtype=bool)
    share = float(odd.mean()) if n else 0.0
    if test_odd is None or not len(test_odd):
        return Belonging(nothing, nothing, share, None)
    test_share = float(test_odd.mean())
    beyond = nothing
    if level is not None and test_level is not None and test_odd.any():
        above = odd & (level > test_level[test_odd].max())
        if (n / (n + len(test_odd))) ** above.sum() < _SPREAD_CHANCE:
            beyond = above
    inside = odd & ~beyond
    if test_odd.sum() < least or not _about_as_many(int(inside.sum()), n, int(test_odd.sum()), len(test_odd)):
        return Belonging(nothing, nothing, share, test_share, int(test_odd.sum()))
    return Belonging(inside, beyond, float(inside.mean()), test_share, int(test_odd.sum()))


def _about_as_many(count: int, n: int, test_count: int, m: int) -> bool:
    from scipy.stats import binom

    if not count or not test_count or test_count / m < _AT_LEAST * count / n:
        return False
    of_test = _RARE * m / (_RARE * m + n)
    return bool(binom.sf(test_count - 1, count + test_count, of_test) <= _CHANCE)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if 0 < share < 0.1 else f"{100 * share:.1f} %" if share else "none"
