"""Which mirror images and turns keep the label: by nearest neighbours, on drawn things of which it is known."""

import numpy as np
import pytest

from harness.data.symmetries import declared, examine, plausible

ALL = ("hflip", "vflip", "rot90", "rot180", "rot270")


def things(
    n: int, seed: int, marks: np.ndarray, turns: int = 1, mirrored: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, 32, 32, 1) of one of the marks (M, 4, 4), a pixel of them 8 x 8, with noise; labels are the marks."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(marks), n)
    images = np.kron(marks[labels], np.ones((8, 8))) * 120 + rng.normal(60, 25, (n, 32, 32))
    for row in range(n):
        images[row] = np.rot90(images[row], rng.integers(turns) * 4 // max(turns, 1) if turns < 4 else rng.integers(4))
        if mirrored and rng.random() < 0.5:
            images[row] = images[row][:, ::-1]
    return images.clip(0, 255).astype(np.uint8)[..., None], labels


MARKS = (np.random.default_rng(5).random((4, 4, 4)) < 0.5).astype(float)


def test_things_that_lie_any_way_round_may_be_turned():
    images, labels = things(400, 0, MARKS, turns=4, mirrored=True)
    evidence = examine(images, labels)
    assert declared(evidence) == ALL and set(plausible(evidence)) == set(evidence)
    assert all(0.4 < found.share < 0.6 for found in evidence.values())


def test_things_that_stand_upright_may_not():
    evidence = examine(*things(400, 1, MARKS))
    assert declared(evidence) == () and plausible(evidence) == ()


def test_mirror_images_of_what_is_photographed_from_both_sides():
    evidence = examine(*things(400, 2, MARKS, mirrored=True))
    assert declared(evidence) == ("hflip",)


def test_marks_that_are_each_others_mirror_image_keep_no_label():
    both = np.stack([MARKS[0], MARKS[0][:, ::-1]])
    evidence = examine(*things(400, 3, both))
    assert "hflip" not in declared(evidence) and "hflip" not in plausible(evidence)
    assert evidence["hflip"].changed < 0 < evidence["hflip"].agreement


def test_a_number_that_says_left_or_right_changes_with_the_image():
    rng = np.random.default_rng(4)
    at = rng.integers(0, 28, 400)
    images = rng.normal(60, 10, (400, 32, 32))
    for row, place in enumerate(at):
        images[row, :, place : place + 4] += 120
    images = images.clip(0, 255).astype(np.uint8)[..., None]
    across = examine(images, at[:, None].astype(np.float32))
    assert "hflip" not in declared(across) and "vflip" in declared(across)
    unrelated = examine(images, rng.normal(size=(400, 1)).astype(np.float32))
    assert declared(unrelated) == ()  # neighbours know nothing of such a number: nothing is claimed


def test_copies_of_one_group_are_no_neighbours():
    images, labels = things(150, 6, MARKS, turns=4, mirrored=True)
    copies = (np.concatenate([images, images, images]), np.tile(labels, 3), np.tile(np.arange(150), 3))
    alone = examine(*copies[:2])
    assert alone["hflip"].share > 0.9  # every row finds its copy
    assert 0.4 < examine(*copies)["hflip"].share < 0.6


@pytest.mark.parametrize("n", [0, 1, 99])
def test_few_rows_say_nothing(n: int):
    assert examine(*things(n, 7, MARKS)) == {}


def test_a_class_of_one_row_has_no_neighbour():
    images = things(120, 8, MARKS)[0]
    assert examine(images, np.arange(120))["hflip"].share == 1.0
