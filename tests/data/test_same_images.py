"""Which copies are known as such: against the changes that make them, done by NumPy."""

import numpy as np
import pytest

from unetdyn.data import Stack
from unetdyn.data.same_images import same_images

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 6, 9, 1), dtype="uint8")


def stack(images, names="ab"):
    masks = np.zeros((*images.shape[:3], 1), "uint8")
    return Stack(images, masks, tuple(names)[: len(images)])


def found(first, second):
    return same_images({"train": stack(first), "validation": stack(second, "cd")})


def test_same_images_finds_an_exact_copy():
    assert found(IMAGES, IMAGES[1:]) == ["train 'b' and validation 'c' are the same image."]


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images.astype("uint16") * 257,
        lambda images: (images / 255).astype("float32"),
        lambda images: ((images - images.mean()) / images.std()).astype("float32"),
        lambda images: (np.sqrt(images / 255) * 65535).astype("uint16"),
        lambda images: 255 - images,
        lambda images: images[:, ::-1],
        lambda images: images[:, :, ::-1],
        lambda images: np.rot90(images, 1, axes=(1, 2)),
        lambda images: np.rot90(255 - images, 3, axes=(1, 2))[:, ::-1],
        lambda images: images.transpose(0, 2, 1, 3),
    ],
)
def test_same_images_finds_a_copy_that_was_changed(change):
    sentence = "train 'b' and validation 'c' are the same image in other grey values, turned or mirrored."
    assert found(IMAGES, np.ascontiguousarray(change(IMAGES[1:]))) == [sentence]


@pytest.mark.parametrize("colour", [[0], [255], [10, 20, 30]])
def test_same_images_passes_over_images_of_one_colour(colour):
    blank = np.broadcast_to(np.array(colour, "uint8"), (1, 6, 9, len(colour)))
    assert found(blank.copy(), blank.copy()) == []


def test_same_images_lets_blanks_in_equal_frames_be_unless_they_are_copies():
    framed = np.zeros((1, 6, 9, 1), "uint8")
    framed[:, 1:-1, 1:-1] = 200
    assert found(framed, framed // 2) == []
    assert len(found(framed, framed)) == 1


def test_same_images_tells_images_of_equal_histogram_apart():
    assert found(IMAGES[:1], np.random.default_rng(1).permuted(IMAGES[:1], axis=1)) == []


def test_same_images_does_not_mind_copies_within_a_part():
    assert found(IMAGES[[0, 0]], IMAGES[[1, 1]]) == []


def test_same_images_names_each_copy_with_the_first():
    parts = {"train": stack(IMAGES), "validation": stack(IMAGES[:1], "c"), "test": stack(IMAGES[:1, ::-1].copy(), "d")}
    assert [sentence.split(" are ")[0] for sentence in same_images(parts)] == [
        "train 'a' and validation 'c'",
        "train 'a' and test 'd'",
    ]
